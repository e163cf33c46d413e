"""A pretrained model, to begin from (`--from`) or to learn from (`--teachers`): what it fixes, and rows for new tokens.

Weights follow their token, whatever its id in the new vocabulary. Knows files and arrays, no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelLoadError, TrainingError
from engine.model import directory
from engine.model.network import Array, Dense, Embedding, Network, Normalization, Recurrent
from engine.model.network_reader import read_network
from engine.model.step import fingerprint
from engine.text.vocabulary import Vocabulary
from engine.train.settings import TrainSettings, as_text

_OURS = "--from and --teachers take what it has trained"
EPSILON = 1e-3  # of Keras' LayerNormalization
RATE = 1e-3  # of what begins from a model: a higher one forgets it (docs/results.md)
NEW_SPREAD = 0.1  # of a new token's row around the mean of the old ones, in their own standard deviations


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run records of the model that it began from."""

    name: str
    tokens: int
    sha256: str  # of its weights


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model to begin from or to learn from. `fixed` are the settings that it brings, `word` is how it was named."""

    word: str
    origin: Origin
    vocabulary: Vocabulary
    network: Network
    fixed: dict[str, Any]

    def settings(self, given: Mapping[str, Any], recipe: Mapping[str, Any] | None = None) -> TrainSettings:
        """A command line's settings with those of the model. Raises `ValueError` where they contradict.

        The model's own settings replace those of a preset.
        """
        for name, kept in self.fixed.items():
            if name in given and not self._is_same(name, given[name]):
                raise ValueError(
                    f"--{name} {_flag_text(given[name])}: {self.origin.name} has {_flag_text(kept)}, and what begins "
                    f"--from it keeps that; leave --{name} out"
                )
        if "vocabulary" in given and self.vocabulary.level == "bpe":
            raise ValueError(
                f"--vocabulary {given['vocabulary']}: the byte pairs of {self.origin.name} are kept as they are; "
                "leave --vocabulary out"
            )
        return TrainSettings(**{"rate": RATE, **(recipe or {}), **given, **self.fixed})

    def shape(self, settings: TrainSettings) -> TrainSettings:
        """The settings of a run, but those of this model's network."""
        layers = {"units": tuple(layer.units for layer in self.network.recurrent)}
        return replace(settings, **{**self.fixed, **layers, "tied": False, "init_scale": 0.0})

    def _is_same(self, name: str, given: Any) -> bool:
        if name != "units":
            return bool(given == self.fixed[name])
        widths = tuple(layer.units for layer in self.network.recurrent)
        return (given if isinstance(given, tuple) else (given,) * len(widths)) == widths

    def weights(self, vocabulary: Vocabulary, seed: int) -> list[Array]:
        """All arrays of a network over another vocabulary, as Keras orders them.

        A token that the model knows has its row of the embedding (or the one-hot input's kernel), its column of the
        output and its bias. A new one begins near the mean of them all, with the lowest bias that there is, so that
        it is rare at first and the others are as they were.
        """
        known = {token: index for index, token in enumerate(self.vocabulary.tokens)}
        ids = np.array([known.get(token, -1) for token in vocabulary.tokens])
        rng = np.random.default_rng((seed, len(ids)))
        first, second, last = self.network.layers[0], self.network.layers[1], self.network.layers[-1]
        assert isinstance(first, Embedding)
        assert isinstance(second, Recurrent)
        assert isinstance(last, Dense)
        assert last.bias is not None
        arrays = self.network.weights
        arrays[0] = _grown(second.kernel if first.is_one_hot else first.table, ids, rng)
        arrays[-2] = arrays[0].T if self.fixed["tied"] else _grown(last.kernel.T, ids, rng).T
        arrays[-1] = np.where(ids >= 0, last.bias[ids], last.bias.min()).astype(np.float32)
        return arrays


def check_teachers(teachers: Sequence[Pretrained], given: Mapping[str, Any], student: Pretrained | None) -> None:
    """Raise a `ValueError` unless all teachers, and the student that begins from a model, have the same tokens."""
    if not teachers:
        if "hard_targets" in given:
            raise ValueError("--hard-targets: is for a run with --teachers; name some, or leave it out")
        return
    first, words = teachers[0], [teacher.word for teacher in teachers]
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise ValueError(f"--teachers: {twice} is named twice; once is enough")
    for name in ("level", "split", "vocabulary", "min_count"):
        kept = first.fixed.get(name)
        if name in given and given[name] != kept:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{flag} {given[name]}: a student has the tokens of its teachers ({first.origin.name}: "
                f"{first.vocabulary.level}, {len(first.vocabulary):,} of them); leave --{flag} out"
            )
    for other in [*teachers[1:], *([student] if student else [])]:
        if not _has_same_tokens(other.vocabulary, first.vocabulary):
            raise ValueError(
                f"--teachers: {other.origin.name} and {first.origin.name} have other tokens ({_tokens_of(other)}, "
                f"{_tokens_of(first)}), so they cannot teach one student; take models that were trained on the same "
                "text, or one --from the other"
            )


def _has_same_tokens(one: Vocabulary, other: Vocabulary) -> bool:
    """Whether all text is cut into the same tokens, whatever their ids."""
    first, second = (
        (v.level, v.split if v.level == "word" else "", set(v.tokens), v.unknown, v.merges) for v in (one, other)
    )
    return first == second


def _tokens_of(model: Pretrained) -> str:
    return f"{model.vocabulary.level}, {len(model.vocabulary):,}"


def read(path: str) -> Pretrained:
    """The model of a directory, a file or a name. Raises `ModelLoadError`, or `TrainingError` for a foreign network."""
    files = directory.find(path)
    vocabulary, network = directory.read_vocabulary(files), _read_network(files)
    directory.check_fit(files, vocabulary, network.vocabulary_size)
    digest = fingerprint(network.weights).hex()
    fixed = {"level": vocabulary.level, **_shape(files.name, network)}
    if vocabulary.level == "word":
        fixed["split"] = vocabulary.split
    return Pretrained(path, Origin(files.name, len(vocabulary), digest), vocabulary, network, fixed)


def _read_network(files: directory.ModelFiles) -> Network:
    """Raises `ModelLoadError`, which mentions no flag that training lacks."""
    try:
        return read_network(files.network)
    except ModelLoadError as error:
        message = directory.only_fast(error, "engine.train")
        raise ModelLoadError(message if message == str(error) else f"{message}: {_OURS}") from None


def _grown(rows: Array, ids: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """A row `[N]` for each id: that of `rows [V, N]`, and for -1 one near their mean."""
    near = rows.mean(0) + NEW_SPREAD * rows.std(0) * rng.standard_normal((len(ids), rows.shape[1]))
    grown: Array = np.where(ids[:, None] >= 0, rows[ids], near).astype(np.float32)
    return grown


def _shape(name: str, network: Network) -> dict[str, Any]:
    """The settings that make such a network. Raises `TrainingError` if none do."""
    first, *inner, last = network.layers
    layers = network.recurrent
    normalizations = [layer for layer in inner if isinstance(layer, Normalization)]
    kinds = [Recurrent, Normalization] * len(layers) if normalizations else [Recurrent] * len(layers)
    is_ours = (
        isinstance(first, Embedding) and not first.mask_zero and isinstance(last, Dense) and last.activation == "linear"
        and last.bias is not None and [type(layer) for layer in inner] == kinds
        and len({layer.cell for layer in layers}) == 1 and all(map(_is_plain, layers))
        and all(_is_default(layer) for layer in normalizations)
    )  # fmt: skip
    if not (is_ours and isinstance(first, Embedding) and isinstance(last, Dense)):
        raise TrainingError(f"{name} is no network that engine.train makes: {_OURS}")
    shape: dict[str, Any] = {
        "cell": layers[0].cell,
        "layers": len(layers),
        "units": tuple(layer.units for layer in layers),
        "input": "one-hot" if first.is_one_hot else "embedding",
        "normalization": bool(normalizations),
        "tied": not first.is_one_hot and np.array_equal(first.table.T, last.kernel),
    }
    return shape if first.is_one_hot else {**shape, "embedding": first.table.shape[1]}


def _is_plain(layer: Recurrent) -> bool:
    """Whether a layer is as Keras makes it where nothing else is asked for."""
    gates = "linear" if layer.cell == "rnn" else "sigmoid"
    is_usual = layer.activation == "tanh" and layer.recurrent_activation == gates
    return is_usual and layer.bias is not None and (layer.cell != "gru" or layer.reset_after)


def _is_default(layer: Normalization) -> bool:
    return layer.gamma is not None and layer.beta is not None and layer.epsilon == EPSILON


def _flag_text(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else as_text(value)
