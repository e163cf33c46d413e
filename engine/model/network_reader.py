"""Reads a network from a `.keras` file without Keras. Knows no vocabulary and nothing that runs a network.

Nothing in the file is ever executed, and no link out of it is followed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from engine.model.keras_file import (
    KERAS_2,
    MAX_RATIO,
    MAX_UNPACKED,
    KerasFile,
    UnfitError,
    opened,
    saving_advice,
    tensors,
)
from engine.model.network import Activation, Array, Dense, Embedding, Layer, Network, Normalization, Recurrent
from engine.model.stepwise import IDLE, objection

ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu")
GATES = {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}


def read_network(path: str | Path) -> Network:
    """Read a `.keras` file. Raises `ModelLoadError` that names the file, what is wrong and the remedy."""
    with opened(path) as keras_file:
        if reason := objection(keras_file.config):
            raise UnfitError(reason)
        try:
            with h5py.File(keras_file.weights(), "r") as weights:
                return _Reader(keras_file, weights).network()
        except _UnknownError as error:
            other = (
                f"was written by {KERAS_2}: {saving_advice(path)}" if keras_file.is_keras_2 else "use --backend keras"
            )
            raise UnfitError(f"{error}, which the fast backend does not know: {other}") from None


class _UnknownError(Exception):
    """Something that another backend may know."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A layer of the configuration, and the folder of its arrays."""

    kind: str
    config: Mapping[str, Any]
    folder: str
    is_last: bool = False

    @property
    def name(self) -> str:
        return repr(str(self.config.get("name", self.kind)))

    @property
    def is_idle(self) -> bool:
        """Whether it returns its input."""
        return self.kind in IDLE or (self.kind == "Activation" and self.config["activation"] == "linear")


class _Reader:
    """Turns the layers of a configuration into data, taking each one's arrays from the weights file."""

    def __init__(self, keras_file: KerasFile, weights: h5py.File) -> None:
        self._config, self._is_keras_2, self._weights = keras_file.config, keras_file.is_keras_2, weights
        self._seen: Counter[str] = Counter()

    def network(self) -> Network:
        inner = self._config["config"]
        chain = inner["layers"] if self._config["class_name"] == "Sequential" else _chain(inner)
        entries = list(map(self._entry, chain))
        entries = [entry for entry in entries if not entry.is_idle]
        if entries:
            entries[-1] = replace(entries[-1], is_last=True)
        layers = [layer for entry in entries if (layer := self._layer(entry)) is not None]
        if not layers or not isinstance(layers[0], Embedding):
            layers.insert(0, _one_hot_input(chain, layers))
        elif layers[0].is_one_hot:
            layers[0] = _unit_matrix(len(layers[0].table), layers[1:])
        _check(layers)
        return Network(str(inner["name"]), tuple(layers))

    def _entry(self, layer: Mapping[str, Any]) -> _Entry:
        """Keras numbers the folders of each class in order, not by name; TensorFlow 2.13 counts every layer twice."""
        kind, config = layer["class_name"], layer["config"]
        root, step = ("layers", 1) if "layers" in self._weights else ("_layer_checkpoint_dependencies", 2)
        stem = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()
        index = self._seen[kind]
        self._seen[kind] += step
        folder = f"{root}/{stem}{f'_{index}' if index else ''}"
        if kind == "TimeDistributed":
            return _Entry(config["layer"]["class_name"], config["layer"]["config"], f"{folder}/layer")
        return _Entry(kind, config, folder)

    def _layer(self, entry: _Entry) -> Layer | None:
        if entry.config.get("lora_rank") or entry.config.get("quantization_config"):
            raise _UnknownError(f"has a layer {entry.name} with LoRA or quantization")
        reader = self._READERS.get(entry.kind)
        if reader is None:
            raise _UnknownError(f"has a layer {entry.name} of the class {entry.kind}")
        layer: Layer | None = reader(self, entry)
        return layer

    def _embedding(self, entry: _Entry) -> Layer:
        return Embedding(self._arrays(entry, 1, "vars")[0], mask_zero=bool(entry.config.get("mask_zero")))

    def _one_hot(self, entry: _Entry) -> Layer:
        if entry.kind == "CategoryEncoding" and entry.config.get("output_mode") != "one_hot":
            raise UnfitError(
                f"has a layer {entry.name} whose output is not one-hot: train one with output_mode='one_hot'"
            )
        size = entry.config["num_tokens" if entry.kind == "CategoryEncoding" else "num_classes"]
        return Embedding(np.zeros((int(size), 0), np.float32), is_one_hot=True)  # filled in below

    def _recurrent(self, entry: _Entry) -> Layer:
        kind, config = entry.kind, entry.config
        if config.get("zero_output_for_mask"):
            raise _UnknownError(f"has a layer {entry.name} with zero_output_for_mask")
        kernel, recurrent, *bias = self._arrays(entry, 2 + bool(config["use_bias"]), "cell/vars")
        width = GATES[kind] * int(config["units"])
        reset_after = bool(config.get("reset_after", kind == "GRU"))
        bias_shape = (2, width) if kind == "GRU" and reset_after else (width,)
        if kernel.shape[1:] != (width,) or recurrent.shape != (width // GATES[kind], width):
            raise UnfitError(f"layer {entry.name}: its weights do not fit its {config['units']} units")
        if bias and bias[0].shape != bias_shape:
            raise UnfitError(f"layer {entry.name}: its bias has the shape {bias[0].shape}, not {bias_shape}")
        return Recurrent(
            {"GRU": "gru", "LSTM": "lstm", "SimpleRNN": "rnn"}[kind],
            kernel, recurrent, bias[0] if bias else None,
            self._activation(entry, "activation"),
            self._activation(entry, "recurrent_activation") if kind != "SimpleRNN" else "linear",
            reset_after,
        )  # fmt: skip

    def _normalization(self, entry: _Entry) -> Layer:
        config = entry.config
        if config.get("rms_scaling"):
            raise _UnknownError(f"has a layer {entry.name} with rms_scaling")
        arrays = self._arrays(entry, bool(config["scale"]) + bool(config["center"]), "vars")
        gamma = arrays.pop(0) if config["scale"] else None
        return Normalization(gamma, arrays.pop(0) if config["center"] else None, float(config["epsilon"]))

    def _dense(self, entry: _Entry) -> Layer:
        kernel, *bias = self._arrays(entry, 1 + bool(entry.config["use_bias"]), "vars")
        is_softmax = entry.is_last and entry.config["activation"] in ("softmax", "log_softmax")
        return Dense(kernel, bias[0] if bias else None, "linear" if is_softmax else self._activation(entry))

    def _pointwise(self, entry: _Entry) -> Layer | None:
        """A layer of a function alone; a softmax at the end is left out."""
        config = entry.config
        if entry.kind == "Activation" and not (entry.is_last and config["activation"] in ("softmax", "log_softmax")):
            return Activation(self._activation(entry))
        if entry.kind == "LeakyReLU":
            return Activation("leaky_relu", float(config.get("negative_slope", config.get("alpha"))))
        if entry.kind == "ReLU" and config.get("max_value") is None and not config.get("threshold"):
            return Activation("leaky_relu", float(config.get("negative_slope") or 0.0))
        if entry.kind == "ELU" and config.get("alpha", 1.0) == 1.0:
            return Activation("elu")
        if entry.kind in ("Activation", "Softmax") and entry.is_last:
            return None
        raise _UnknownError(f"has a layer {entry.name} of the class {entry.kind} in this place or with these settings")

    def _masking(self, entry: _Entry) -> None:
        """One-hot vectors are never masked: they have a 1 and a 0."""
        if self._seen["Embedding"]:
            raise _UnknownError(f"has a layer {entry.name} of the class Masking after an Embedding")

    def _activation(self, entry: _Entry, key: str = "activation") -> str:
        name = entry.config[key]
        if name not in ACTIVATIONS:
            raise _UnknownError(f"has a layer {entry.name} with {key} {name!r}")
        return "keras_2_hard_sigmoid" if self._is_keras_2 and name == "hard_sigmoid" else str(name)

    def _arrays(self, entry: _Entry, count: int, group: str) -> list[Array]:
        return [self._array(f"{entry.folder}/{group}/{number}", entry.name) for number in range(count)]

    def _array(self, path: str, layer: str) -> Array:
        group: Any = self._weights
        for part in path.split("/"):
            if not isinstance(group.get(part, getlink=True), h5py.HardLink):
                raise UnfitError(f"has no weights for its layer {layer}: save or copy it again")
            group = group[part]
        if not isinstance(group, h5py.Dataset) or group.is_virtual or group.external:
            raise UnfitError(f"keeps the weights of its layer {layer} outside of the file: save it again")
        if group.nbytes > MAX_UNPACKED + MAX_RATIO * group.id.get_storage_size():
            raise UnfitError(f"layer {layer}: its weights take no room in the file: save or copy it again")
        is_bfloat16 = group.dtype.kind == "V" and group.dtype.itemsize == 2  # which HDF5 has no type for
        if not (group.dtype.kind == "f" or is_bfloat16) or not 1 <= group.ndim <= 2:
            raise UnfitError(f"layer {layer}: its weights are no matrices of numbers")
        data = group[()]
        if is_bfloat16:
            data = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        array = np.ascontiguousarray(data, dtype=np.float32)
        if not np.isfinite(array).all():
            raise UnfitError(f"layer {layer}: its weights have values that are no numbers; train it again")
        return array

    _READERS: ClassVar[dict[str, Any]] = {
        "Embedding": _embedding, "OneHot": _one_hot, "CategoryEncoding": _one_hot, "Masking": _masking,
        "GRU": _recurrent, "LSTM": _recurrent, "SimpleRNN": _recurrent,
        "LayerNormalization": _normalization, "Dense": _dense,
        "Activation": _pointwise, "Softmax": _pointwise, "ReLU": _pointwise, "LeakyReLU": _pointwise, "ELU": _pointwise,
    }  # fmt: skip


def _chain(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of a functional model from its one input to its one output; more than a chain is an error."""
    after: dict[str, list[Mapping[str, Any]]] = {}
    start, masks = None, _masks(config["layers"])
    for entry in config["layers"]:
        sources = [source for source in tensors(entry["inbound_nodes"]) if source[0] not in masks]
        if entry["name"] in masks:
            continue
        if not sources and entry["class_name"] == "InputLayer" and start is None:
            start = entry
        elif len(entry["inbound_nodes"]) != 1 or len(sources) != 1 or sources[0][1:] != [0, 0]:
            raise _UnknownError(f"its layer {entry['name']!r} is not part of a simple chain")
        else:
            after.setdefault(sources[0][0], []).append(entry)
    chain = [] if start is None else [start]
    while chain and (following := after.pop(chain[-1]["name"], [])):
        if len(following) > 1:
            raise _UnknownError(f"it branches after its layer {chain[-1]['name']!r}")
        chain += following
    if not chain or after or chain[-1]["name"] not in str(config["output_layers"]):
        raise _UnknownError("is no single chain from one input to one output")
    return chain


def _masks(layers: Sequence[Mapping[str, Any]]) -> set[str]:
    """The operations that Keras writes beside the layers for mask_zero, and for Masking over one-hot vectors.

    Those have a 1 and a 0, so that whatever is masked, they are not.
    """
    mask_zero = any(layer["class_name"] == "Embedding" and layer["config"].get("mask_zero") for layer in layers)
    kinds = {layer["class_name"] for layer in layers}
    is_one_hot = "Masking" in kinds and not kinds & {"Embedding", "OneHot", "CategoryEncoding"}
    inputs = {layer["name"] for layer in layers if layer["class_name"] == "InputLayer"}
    masks: set[str] = set()
    for layer in layers:
        sources = {source[0] for source in tensors(layer["inbound_nodes"])}
        if layer["class_name"] == "NotEqual" and sources and sources <= inputs:
            if is_one_hot or (mask_zero and layer["inbound_nodes"][0]["args"][1:] == [0]):
                masks.add(layer["name"])
        elif layer["class_name"] == "Any" and is_one_hot and sources and sources <= masks:
            masks.add(layer["name"])
    return masks


def _one_hot_input(chain: Sequence[Mapping[str, Any]], layers: Sequence[Layer]) -> Embedding:
    """For a model whose input is one-hot already, `[B, T, V]`."""
    if not layers or not isinstance(layers[0], Recurrent | Dense):
        raise UnfitError("begins with neither an Embedding nor a recurrent layer over one-hot input")
    config = chain[0]["config"]
    shape = config.get("batch_shape") or config.get("batch_input_shape") or []
    if len(shape) != 3:
        raise UnfitError("its input is neither token ids nor one-hot vectors")
    return _unit_matrix(shape[2], layers)


def _unit_matrix(size: int, layers: Sequence[Layer]) -> Embedding:
    """One-hot vectors of a size that the layer after them takes."""
    rows = len(layers[0].kernel) if layers and isinstance(layers[0], Recurrent | Dense) else -1
    if size != rows:
        raise UnfitError("its input is neither token ids nor one-hot vectors that fit its first layer")
    return Embedding(np.eye(rows, dtype=np.float32), is_one_hot=True)


def _check(layers: Sequence[Layer]) -> None:
    """Each layer must take what the one before it gives, and the chain must end in a logit for every id."""
    if not any(isinstance(layer, Recurrent) for layer in layers) or not isinstance(layers[-1], Dense):
        raise UnfitError("must have recurrent layers and a Dense layer at its end")
    first = layers[0]
    width = first.table.shape[-1] if isinstance(first, Embedding) else 0
    for number, layer in enumerate(layers[1:], 2):
        inputs, outputs = _widths(layer, width)
        if inputs != width:
            raise UnfitError(f"its layer {number} takes {inputs} inputs but the one before gives {width}")
        width = outputs
    rows = len(first.table) if isinstance(first, Embedding) else 0
    if width != rows and isinstance(first, Embedding) and first.is_one_hot:
        raise UnfitError(f"its input is neither token ids nor one-hot vectors of its {width} tokens")
    if width != rows:
        raise UnfitError(f"takes {rows} token ids but gives {width} logits: it must give one for every token")


def _widths(layer: Layer, width: int) -> tuple[int, int]:
    if isinstance(layer, Recurrent):
        return len(layer.kernel), layer.units
    if isinstance(layer, Dense):
        if layer.bias is not None and layer.bias.shape != layer.kernel.shape[1:]:
            raise UnfitError("has a Dense layer whose bias does not fit its kernel")
        return layer.kernel.shape
    if isinstance(layer, Activation):
        return width, width
    if isinstance(layer, Normalization):
        given = [len(array) for array in (layer.gamma, layer.beta) if array is not None]
        return (given[0] if given else width), width
    raise UnfitError("has an Embedding after its first layer")
