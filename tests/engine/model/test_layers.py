"""Each kind of layer that a backend takes, run token by token, against Keras itself over the whole text; and the line
that refuses each kind that cannot be run so.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from engine.errors import ModelLoadError
from engine.model.keras_file import CONFIG, WEIGHTS, tensors
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.stepwise import CELLS, LAYERS, OPERATIONS, RECURRENT
from tests.keras_models import V, chain, randomized, run, softmax

import keras  # isort: skip
import tensorflow as tf  # isort: skip
from engine.model.keras_step import KerasStep  # isort: skip

L, ops = keras.layers, keras.ops
FIXED, STEPS = 20, 20


def gru(units: int = 7, **options: Any) -> Any:
    return L.GRU(units, return_sequences=True, **options)


def lstm(units: int = 6, **options: Any) -> Any:
    return L.LSTM(units, return_sequences=True, **options)


def text_model(*middle: Any, mask: bool = False) -> keras.Model:
    """A chain with these layers between its GRU and its logits."""
    return chain(L.Embedding(V, 5, mask_zero=mask), gru(), *middle, L.Dense(V))


def fixed(*layers: Any, width: int | None = None) -> keras.Model:
    """A Sequential model of a fixed length."""
    shape = (FIXED, width) if width else (FIXED,)
    return keras.Sequential([keras.Input(shape), *layers])


def branched(join: Callable[[Any, Any], Any]) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    x = L.Embedding(V, 7)(inputs)
    return keras.Model(inputs, L.Dense(V)(join(x, gru()(x))))


def used_twice() -> keras.Model:
    layer = lstm(5)
    return chain(L.Embedding(V, 5), layer, L.Dropout(0.2), layer, L.Dense(V))


def models_inside() -> keras.Model:
    inner = keras.Sequential([keras.Input((None, 5)), lstm(6), L.Dense(5, "tanh"), gru(5)])
    return chain(L.Embedding(V, 5, mask_zero=True), inner, inner, L.Dense(V))


def tied() -> keras.Model:
    inputs, table = keras.Input((None,), dtype="int32"), L.ReversibleEmbedding(V, 7)
    return keras.Model(inputs, table(gru()(table(inputs)), reverse=True))


def masks_joined() -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    x, y = L.Embedding(V, 7, mask_zero=True)(inputs), L.Embedding(V, 7)(inputs)
    z = gru()(L.Add()([x, gru()(x)]))
    return keras.Model(inputs, L.Dense(V)(lstm()(L.Concatenate()([z, y]))))


def many_operations(x: Any, y: Any) -> Any:
    for function in (
        ops.tanh, ops.softsign, ops.gelu, ops.silu, ops.elu, ops.leaky_relu, ops.hard_sigmoid, ops.hard_silu, ops.relu6,
        ops.sigmoid, ops.log, ops.absolute, ops.sqrt, ops.square, ops.exp, ops.softplus, ops.log_softmax, ops.relu,
    ):  # fmt: skip
        y = function(y)
    x = ops.cast(ops.cast(x, "float64"), "float32")
    return ops.softmax(x) + ops.negative(y) * 2.0 - ops.true_divide(x, 3.0) / 2.0 + ops.divide(y, 2.0)


def states_used() -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    _, hidden, cell = L.LSTM(6, return_state=True)(L.Embedding(V, 5)(inputs))
    return keras.Model(inputs, L.Dense(V)(L.Concatenate()([hidden, cell])))


BY_BOTH: dict[str, Callable[[], Any]] = {
    "time-distributed": lambda: text_model(L.TimeDistributed(L.Dense(8, "relu")), L.TimeDistributed(L.Dropout(0.5))),
    "time-distributed-softmax": lambda: chain(
        L.Embedding(V, 5), lstm(), L.TimeDistributed(L.Dense(V, activation="softmax"))
    ),
    "time-distributed-activation": lambda: chain(
        L.Embedding(V, 5), lstm(), L.TimeDistributed(L.Dense(V)), L.TimeDistributed(L.Activation("softmax"))
    ),
    "log-softmax": lambda: chain(L.Embedding(V, 5), gru(), L.Dense(V), L.Activation("log_softmax")),
    "mask-zero-sequential": lambda: keras.Sequential(
        [keras.Input((None,)), L.Embedding(V, 5, mask_zero=True), gru(), L.Dense(V, activation="softmax")]
    ),
    "masked-one-hot-functional": lambda: chain(L.Masking(0.5), gru(), L.Dense(V), ids=False),
    "softmax-operation": lambda: chain(L.Embedding(V, 5), gru(), L.Dense(V), ops.softmax),
    "softmax-then-nothing": lambda: chain(
        L.Embedding(V, 5), gru(), L.Dense(V, "softmax"), L.Activation("linear"), L.Dropout(0.1)
    ),
    "mask-zero-gru": lambda: text_model(L.TimeDistributed(L.Dense(7)), gru(4), mask=True),
    "mask-zero-gru-reset-before": lambda: text_model(gru(4, reset_after=False), mask=True),
    "mask-zero-lstm": lambda: chain(
        L.Embedding(V, 5, mask_zero=True), lstm(), L.LayerNormalization(), lstm(4, stateful=False), L.Dense(V)
    ),
    "mask-zero-rnn-last": lambda: chain(
        L.Embedding(V, 5, mask_zero=True), L.SimpleRNN(6, return_sequences=True), L.LSTM(4), L.Dense(V, "softmax")
    ),
    "masked-one-hot": lambda: fixed(L.Masking(), lstm(), L.Dense(V), width=V),
    "one-hot-of-a-fixed-length": lambda: fixed(
        L.LSTM(6, return_sequences=True), L.Dropout(0.2), L.TimeDistributed(L.Dense(V, activation="softmax")), width=V
    ),
    "one-hot-then-dense": lambda: fixed(L.TimeDistributed(L.Dense(5, "tanh")), gru(), L.Dense(V), width=V),
    "category-encoding": lambda: chain(L.CategoryEncoding(V, output_mode="one_hot"), gru(), L.Dense(V)),
    "category-encoding-of-a-fixed-length": lambda: fixed(
        L.CategoryEncoding(V, output_mode="one_hot"), gru(), L.Dense(V)
    ),
    "one-hot-operation": lambda: chain(lambda x: ops.one_hot(x, V), gru(), L.Dense(V)),
    "activations": lambda: text_model(
        L.Dense(8), L.Activation("tanh"), L.Dense(8), L.ReLU(), L.Dense(8), L.LeakyReLU(0.2), L.Dense(8), L.ELU(),
        L.Dense(8), L.ReLU(negative_slope=0.1), L.Activation("softsign"), L.Activation("hard_sigmoid"),
    ),
    "activations-before-the-first-recurrent": lambda: chain(
        L.Embedding(V, 5), L.Dense(6, "elu"), L.LeakyReLU(0.3), L.Dense(6, "hard_sigmoid"), L.Activation("sigmoid"),
        L.Dense(6, "softsign"), L.Dense(6, "relu"), L.Activation("tanh"), gru(), L.Dense(V),
    ),
    "idle": lambda: text_model(
        L.Dropout(0.5), L.SpatialDropout1D(0.5), L.GaussianNoise(1.0), L.GaussianDropout(0.5), L.AlphaDropout(0.5),
        L.ActivityRegularization(0.1), L.Identity(),
    ),
    "stateful": lambda: keras.Sequential(
        [keras.Input(batch_shape=(1, 1)), L.Embedding(V, 5), gru(stateful=True), L.Dense(V)]
    ),
    "stateful-batch": lambda: keras.Sequential(
        [keras.Input(batch_shape=(3, STEPS)), L.Embedding(V, 5), lstm(stateful=True), L.Dense(V)]
    ),
    "unrolled": lambda: fixed(L.Embedding(V, 5), gru(unroll=True), L.SimpleRNN(4, unroll=True), L.Dense(V)),
}  # fmt: skip
BY_KERAS: dict[str, Callable[[], Any]] = {
    "used-twice": used_twice,
    "models-inside": models_inside,
    "tied": tied,
    "masks-joined": masks_joined,
    "states-used": states_used,
    "add": lambda: branched(lambda x, y: L.Add()([x, y])),
    "joined": lambda: branched(
        lambda x, y: L.Concatenate()([
            L.Subtract()([x, y]), L.Multiply()([x, y]), L.Average()([x, y]), L.Maximum()([x, y]), L.Minimum()([x, y]),
        ])
    ),
        "operations": lambda: branched(many_operations),
    "normalizations": lambda: text_model(
        L.BatchNormalization(), L.Dense(6), L.RMSNormalization(), L.Dense(6), L.UnitNormalization()
    ),
    "functions": lambda: text_model(
        L.PReLU(shared_axes=[1]), L.Dense(6, "gelu"), L.Softmax(), L.Rescaling(2.0, 1.0), L.ELU(0.5), L.ReLU(1.0)
    ),
    "recurrent-activations": lambda: text_model(gru(5, activation="silu", recurrent_activation="hard_silu")),
    "masking": lambda: chain(L.Embedding(V, 5), L.Masking(), gru(), L.TimeDistributed(L.Dense(6)), lstm(), L.Dense(V)),
    "zero-output-for-mask": lambda: chain(
        L.Embedding(V, 5, mask_zero=True), gru(zero_output_for_mask=True), lstm(5), L.Dense(V, "softmax")
    ),
    "cells": lambda: chain(
        L.Embedding(V, 5, mask_zero=True), L.RNN(L.LSTMCell(6), return_sequences=True),
        L.RNN(L.GRUCell(5), return_sequences=True), L.RNN(L.SimpleRNNCell(5), return_sequences=True), L.Dense(V),
    ),
    "stacked-cells": lambda: chain(
        L.Embedding(V, 5, mask_zero=True), L.RNN([L.LSTMCell(6), L.GRUCell(4)], return_sequences=True),
        L.RNN(L.StackedRNNCells([L.GRUCell(4), L.LSTMCell(3)]), return_sequences=True), L.Dense(V),
    ),
}  # fmt: skip


def saved(model: keras.Model, folder: Path) -> Path:
    model.save(path := folder / "model.keras")
    return path


def logs(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(softmax(x)))


def of_the_whole(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    """The log-probabilities `[T, V]` that Keras gives for a text at once; for its last token alone, `[1, V]`."""
    rows, length = model.inputs[0].shape[0] or 1, model.inputs[0].shape[1] or len(ids)
    x = tf.repeat(tf.one_hot(ids, V)[None] if len(model.inputs[0].shape) == 3 else ids[None], rows, axis=0)
    outputs = np.concatenate(
        [np.asarray(model(x[:, start : start + length]))[:1] for start in range(0, len(ids), length)], axis=1
    )[0]
    outputs = np.atleast_2d(outputs)
    is_softmax = (outputs >= 0).all() and np.allclose(outputs.sum(-1), 1, atol=1e-4)
    return np.asarray(np.log(outputs)) if is_softmax else logs(outputs)


@pytest.mark.filterwarnings("ignore:Layer 'seq:UserWarning")  # that a model inside another drops a mask
@pytest.mark.parametrize("name", [*BY_BOTH, *BY_KERAS])
def test_what_a_backend_gives_token_by_token_is_what_keras_gives_for_the_whole_text(name: str, tmp_path: Path) -> None:
    model = randomized({**BY_BOTH, **BY_KERAS}[name]())
    for variable in model.non_trainable_variables:
        if "variance" in variable.path:
            variable.assign(abs(variable) + 0.1)
        if "state" in variable.path:
            variable.assign(0 * variable)
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    ids[[0, 5, 6, -2]] = 0
    whole = of_the_whole(model, ids)
    steps = [KerasStep(path), OnnxStep(read_network(path))] if name in BY_BOTH else [KerasStep(path)]
    for step in steps:
        stepped = logs(np.stack(run(step, ids)))
        assert np.abs(stepped[-len(whole) :] - whole).max() < 1e-4
    if name in BY_KERAS:
        with pytest.raises(ModelLoadError, match="which the fast backend does not know: use --backend keras"):
            read_network(path)


def kinds(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if str(node.get("module", "")).startswith("keras"):
            yield node["class_name"]
        node = list(node.values())
    for inner in node if isinstance(node, list) else []:
        yield from kinds(inner)


@pytest.mark.filterwarnings("ignore:Layer 'seq:UserWarning")
def test_every_kind_that_is_taken_is_compared_above() -> None:
    compared = {
        kind for make in [*BY_BOTH.values(), *BY_KERAS.values()] for kind in kinds(json.loads(make().to_json()))
    }
    assert LAYERS | OPERATIONS | RECURRENT | CELLS | {"RNN", "TimeDistributed", "StackedRNNCells"} <= compared


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_read(dtype: str, tmp_path: Path) -> None:
    def build(policy: str) -> keras.Model:
        return chain(
            L.Embedding(V, 5, dtype=policy),
            gru(dtype=policy, recurrent_initializer="zeros"),
            lstm(dtype=policy, recurrent_initializer="zeros"),
            L.Dense(V, dtype=policy),
        )

    model = randomized(build(dtype))
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    exact = build("float32")
    exact.set_weights([np.asarray(weight, np.float32) for weight in model.get_weights()])
    fast = logs(np.stack(run(OnnxStep(read_network(path)), ids)))
    assert np.abs(fast - of_the_whole(exact, ids)).max() < 1e-4
    stepped = logs(np.stack(run(KerasStep(path), ids)))
    whole = logs(np.asarray(tf.cast(model(ids[None]), tf.float32))[0])
    assert np.abs(stepped - whole).max() < 0.02


@pytest.mark.parametrize("change", ["lora", "int8"])
def test_added_ranks_and_quantized_weights_are_left_to_keras(change: str, tmp_path: Path) -> None:
    model = randomized(text_model(L.Dense(8)))
    if change == "lora":
        model.layers[1].enable_lora(2)
        model.layers[-1].enable_lora(2)
        model.layers[-1].lora_kernel_b.assign(np.ones((2, V)))
    else:
        for layer in (model.layers[1], *model.layers[-2:]):
            layer.quantize("int8")
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    stepped = logs(np.stack(run(KerasStep(path), ids)))
    assert np.abs(stepped - of_the_whole(keras.models.load_model(path), ids)).max() < 1e-4
    assert refusal(path, read_network).endswith(
        "with LoRA or quantization, which the fast backend does not know: use --backend keras"
    )


def attended(x: Any) -> Any:
    return L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)


@keras.saving.register_keras_serializable("mine")
class OwnCell(L.SimpleRNNCell):  # type: ignore[misc, name-defined]
    """A cell that nobody knows."""


@keras.saving.register_keras_serializable("mine")
class Dense(L.Dense):  # type: ignore[misc, name-defined]
    """A layer of somebody's own, under a known name."""


SPREAD = "may look at other time steps than its own: such a model cannot write"
REFUSED: dict[str, tuple[Any, str]] = {
    "attention": (lambda x: L.Attention()([x, x]), f"of the class Attention, which {SPREAD}"),
    "additive": (lambda x: L.AdditiveAttention()([x, x]), f"of the class AdditiveAttention, which {SPREAD}"),
    "heads": (attended, f"of the class MultiHeadAttention, which {SPREAD}"),
    "grouped": (lambda x: L.GroupQueryAttention(4, 2, 1)(x, x), f"which {SPREAD}"),
    "conv": (L.Conv1D(7, 3, padding="causal"), f"'conv1d[^ ]*' of the class Conv1D, which {SPREAD}"),
    "separable": (L.SeparableConv1D(7, 3, padding="same"), f"of the class SeparableConv1D, which {SPREAD}"),
    "depthwise": (L.DepthwiseConv1D(3, padding="same"), f"of the class DepthwiseConv1D, which {SPREAD}"),
    "transposed": (L.Conv1DTranspose(7, 3, padding="same"), f"of the class Conv1DTranspose, which {SPREAD}"),
    "max-pool": (L.MaxPooling1D(2, 1, padding="same"), f"of the class MaxPooling1D, which {SPREAD}"),
    "average-pool": (L.AveragePooling1D(2, 1, padding="same"), f"of the class AveragePooling1D, which {SPREAD}"),
    "global-pool": (L.GlobalAveragePooling1D(), f"of the class GlobalAveragePooling1D, which {SPREAD}"),
    "global-max": (L.GlobalMaxPooling1D(), f"of the class GlobalMaxPooling1D, which {SPREAD}"),
    "backwards": (gru(go_backwards=True), "that reads backwards: such a model cannot write; train one without it"),
    "backwards-cell": (L.RNN(L.GRUCell(4), go_backwards=True), "that reads backwards: such a model cannot write"),
    "bidirectional": (L.Bidirectional(gru(3)), f"of the class Bidirectional, which {SPREAD}"),
    "flatten": (L.Flatten(), f"of the class Flatten, which {SPREAD}"),
    "reshape": (L.Reshape((FIXED, 7)), f"of the class Reshape, which {SPREAD}"),
    "permute": (L.Permute((2, 1)), f"of the class Permute, which {SPREAD}"),
    "padding": (L.ZeroPadding1D((1, 0)), f"of the class ZeroPadding1D, which {SPREAD}"),
    "cropping": (L.Cropping1D((1, 0)), f"of the class Cropping1D, which {SPREAD}"),
    "repeated": (lambda x: L.RepeatVector(3)(L.LSTM(4)(x)), f"of the class RepeatVector, which {SPREAD}"),
    "group-norm": (L.GroupNormalization(1), f"of the class GroupNormalization, which {SPREAD}"),
    "over-time": (L.LayerNormalization(axis=1), "of the class LayerNormalization that is not over the last axis"),
    "over-time-batch": (L.BatchNormalization(axis=1), "BatchNormalization that is not over the last axis"),
    "softmax-over-time": (L.Softmax(axis=1), "of the class Softmax that is not over the last axis"),
    "slope-for-each-step": (L.PReLU(), f"of the class PReLU, which {SPREAD}"),
    "einsum": (L.EinsumDense("btx,ts->bsx", (FIXED, 7)), f"of the class EinsumDense, which {SPREAD}"),
    "dot": (lambda x: L.Dot(axes=(1, 1))([x, x]), f"of the class Dot, which {SPREAD}"),
    "cumsum": (lambda x: ops.cumsum(x, axis=1), f"of the class Cumsum, which {SPREAD}"),
    "flip": (lambda x: ops.flip(x, axis=1), f"of the class Flip, which {SPREAD}"),
    "roll": (lambda x: ops.roll(x, 1, axis=1), f"of the class Roll, which {SPREAD}"),
    "mean": (lambda x: x - ops.mean(x, axis=1, keepdims=True), f"of the class Mean, which {SPREAD}"),
    "lambda": (L.Lambda(lambda x: x, output_shape=(FIXED, 7)), f"of the class Lambda, which {SPREAD}"),
    "own-cell": (L.RNN(OwnCell(4)), f"of the class RNN, which {SPREAD}"),
    "own-cell-stacked": (L.RNN([L.GRUCell(4), OwnCell(4)]), f"of the class RNN, which {SPREAD}"),
    "own-layer": (Dense(4), "of the class Dense, which is not one of Keras' own: such a model cannot write"),
    "inside-a-model": (
        keras.Sequential([keras.Input((FIXED, 7)), L.Conv1D(7, 1)]), f"of the class Conv1D, which {SPREAD}",
    ),
    "repeated-inside": (L.TimeDistributed(L.RepeatVector(2)), f"of the class RepeatVector, which {SPREAD}"),
}  # fmt: skip


def refusal(path: Path, load: Callable[[Path], Any]) -> str:
    with pytest.raises(ModelLoadError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 420
    return message


@pytest.mark.parametrize("name", REFUSED)
def test_what_looks_at_other_time_steps_is_refused_by_name_by_either_backend(name: str, tmp_path: Path) -> None:
    layer, words = REFUSED[name]
    inputs = keras.Input((FIXED,), dtype="int32")
    model = keras.Model(inputs, L.Dense(V)(layer(gru()(L.Embedding(V, 5)(inputs)))))
    path = saved(model, tmp_path)
    assert len({refusal(path, KerasStep), refusal(path, read_network)}) == 1
    with pytest.raises(ModelLoadError, match=words):
        read_network(path)


def test_recurrent_layers_over_something_else_than_the_text_are_refused(tmp_path: Path) -> None:
    inputs = keras.Input((FIXED, 3), dtype="int32")
    x = L.TimeDistributed(L.LSTM(4))(L.Embedding(V, 5)(inputs))
    path = saved(keras.Model(inputs, L.Dense(V)(gru()(x))), tmp_path)
    assert "of the class LSTM, which may look" in refusal(path, KerasStep)


def test_what_the_list_does_not_foresee_is_found_by_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.model.stepwise.LAYERS", LAYERS | {"Conv1D", "GlobalAveragePooling1D", "MaxPooling1D"})
    for number, model in enumerate([
        text_model(L.Conv1D(7, 3, padding="causal")),
        text_model(L.GlobalAveragePooling1D()),
        text_model(L.MaxPooling1D(2, 1, padding="same")),
        branched(lambda x, y: L.Add()([x, L.GRU(7)(x)])),  # the last state, added to every step
    ]):  # fmt: skip
        model.save(path := tmp_path / f"{number}.keras")
        assert "token by token" in refusal(path, KerasStep)


def test_a_state_of_another_layer_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = L.Embedding(V, 5)(inputs)
    _, state = L.GRU(7, return_state=True)(x)
    path = saved(keras.Model(inputs, L.Dense(V)(gru()(x, initial_state=state))), tmp_path)
    assert "begins with the state of another layer: such a model cannot write" in refusal(path, KerasStep)


def test_inputs_and_outputs_that_are_no_tokens_are_refused(tmp_path: Path) -> None:
    scaled = keras.Sequential([keras.Input((FIXED, 1)), L.LSTM(4), L.Dense(V, activation="softmax")])
    path = saved(scaled, tmp_path)
    for load in (read_network, KerasStep):
        assert "its input is neither token ids nor one-hot vectors" in refusal(path, load)
    path = saved(keras.Sequential([keras.Input((FIXED,)), L.Embedding(V, 5), L.Dense(V)]), tmp_path)
    for load in (read_network, KerasStep):
        assert "must have recurrent layers" in refusal(path, load)
    inputs = keras.Input((None,), dtype="int32")
    x = gru()(L.Embedding(V, 5)(inputs))
    path = saved(keras.Model(inputs, [L.Dense(V)(x), L.Dense(2)(x)]), tmp_path)
    assert "one output" in refusal(path, KerasStep)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = text_model()
    model.set_weights([np.full(w.shape, np.nan, np.float32) for w in model.get_weights()])
    for load in (read_network, KerasStep):
        assert "no numbers" in refusal(saved(model, tmp_path), load)


@pytest.mark.parametrize(
    "lookup", [L.StringLookup(vocabulary=list("abcdefghij")), L.IntegerLookup(vocabulary=list(range(10)))]
)
def test_a_look_up_is_left_out_as_the_line_says(lookup: Any, tmp_path: Path) -> None:
    text = keras.Input((None,), dtype="string" if isinstance(lookup, L.StringLookup) else "int64")
    model = keras.Sequential([text, lookup, L.Embedding(V, 5), gru(), L.Dense(V)])
    path = saved(model, tmp_path)
    line = refusal(path, KerasStep)
    assert line == refusal(path, read_network)
    way = line[line.index("(keras.Sequential") : line.index(" and give its")]
    path = saved(eval(way, {"keras": keras, "model": model}), tmp_path)  # what a person would type
    assert OnnxStep(read_network(path)).vocabulary_size == KerasStep(path).vocabulary_size == V


def of_keras_2(path: Path, version: str, change: Callable[[Any], Any] = lambda config: config) -> None:
    """Write the file anew as an older Keras wrote it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["metadata.json"] = json.dumps({"keras_version": version}).encode()
    parts[CONFIG] = json.dumps(change(json.loads(parts[CONFIG]))).encode()
    if version < "2.15":
        with h5py.File(buffer := io.BytesIO(parts[WEIGHTS]), "r+") as file:
            layers = file["layers"]
            for name in list(layers):
                stem, _, number = name.rpartition("_")
                if number.isdigit():
                    layers.move(name, f"{stem}_{2 * int(number)}")
            file.move("layers", "_layer_checkpoint_dependencies")
        parts[WEIGHTS] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def old_nodes(config: Any) -> Any:
    """A functional model's nodes as lists, which Keras 3 does not load."""
    for layer in config["config"]["layers"]:
        layer["inbound_nodes"] = [
            [[*tensor, {}] for tensor in tensors(node["args"])] for node in layer["inbound_nodes"]
        ]
        if "batch_shape" in layer["config"]:
            layer["config"]["batch_input_shape"] = layer["config"].pop("batch_shape")
        if layer["class_name"] in RECURRENT:
            layer["config"]["time_major"] = False
    return config


@pytest.mark.parametrize("version", ["2.13.1", "2.15.0"])
@pytest.mark.parametrize("name", ["time-distributed", "activations", "two-of-a-kind", "one-hot", "softmax"])
def test_files_of_keras_2_are_read(name: str, version: str, tmp_path: Path) -> None:
    model = randomized({
        "time-distributed": lambda: text_model(L.TimeDistributed(L.Dense(8, "relu")), L.TimeDistributed(L.Dense(6))),
        "activations": lambda: text_model(L.Dense(6, "tanh"), L.LeakyReLU(0.2), L.LayerNormalization()),
        "two-of-a-kind": lambda: text_model(lstm(4), gru(5), lstm(3)),
        "one-hot": lambda: chain(lstm(), L.Dense(V), ids=False),
        "softmax": lambda: text_model(L.Dense(V, "softmax")),
    }[name]())  # fmt: skip
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    of_keras_2(path := saved(model, tmp_path), version, old_nodes)
    if name == "softmax":
        assert f"was written by Keras 2 (TensorFlow before 2.16): save it there as {path.stem}.h5, and let" in refusal(
            path, read_network
        )
        assert "was written by Keras 2 (TensorFlow before 2.16)" in refusal(path, KerasStep)
        return
    assert np.abs(logs(np.stack(run(OnnxStep(read_network(path)), ids))) - of_the_whole(model, ids)).max() < 1e-4
    assert refusal(path, KerasStep).endswith("leave out --backend keras, for the fast backend reads it")


def test_keras_2_had_another_hard_sigmoid(tmp_path: Path) -> None:
    model = randomized(
        chain(L.Embedding(V, 5), L.Dense(5, "hard_sigmoid"), gru(recurrent_activation="hard_sigmoid"), L.Dense(V))
    )
    of_keras_2(path := saved(model, tmp_path), "2.15.0", old_nodes)
    assert "whose hard_sigmoid was another: leave out --backend keras" in refusal(path, KerasStep)
    other = chain(
        L.Embedding(V, 5), L.Dense(5), lambda x: ops.clip(0.2 * x + 0.5, 0, 1),
        gru(recurrent_activation=lambda x: ops.clip(0.2 * x + 0.5, 0, 1)), L.Dense(V),
    )  # fmt: skip
    other.set_weights(model.get_weights())
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    assert np.abs(logs(np.stack(run(OnnxStep(read_network(path)), ids))) - of_the_whole(other, ids)).max() < 1e-4


def test_a_file_in_hdf5_is_named(tmp_path: Path) -> None:
    with h5py.File(path := tmp_path / "old.keras", "w") as file:
        file["model_weights"] = 1
    for load in (read_network, KerasStep):
        line = refusal(path, load)
        assert "is an HDF5 file, as Keras 2 (TensorFlow before 2.16) wrote them" in line
        assert f"python -m engine.adopt {path}" in line
