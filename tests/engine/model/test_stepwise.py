"""Each kind of layer that looks at other time steps is refused by name, in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ModelLoadError
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.stepwise import CELLS, LAYERS, OPERATIONS, RECURRENT
from tests.engine.model.layers import (
    BY_BOTH,
    BY_KERAS,
    FIXED,
    L,
    gru,
    ops,
    refusal,
    saved,
)
from tests.keras_models import V

import keras  # isort: skip
from engine.model.keras_step import KerasStep  # isort: skip


def kinds(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if str(node.get("module", "")).startswith("keras"):
            yield node["class_name"]
        node = list(node.values())
    for inner in node if isinstance(node, list) else []:
        yield from kinds(inner)


@pytest.mark.filterwarnings("ignore:Layer 'seq:UserWarning")
def test_every_kind_that_is_taken_is_compared_with_keras() -> None:
    compared = {
        kind for make in [*BY_BOTH.values(), *BY_KERAS.values()] for kind in kinds(json.loads(make().to_json()))
    }
    assert LAYERS | OPERATIONS | RECURRENT | CELLS | {"RNN", "TimeDistributed", "StackedRNNCells"} <= compared


def attended(x: Any) -> Any:
    return L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)


@keras.saving.register_keras_serializable("mine")
class OwnCell(L.SimpleRNNCell):  # type: ignore[misc]
    """A cell that nobody knows."""


@keras.saving.register_keras_serializable("mine")
class Dense(L.Dense):  # type: ignore[misc]
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
