"""Which layers a network may have: recurrent ones, and those that look at their own time step alone.

A text is read token by token. A layer that looks at other steps (attention, convolution, pooling, reading backwards)
would then give something else than for the whole text, so every class that is not listed is refused. Knows a model's
configuration alone, and no Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

IDLE = {
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity",
}  # fmt: skip  # layers that do nothing but in training
LAYERS = IDLE | {
    "Embedding", "ReversibleEmbedding", "OneHot", "CategoryEncoding", "Masking", "Dense", "Rescaling",
    "Activation", "Softmax", "ReLU", "LeakyReLU", "PReLU", "ELU",
    "LayerNormalization", "BatchNormalization", "RMSNormalization", "UnitNormalization",
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate",
}  # fmt: skip
OPERATIONS = {
    "Absolute", "Cast", "Divide", "Elu", "Exp", "Gelu", "HardSigmoid", "HardSilu", "LeakyRelu", "Log", "LogSoftmax",
    "Negative", "Relu", "Relu6", "Sigmoid", "Silu", "Softplus", "Softsign", "Sqrt", "Square", "Tanh", "TrueDivide",
    "Any", "ExpandDims", "LogicalOr", "NotEqual", "OnesLike", "ZerosLike",
}  # fmt: skip  # what a functional model calls by keras.ops, or by + - * /; the last line makes masks
RECURRENT = {"GRU", "LSTM", "SimpleRNN"}
CELLS = {"GRUCell", "LSTMCell", "SimpleRNNCell"}
TEXT_IN = {"StringLookup", "IntegerLookup", "TextVectorization", "Hashing"}
CANNOT = "such a model cannot write"


def objection(config: Mapping[str, Any]) -> str | None:
    """Why a model cannot be run token by token, named by its first layer that forbids it; None if nothing does."""
    kind = config["class_name"]
    if kind not in ("Sequential", "Functional"):
        return (
            f"is a model of the class {_plain(kind)}; only Sequential and Functional models can be read without "
            "running their code: build it as one of them and save it again"
        )
    return _first(config["config"]["layers"], is_inside=False)


def _first(layers: list[Mapping[str, Any]], is_inside: bool) -> str | None:
    return next((line for layer in layers if (line := _objection(layer, is_inside))), None)


def _objection(layer: Mapping[str, Any], is_inside: bool) -> str | None:
    """`is_inside`: within a TimeDistributed or a stack of cells, where no time is left."""
    kind, config = layer["class_name"], layer["config"]
    what = f"has a layer '{_plain(config.get('name', kind))}' of the class {_plain(kind)}"
    if not _is_stock(layer):
        return f"{what}, which is not one of Keras' own: {CANNOT}; train one of stock layers"
    if kind in ("Sequential", "Functional"):
        return _first(config["layers"], is_inside)
    if kind == "TimeDistributed":
        return _objection(config["layer"], is_inside=True)
    if kind in TEXT_IN:
        return (
            f"{what}, which takes text, not token ids: save the model without it (keras.Sequential([keras.Input("
            "(None,), dtype='int32'), *model.layers[1:]])) and give its get_vocabulary() to engine.adopt --tokens"
        )
    if not is_inside and (kind in RECURRENT or (kind == "RNN" and _has_known_cells(config["cell"]))):
        if config.get("go_backwards"):
            return f"has a layer '{_plain(config['name'])}' that reads backwards: {CANNOT}; train one without it"
        return "has a layer with time_major, which Keras 3 does not know" if config.get("time_major") else None
    if kind not in LAYERS | OPERATIONS or (kind == "PReLU" and 1 not in (config.get("shared_axes") or [])):
        return f"{what}, which may look at other time steps than its own: {CANNOT}; train one without it"
    if config.get("axis", -1) not in (-1, [-1], 2, [2]):
        return f"{what} that is not over the last axis, so it looks at other time steps than its own: {CANNOT}"
    return None


def _plain(name: object) -> str:
    """A name out of a file, short and without control characters."""
    return repr(str(name)[:60])[1:-1]


def _has_known_cells(cell: Mapping[str, Any]) -> bool:
    if cell["class_name"] == "StackedRNNCells" and _is_stock(cell):
        return all(map(_has_known_cells, cell["config"]["cells"]))
    return cell["class_name"] in CELLS and _is_stock(cell)


def _is_stock(layer: Mapping[str, Any]) -> bool:
    module = layer.get("module") or "keras"
    return module.split(".")[0] == "keras" and layer.get("registered_name") in (None, layer["class_name"])
