"""What a trained network is, as data: its layers and weights, read from a `.keras` file without Keras.

A `.keras` file is a zip of `config.json` (the layers) and `model.weights.h5` (their arrays). Both are only read:
nothing in them is ever executed, no class is looked up by name, no link out of the file is followed.
Knows no vocabulary and nothing that runs a network.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelLoadError

Array = NDArray[np.float32]

MAX_UNPACKED, MAX_RATIO = 16 << 20, 20  # bytes that a file may unpack to, beside this many times its own size
WEIGHTS, CONFIG = "model.weights.h5", "config.json"
PASSED_OVER = {
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
}  # fmt: skip  # layers that do nothing but in training
ACTIVATIONS = ("linear", "tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "elu")
GATES = {"GRU": 3, "LSTM": 4, "SimpleRNN": 1}


@dataclass(frozen=True, slots=True)
class Embedding:
    """A row a token: `table [V, E]`; a one-hot input is the unit matrix."""

    table: Array
    is_one_hot: bool = False


@dataclass(frozen=True, slots=True)
class Recurrent:
    """A recurrent layer in Keras' layout, gates side by side: GRU z, r, c; LSTM i, f, c, o; SimpleRNN one.

    `kernel [I, G*H]`, `recurrent [H, G*H]`, `bias` None, `[G*H]`, or `[2, G*H]` (GRU with `reset_after`).
    """

    cell: str  # "gru", "lstm" or "rnn"
    kernel: Array
    recurrent: Array
    bias: Array | None
    activation: str
    recurrent_activation: str
    reset_after: bool

    @property
    def units(self) -> int:
        """H."""
        return len(self.recurrent)

    @property
    def is_bounded(self) -> bool:
        """Whether its outputs always lie within [-1, 1]."""
        gates = self.cell == "rnn" or self.recurrent_activation in ("sigmoid", "hard_sigmoid")
        return gates and self.activation in ("tanh", "sigmoid", "hard_sigmoid", "softsign")

    @property
    def state_size(self) -> int:
        """Floats of state: H, or 2H for an LSTM (hidden state, then cell state)."""
        return self.units * (2 if self.cell == "lstm" else 1)


@dataclass(frozen=True, slots=True)
class Normalization:
    """Layer normalization over the last axis (Ba et al. 2016)."""

    gamma: Array | None
    beta: Array | None
    epsilon: float


@dataclass(frozen=True, slots=True)
class Dense:
    """`x kernel + bias`, then the activation."""

    kernel: Array
    bias: Array | None
    activation: str


Layer = Embedding | Recurrent | Normalization | Dense


@dataclass(frozen=True, slots=True)
class Network:
    """A chain of layers from token ids to logits; a softmax at its end has been left out."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def recurrent(self) -> tuple[Recurrent, ...]:
        """The layers that have state, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def state_size(self) -> int:
        """S: floats of state of one conversation."""
        return sum(layer.state_size for layer in self.recurrent)

    @property
    def weights(self) -> list[Array]:
        """All trained arrays, as Keras orders them; a one-hot input has none."""
        return [
            array
            for layer in self.layers
            if not (isinstance(layer, Embedding) and layer.is_one_hot)
            for name in ("table", "kernel", "recurrent", "bias", "gamma", "beta")
            if (array := getattr(layer, name, None)) is not None
        ]

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(array.size for array in self.weights)

    @property
    def vocabulary_size(self) -> int:
        """V: ids taken, which is also the number of logits."""
        return len(self.layers[0].table) if isinstance(self.layers[0], Embedding) else 0


def read_network(path: str | Path) -> Network:
    """Read a `.keras` file. Raises `ModelLoadError` that names the file, what is wrong and the mend."""
    try:
        limit = MAX_UNPACKED + MAX_RATIO * Path(path).stat().st_size
        with zipfile.ZipFile(path) as archive:
            config = json.loads(_member(archive, CONFIG, limit))
            weights = io.BytesIO(_member(archive, WEIGHTS, limit))
        with h5py.File(weights, "r") as file:
            return _Reader(file).network(config)
    except FileNotFoundError:
        raise ModelLoadError(f"{path}: no such file") from None
    except _UnfitError as error:
        raise ModelLoadError(f"{path}: {error}") from None
    except zipfile.BadZipFile:
        raise ModelLoadError(
            f"{path} is not a whole .keras file: save or copy it again (a .h5 or SavedModel must be saved as .keras)"
        ) from None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror or 'its weights are damaged'}") from None
    except (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
            lzma.LZMAError, zlib.error):  # fmt: skip  # whatever damaged bytes make of the readers
        raise ModelLoadError(f"{path} is damaged or no Keras 3 model: save or copy it again") from None


class _UnfitError(Exception):
    """A network that this module cannot read, told without the file's name."""


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise _UnfitError(f"has no {name}, so it is no Keras 3 model: save it as .keras") from None
    if info.file_size > limit:
        raise _UnfitError(f"{name} would take {info.file_size:,} bytes, more than the {limit:,} that are read")
    return archive.read(info)


class _Reader:
    """Turns the layers of a configuration into data, taking each one's arrays from the weights file."""

    def __init__(self, weights: h5py.File) -> None:
        self._weights = weights
        self._seen: Counter[str] = Counter()

    def network(self, config: Mapping[str, Any]) -> Network:
        kind, inner = config["class_name"], config["config"]
        if kind not in ("Sequential", "Functional"):
            raise _UnfitError(
                f"is a model of the class {kind}; only Sequential and Functional models can be read without "
                "running their code: build it as one of them and save it again, or try --backend keras"
            )
        chain = inner["layers"] if kind == "Sequential" else _chain(inner)
        layers = list(self._layers(chain))
        if not layers or not isinstance(layers[0], Embedding):
            layers.insert(0, _one_hot_input(chain, layers))
        elif layers[0].is_one_hot:
            layers[0] = _unit_matrix(len(layers[0].table), layers[1:])
        _check(layers)
        return Network(str(inner["name"]), tuple(layers))

    def _layers(self, chain: Sequence[Mapping[str, Any]]) -> Iterator[Layer]:
        last = len(chain) - 1
        for index, entry in enumerate(chain):
            kind, config = entry["class_name"], entry["config"]
            if kind in PASSED_OVER:
                continue
            reader = self._READERS.get(kind)
            if reader is None or entry.get("registered_name") not in (None, kind):
                raise _UnfitError(f"has a layer {config.get('name', kind)!r} of the class {kind}, which {_OTHER}")
            layer = reader(self, kind, config, index == last)
            if layer is not None:
                yield layer

    def _embedding(self, kind: str, config: Mapping[str, Any], is_last: bool) -> Layer:
        if config.get("mask_zero"):
            raise _UnfitError(f"has a layer {config['name']!r} with mask_zero, which {_OTHER}")
        if config.get("lora_rank") or config.get("quantization_config"):
            raise _UnfitError(f"has a layer {config['name']!r} with LoRA or quantization, which {_OTHER}")
        return Embedding(self._arrays(kind, config, 1, "vars")[0])

    def _one_hot(self, kind: str, config: Mapping[str, Any], is_last: bool) -> Layer:
        if kind == "CategoryEncoding" and config.get("output_mode") != "one_hot":
            raise _UnfitError(f"has a layer {config['name']!r} whose output is not one-hot, which {_OTHER}")
        size = config["num_tokens" if kind == "CategoryEncoding" else "num_classes"]
        return Embedding(np.zeros((int(size), 0), np.float32), is_one_hot=True)  # filled in below

    def _recurrent(self, kind: str, config: Mapping[str, Any], is_last: bool) -> Layer:
        if config.get("go_backwards"):
            raise _UnfitError(f"has a layer {config['name']!r} that reads backwards: such a model cannot write")
        kernel, recurrent, *bias = self._arrays(kind, config, 2 + bool(config["use_bias"]), "cell/vars")
        width = GATES[kind] * int(config["units"])
        reset_after = bool(config.get("reset_after", kind == "GRU"))
        bias_shape = (2, width) if kind == "GRU" and reset_after else (width,)
        if kernel.shape[1:] != (width,) or recurrent.shape != (width // GATES[kind], width):
            raise _UnfitError(f"layer {config['name']!r}: its weights do not fit its {config['units']} units")
        if bias and bias[0].shape != bias_shape:
            raise _UnfitError(f"layer {config['name']!r}: its bias has the shape {bias[0].shape}, not {bias_shape}")
        return Recurrent(
            {"GRU": "gru", "LSTM": "lstm", "SimpleRNN": "rnn"}[kind],
            kernel, recurrent, bias[0] if bias else None,
            _activation(config, "activation"),
            _activation(config, "recurrent_activation") if kind != "SimpleRNN" else "linear",
            reset_after,
        )  # fmt: skip

    def _normalization(self, kind: str, config: Mapping[str, Any], is_last: bool) -> Layer:
        if config["axis"] not in (-1, [-1], 2, [2]) or config.get("rms_scaling"):
            raise _UnfitError(f"has a layer {config['name']!r} not over the last axis alone, which {_OTHER}")
        arrays = self._arrays(kind, config, bool(config["scale"]) + bool(config["center"]), "vars")
        gamma = arrays.pop(0) if config["scale"] else None
        return Normalization(gamma, arrays.pop(0) if config["center"] else None, float(config["epsilon"]))

    def _dense(self, kind: str, config: Mapping[str, Any], is_last: bool) -> Layer:
        if config.get("lora_rank") or config.get("quantization_config"):
            raise _UnfitError(f"has a layer {config['name']!r} with LoRA or quantization, which {_OTHER}")
        kernel, *bias = self._arrays(kind, config, 1 + bool(config["use_bias"]), "vars")
        softmax = is_last and config["activation"] == "softmax"
        return Dense(kernel, bias[0] if bias else None, "linear" if softmax else _activation(config, "activation"))

    def _softmax(self, kind: str, config: Mapping[str, Any], is_last: bool) -> None:
        if not is_last or (kind == "Activation" and config["activation"] not in ("softmax", "linear")):
            raise _UnfitError(f"has a layer {config['name']!r} of the class {kind} in this place, which {_OTHER}")

    def _arrays(self, kind: str, config: Mapping[str, Any], count: int, place: str) -> list[Array]:
        """The arrays of the next layer of this class: Keras numbers them in order, not by name."""
        stem = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()
        index = self._seen[kind]
        self._seen[kind] += 1
        folder = f"layers/{stem}{f'_{index}' if index else ''}/{place}"
        return [self._array(f"{folder}/{number}", config["name"]) for number in range(count)]

    def _array(self, path: str, layer: str) -> Array:
        group: Any = self._weights
        for part in path.split("/"):
            if not isinstance(group.get(part, getlink=True), h5py.HardLink):
                raise _UnfitError(f"has no weights for its layer {layer!r}: save or copy it again")
            group = group[part]
        if not isinstance(group, h5py.Dataset) or group.is_virtual or group.external:
            raise _UnfitError(f"keeps the weights of its layer {layer!r} outside of the file: save it again")
        if group.nbytes > MAX_UNPACKED + MAX_RATIO * group.id.get_storage_size():
            raise _UnfitError(f"layer {layer!r}: its weights take no room in the file: save or copy it again")
        if group.dtype.kind != "f" or not 1 <= group.ndim <= 2:
            raise _UnfitError(f"layer {layer!r}: its weights are no matrices of numbers")
        array = np.ascontiguousarray(group[()], dtype=np.float32)
        if not np.isfinite(array).all():
            raise _UnfitError(f"layer {layer!r}: its weights have values that are no numbers; train it again")
        return array

    _READERS: ClassVar[dict[str, Any]] = {
        "Embedding": _embedding, "OneHot": _one_hot, "CategoryEncoding": _one_hot,
        "GRU": _recurrent, "LSTM": _recurrent, "SimpleRNN": _recurrent,
        "LayerNormalization": _normalization, "Dense": _dense, "Softmax": _softmax, "Activation": _softmax,
    }  # fmt: skip


_OTHER = "the fast backend does not know: use --backend keras"


def _activation(config: Mapping[str, Any], key: str) -> str:
    name = config[key]
    if name not in ACTIVATIONS:
        raise _UnfitError(f"has a layer {config['name']!r} with {key} {name!r}, which {_OTHER}")
    return str(name)


def _chain(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of a functional model from its one input to its one output; more than a chain is an error."""
    after: dict[str, list[Mapping[str, Any]]] = {}
    start = None
    for entry in config["layers"]:
        sources = list(_tensors(entry["inbound_nodes"]))
        if not sources and entry["class_name"] == "InputLayer" and start is None:
            start = entry
        elif len(entry["inbound_nodes"]) != 1 or len(sources) != 1 or sources[0][1:] != [0, 0]:
            raise _UnfitError(f"its layer {entry['name']!r} is not part of a simple chain, which {_OTHER}")
        else:
            after.setdefault(sources[0][0], []).append(entry)
    chain = [] if start is None else [start]
    while chain and (following := after.pop(chain[-1]["name"], [])):
        if len(following) > 1:
            raise _UnfitError(f"it branches after its layer {chain[-1]['name']!r}, which {_OTHER}")
        chain += following
    if not chain or after or chain[-1]["name"] not in str(config["output_layers"]):
        raise _UnfitError(f"is no single chain from one input to one output, which {_OTHER}")
    return chain


def _tensors(node: Any) -> Iterator[list[Any]]:
    """The `[layer, node, index]` of every tensor that goes into a functional layer."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            yield list(node["config"]["keras_history"])
            return
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _tensors(inner)


def _one_hot_input(chain: Sequence[Mapping[str, Any]], layers: Sequence[Layer]) -> Embedding:
    """For a model whose input is one-hot already, `[B, T, V]`."""
    if not layers or not isinstance(layers[0], Recurrent):
        raise _UnfitError("begins with neither an Embedding nor a recurrent layer over one-hot input")
    shape = chain[0]["config"].get("batch_shape") or []
    if len(shape) != 3:
        raise _UnfitError("its input is neither token ids nor one-hot vectors")
    return _unit_matrix(shape[2], layers)


def _unit_matrix(size: int, layers: Sequence[Layer]) -> Embedding:
    """One-hot vectors of a size that the layer after them takes."""
    rows = len(layers[0].kernel) if layers and isinstance(layers[0], Recurrent | Dense) else -1
    if size != rows:
        raise _UnfitError("its input is neither token ids nor one-hot vectors that fit its first layer")
    return Embedding(np.eye(rows, dtype=np.float32), is_one_hot=True)


def _check(layers: Sequence[Layer]) -> None:
    """Each layer must take what the one before it gives, and the chain must end in a logit for every id."""
    if not any(isinstance(layer, Recurrent) for layer in layers) or not isinstance(layers[-1], Dense):
        raise _UnfitError("must have recurrent layers and a Dense layer at its end")
    first = layers[0]
    width = first.table.shape[-1] if isinstance(first, Embedding) else 0
    for number, layer in enumerate(layers[1:], 2):
        inputs, outputs = _widths(layer, width)
        if inputs != width:
            raise _UnfitError(f"its layer {number} takes {inputs} inputs but the one before gives {width}")
        width = outputs
    rows = len(first.table) if isinstance(first, Embedding) else 0
    if width != rows:
        raise _UnfitError(f"takes {rows} token ids but gives {width} logits: it must give one for every token")


def _widths(layer: Layer, width: int) -> tuple[int, int]:
    if isinstance(layer, Recurrent):
        return len(layer.kernel), layer.units
    if isinstance(layer, Dense):
        if layer.bias is not None and layer.bias.shape != layer.kernel.shape[1:]:
            raise _UnfitError("has a Dense layer whose bias does not fit its kernel")
        return layer.kernel.shape
    if isinstance(layer, Normalization):
        given = [len(array) for array in (layer.gamma, layer.beta) if array is not None]
        return (given[0] if given else width), width
    raise _UnfitError("has an Embedding after its first layer")
