"""The compiled step against Keras itself, for every layer that it knows, as stock Keras writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import GraphProto

from engine.model.network import Dense, Layer, Network
from engine.model.network_reader import read_network
from engine.model.onnx_graph import compile_reader, compile_writer, fold_table, quantize
from engine.model.onnx_step import FEWEST_READ, OnnxStep
from engine.program import import_tensorflow
from engine.sampling import Sampler, Sampling
from tests.keras_models import V, chain, randomized, run, softmax
from tests.networks import LETTERS, tiny_network

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from engine.model.keras_step import KerasStep  # noqa: E402

L = keras.layers
STEPS = 1000


def stack(**options: Any) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(batch_shape=(1, None)), L.Embedding(V, 6),
            L.GRU(9, return_sequences=True, stateful=True, **options), L.Dropout(0.3),
            L.GRU(7, return_sequences=True, stateful=True, **options), L.Dense(V),
        ]
    )  # fmt: skip


def one_hot_functional() -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    x = keras.ops.one_hot(inputs, V)
    x = L.SimpleRNN(8, return_sequences=True)(x)
    return keras.Model(inputs, L.Dense(V)(x))


MODELS: dict[str, Callable[[], Any]] = {
    "gru": lambda: stack(),
    "gru-reset-before": lambda: stack(reset_after=False),
    "gru-no-bias": lambda: stack(use_bias=False),
    "gru-no-bias-reset-before": lambda: stack(use_bias=False, reset_after=False),
    "gru-activations": lambda: stack(activation="softsign", recurrent_activation="hard_sigmoid"),
    "lstm": lambda: chain(
        L.Embedding(V, 6), L.LSTM(9, return_sequences=True), L.LSTM(5, return_sequences=True), L.Dense(V)
    ),
    "lstm-no-bias": lambda: chain(L.Embedding(V, 6), L.LSTM(9, return_sequences=True, use_bias=False), L.Dense(V)),
    "rnn": lambda: chain(L.Embedding(V, 6), L.SimpleRNN(9, return_sequences=True, activation="relu"), L.Dense(V)),
    "mixed-normalized": lambda: chain(
        L.Embedding(V, 6), L.LayerNormalization(), L.GRU(9, return_sequences=True), L.LayerNormalization(center=False),
        L.SpatialDropout1D(0.2), L.LSTM(5, return_sequences=True), L.LayerNormalization(scale=False, epsilon=1e-5),
        L.SimpleRNN(8, return_sequences=True), L.Dense(10, activation="elu"), L.Dense(V, use_bias=False),
    ),
    "returns-state": lambda: chain(L.Embedding(V, 6), L.GRU(9, return_sequences=True, return_state=True), L.Dense(V)),
    "one-hot-input": lambda: chain(L.LSTM(9, return_sequences=True), L.Dense(V), ids=False),
    "one-hot-layer": one_hot_functional,
    "softmax": lambda: chain(L.Embedding(V, 6), L.GRU(9, return_sequences=True), L.Dense(V, activation="softmax")),
    "softmax-layer": lambda: chain(L.Embedding(V, 6), L.GRU(9, return_sequences=True), L.Dense(V), L.Softmax()),
    "last-step-only": lambda: chain(L.Embedding(V, 6), L.GRU(9), L.Dense(V)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_compiled_step_gives_the_logits_of_keras(name: str, tmp_path: Path) -> None:
    model = randomized(MODELS[name]())
    model.save(path := tmp_path / "model.keras")
    compiled, reference = OnnxStep(read_network(path)), KerasStep(path)
    assert compiled.shape == reference.shape
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    logits = np.stack(run(compiled, ids))
    if name != "last-step-only":
        inputs = tf.one_hot(ids, V)[None] if name == "one-hot-input" else ids[None]
        whole = np.asarray(model(inputs))[0]  # the model itself, over the whole sequence at once
        if name.startswith("softmax"):
            whole, logits = np.log(whole), np.log(softmax(logits))
        assert np.abs(logits - whole).max() < 1e-4
    stepped = np.stack(run(reference, ids[:100]))
    if name.startswith("softmax"):
        stepped = np.log(softmax(stepped))
    assert np.abs(stepped - logits[:100]).max() < 1e-4


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("units", [1, 13, 256, 512])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_row_is_bit_equal_alone_and_in_any_batch(units: int, threads: int, precision: str) -> None:
    step = OnnxStep(tiny_network(units=units), threads=threads, precision=precision)
    rng = np.random.default_rng(3)
    for rows in (2, 3, 8, 33, 64):
        ids = rng.integers(step.vocabulary_size, size=(4, rows)).astype(np.int32)
        states = np.zeros((rows, step.state_size), np.float32)
        alone = [states[:1]] * rows
        for now in ids:
            logits, states = step(now, states)
            for row in range(rows):
                one, alone[row] = step(now[row : row + 1], alone[row])
                assert (one[0] == logits[row]).all()
                assert (alone[row][0] == states[row]).all()


@pytest.mark.parametrize("name", ["gru", "gru-reset-before", "lstm", "rnn", "mixed-normalized"])
def test_int8_comes_near_and_takes_integers_where_it_may(name: str, tmp_path: Path) -> None:
    model = randomized(MODELS[name]())
    model.save(path := tmp_path / "model.keras")
    network = read_network(path)
    ids = np.random.default_rng(1).integers(V, size=200).astype(np.int32)
    exact, rough = run(OnnxStep(network), ids), run(OnnxStep(network, precision="int8"), ids)
    assert np.abs(softmax(np.stack(exact)) - softmax(np.stack(rough))).max() < 0.05
    kinds = all_kinds(compile_writer(network, "int8").model.graph)
    if name == "rnn":  # its relu is not bounded
        assert "MatMulIntegerToFloat" not in kinds
    else:
        assert kinds.count("MatMulIntegerToFloat") > kinds.count("MatMul")


def test_int8_does_not_need_a_processor_that_sums_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(len(LETTERS), size=50).astype(np.int32)
    signed = run(OnnxStep(tiny_network(), precision="int8"), ids)
    monkeypatch.setattr("engine.model.onnx_graph.signed_weights_are_exact", lambda: False)
    unsigned = run(OnnxStep(tiny_network(), precision="int8"), ids)
    assert all((a == b).all() for a, b in zip(signed, unsigned, strict=True))


def all_kinds(graph: GraphProto) -> list[str]:
    """The operators of a graph and of those within it."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [node.op_type for node in graph.node] + [kind for one in inner for kind in all_kinds(one)]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", [*MODELS, "masked"])
def test_a_text_that_is_read_at_once_gives_the_bits_of_its_steps(name: str, precision: str, tmp_path: Path) -> None:
    made = chain(L.Embedding(V, 6, mask_zero=True), L.GRU(9, return_sequences=True), L.LSTM(5), L.Dense(V))
    randomized(made if name == "masked" else MODELS[name]()).save(path := tmp_path / "model.keras")
    step = OnnxStep(read_network(path), precision=precision)
    rng = np.random.default_rng(4)
    for rows, length in ((1, FEWEST_READ), (1, 300), (3, 40), (64, 13)):
        ids = rng.integers(V, size=(length, rows)).astype(np.int32)
        state = rng.uniform(-1, 1, (rows, step.state_size)).astype(np.float32)
        logits, after = step.read(ids, state)
        last, same = step.read(ids, state, length - 1)
        for place in range(length):
            stepped, state = step(ids[place], state)
            assert (stepped == logits[place]).all()
        assert (state == after).all()
        assert (same == after).all()
        assert (last[0] == logits[-1]).all()


SAMPLINGS = [
    Sampling(), Sampling(temperature=0), Sampling(temperature=100), Sampling(temperature=1e-30), Sampling(top_k=1),
    Sampling(top_k=5, temperature=1.5), Sampling(top_k=10**9), Sampling(top_p=0.7), Sampling(top_p=1e-9),
    Sampling(min_p=0.2, temperature=1.0), Sampling(min_p=1.0), Sampling(top_k=6, top_p=0.9, min_p=0.05),
]  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("size", [3, len(LETTERS), 700])
def test_the_graph_draws_the_tokens_of_the_sampler(size: int, precision: str) -> None:
    unwritten = [0, size - 1]
    step = OnnxStep(tiny_network(size), precision=precision)
    for chosen in (SAMPLINGS, SAMPLINGS[:3], SAMPLINGS[:1]):
        sampler, rows, count = Sampler(chosen, unwritten), len(chosen), 150
        numbers = np.random.default_rng(5).random((count, rows))
        ids, state = np.zeros(rows, np.int32), np.zeros((rows, step.state_size), np.float32)
        tokens, after = step.write(ids, state, sampler.draws(numbers, size))
        for drawn, of_rows in zip(tokens, numbers, strict=True):
            logits, state = step(ids, state)
            ids = sampler(logits, of_rows, [()] * rows).astype(np.int32)
            assert ids.tolist() == drawn.tolist()
        assert (state == after).all()


def test_tokens_of_equal_probability_are_filtered_alike() -> None:
    flat = Network("flat", tuple(_without_weights(layer) for layer in tiny_network(9).layers))
    step, chosen = OnnxStep(flat), [Sampling(top_k=4), Sampling(top_p=0.5), Sampling(min_p=1.0)]
    sampler, numbers = Sampler(chosen), np.random.default_rng(6).random((200, 3))
    ids, state = np.zeros(3, np.int32), np.zeros((3, step.state_size), np.float32)
    tokens, _ = step.write(ids, state, sampler.draws(numbers, 9))
    logits, _ = step(ids, state)
    expected = [sampler(logits, of_rows, [()] * 3).tolist() for of_rows in numbers]
    assert tokens.tolist() == expected
    assert [sorted({*column}) for column in zip(*expected, strict=True)] == [[*range(4)], [*range(5)], [*range(9)]]


def _without_weights(layer: Layer) -> Layer:
    return replace(layer, kernel=0 * layer.kernel, bias=None) if isinstance(layer, Dense) else layer


def test_the_reader_multiplies_all_inputs_of_a_layer_at_once() -> None:
    kinds = [node.op_type for node in compile_reader(tiny_network()).model.graph.node]
    assert kinds.count("Scan") == 2
    assert kinds.count("MatMul") == 2  # the second layer's inputs, logits


def test_quantized_weights_are_within_half_a_step() -> None:
    kernel = np.random.default_rng(2).normal(0, 1, (40, 9)).astype(np.float32)
    kernel[:, 3] = 0
    weights, scale = quantize(kernel)
    assert np.abs(weights * scale - kernel).max() <= 0.5 * scale.max() * 1.001
    assert np.abs(weights).max() == 127


def test_the_arguments_are_not_changed() -> None:
    step = OnnxStep(tiny_network())
    state = np.full((2, step.state_size), 0.25, np.float32)
    ids = np.array([1, 2], np.int32)
    _, after = step(ids, state)
    assert (state == 0.25).all()
    assert ids.tolist() == [1, 2]
    assert not np.shares_memory(after, state)


def test_the_first_layer_is_a_table_look_up() -> None:
    """The input kernel and the embedding are folded: one row of 3H numbers a token, and no product with them."""
    network: Network = tiny_network(layers=1)
    table, _ = fold_table(network)
    assert table.shape == (network.vocabulary_size, 3 * 13)
    kinds = all_kinds(compile_writer(network).model.graph)
    assert kinds.count("Gather") == 3  # the table's row in two parts, a random number
    assert kinds.count("MatMul") == 2  # the recurrent kernel, logits
