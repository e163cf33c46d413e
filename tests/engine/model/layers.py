"""Models of each kind of layer that a backend takes, and what Keras gives for a whole text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ModelLoadError
from tests.keras_models import V, chain, softmax

import keras  # isort: skip
import tensorflow as tf  # isort: skip

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


def refusal(path: Path, load: Callable[[Path], Any]) -> str:
    with pytest.raises(ModelLoadError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 420
    return message
