"""The compiled step against Keras itself, for every layer that it knows, as stock Keras writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.model.network import Network
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep, compile_step, quantize
from engine.program import import_tensorflow
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
    kinds = [node.op_type for node in compile_step(network, "int8").graph.node]
    if name == "rnn":  # its relu is not bounded
        assert "MatMulInteger" not in kinds
    else:
        assert kinds.count("MatMulInteger") > kinds.count("MatMul")


def test_int8_does_not_need_a_processor_that_sums_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(1).integers(len(LETTERS), size=50).astype(np.int32)
    signed = run(OnnxStep(tiny_network(), precision="int8"), ids)
    monkeypatch.setattr("engine.model.onnx_step.signed_weights_are_exact", lambda: False)
    unsigned = run(OnnxStep(tiny_network(), precision="int8"), ids)
    assert all((a == b).all() for a, b in zip(signed, unsigned, strict=True))


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
    from engine.model.onnx_step import fold_table

    network: Network = tiny_network(layers=1)
    table, _ = fold_table(network)
    assert table.shape == (network.vocabulary_size, 3 * 13)
    kinds = [node.op_type for node in compile_step(network).graph.node]
    assert kinds.count("Gather") == 1
    assert kinds.count("MatMul") == 2  # recurrent kernel, logits
