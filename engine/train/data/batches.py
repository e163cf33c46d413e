"""What is read in one update: contiguous lanes, shuffled windows, or a line a row. Plain NumPy, no TensorFlow.

"lanes": the state is carried from update to update, and begins anew where `--reset` says.
"windows": independent pieces of `--steps` tokens in another order each epoch, each from the zero state.
"lines": rows of a line each, in another order each epoch, from the zero state; what is too short is padded.

All of it follows from the settings, the text and the epoch's number alone, so that a resumed run reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.train.data.boundaries import Indices, among
from engine.train.data.corpus import Corpus, Ids
from engine.train.settings import TrainSettings

SHAPES = 4  # a batch of lines has a quarter of --steps, or two, three, all: no more shapes than that to compile for
SHUFFLING = 1  # with the seed and the epoch, so that the order and the offset are independent


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one update. Targets are one token ahead of the inputs."""

    inputs: NDArray[np.int32]  # [T, B]
    targets: NDArray[np.int32]  # [T, B]
    keep: NDArray[np.float32] | None = None  # [T, B], 0 where the state begins anew before an input; None for nowhere
    weights: NDArray[np.float32] | None = None  # [T, B], 0 where a target is padding; None for nowhere


class Sequences(Protocol):
    """A way to cut a text into batches."""

    batch: int  # rows of an update, B
    is_carried: bool  # whether a row goes on from the state that the same row of the update before it ended with

    @property
    def tokens_an_update(self) -> int:
        """How many tokens an update learns from, without padding."""
        ...

    def count(self, epoch: int) -> int:
        """How many updates an epoch has."""
        ...

    def read(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        ...


def make_sequences(settings: TrainSettings, corpus: Corpus) -> Sequences:
    """The sequences that the settings ask for. Raises `TrainingError` if the text has no such lines."""
    ids = corpus.training
    if settings.sequences == "windows":
        return Windows(ids, settings)
    if settings.sequences == "lines":
        return Lines(ids, settings, _some(corpus.boundaries("line"), "sequences", "lines", "line ends"))
    if settings.reset == "never":
        return Lanes(ids, settings)
    anew = corpus.boundaries(settings.reset)
    if settings.reset != "file":
        anew = _some(anew, "reset", settings.reset, "blank lines" if settings.reset == "blank" else "line ends")
    return Lanes(ids, settings, anew)


def of_batch(settings: TrainSettings, corpus: Corpus) -> TrainSettings:
    """The settings with `batch` lowered to the rows that the text can fill."""
    return replace(settings, batch=make_sequences(settings, corpus).batch)


def _some(boundaries: Indices, name: str, value: str, what: str) -> Indices:
    if not len(boundaries):
        plain = getattr(TrainSettings(), name)
        raise TrainingError(f"--{name} {value}: the text to learn from has no {what}; take --{name} {plain}")
    return boundaries


def _offset(settings: TrainSettings, epoch: int) -> int:
    return epoch_offset(settings.seed, epoch, settings.steps)


def _shuffled(settings: TrainSettings, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((settings.seed, epoch, SHUFFLING)).permutation(count)


def _take(ids: Ids, indices: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The inputs at some indices `[T, B]`, and their targets."""
    return ids[indices].astype(np.int32), ids[indices + 1].astype(np.int32)


def lane_count(tokens: int, batch: int, steps: int) -> int:
    """The number of lanes: `batch`, or fewer if the text is too short to fill each with one chunk."""
    return max(1, min(batch, (tokens - 1) // (steps + 1)))


def epoch_offset(seed: int, epoch: int, steps: int) -> int:
    """Where the first lane of an epoch begins: drawn from [0, steps) by the seed and the epoch."""
    return int(np.random.default_rng((seed, epoch)).integers(steps))


def chunk_count(tokens: int, batch: int, steps: int, offset: int) -> int:
    """How many chunks of `steps` tokens each lane has."""
    return (tokens - 1 - offset) // batch // steps


def lane_begins(tokens: int, batch: int, offset: int) -> NDArray[np.int64]:
    """The index of each lane's first token `[B]`."""
    return offset + np.arange(batch, dtype=np.int64) * ((tokens - 1 - offset) // batch)


def chunks(
    ids: Ids, batch: int, steps: int, offset: int, start: int = 0
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """The inputs and targets `[T, B]` of an epoch, from chunk `start` on; targets are one token ahead."""
    count = chunk_count(len(ids), batch, steps, offset)
    length = (len(ids) - 1 - offset) // batch
    lanes = ids[offset : offset + batch * length].reshape(batch, length)  # [B, length]
    ahead = ids[offset + 1 : offset + 1 + batch * length].reshape(batch, length)
    for index in range(start, count):
        here = slice(index * steps, (index + 1) * steps)
        yield np.ascontiguousarray(lanes[:, here].T, np.int32), np.ascontiguousarray(ahead[:, here].T, np.int32)


class Lanes:
    """Equal contiguous parts of the text, side by side; the state begins anew at the indices `anew`."""

    is_carried = True

    def __init__(self, ids: Ids, settings: TrainSettings, anew: Indices | None = None) -> None:
        self.batch = lane_count(len(ids), settings.batch, settings.steps)
        self._ids, self._settings, self._anew = ids, settings, anew

    @property
    def tokens_an_update(self) -> int:
        return self.batch * self._settings.steps

    def _offset(self, epoch: int) -> int:
        """The epoch's offset, lowered where a short text would leave a lane without a chunk."""
        return min(_offset(self._settings, epoch), len(self._ids) - 1 - self.tokens_an_update)

    def count(self, epoch: int) -> int:
        return chunk_count(len(self._ids), self.batch, self._settings.steps, self._offset(epoch))

    def read(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        offset, steps = self._offset(epoch), self._settings.steps
        begins = lane_begins(len(self._ids), self.batch, offset)
        for number, (inputs, targets) in enumerate(chunks(self._ids, self.batch, steps, offset, start), start):
            keep = None
            if self._anew is not None:
                indices = begins[None, :] + number * steps + np.arange(steps)[:, None]  # [T, B]
                keep = np.where(among(indices, self._anew), np.float32(0), np.float32(1))
            yield Batch(inputs, targets, keep)


class Windows:
    """Windows of `--steps` tokens, in shuffled order.

    They begin at the epoch's offset and do not overlap. A last batch that is not full is left out.
    """

    is_carried = False

    def __init__(self, ids: Ids, settings: TrainSettings) -> None:
        self.batch = max(1, min(settings.batch, len(ids) // settings.steps - 1))
        self._ids, self._settings = ids, settings

    @property
    def tokens_an_update(self) -> int:
        return self.batch * self._settings.steps

    def _windows(self, epoch: int) -> int:
        return (len(self._ids) - 1 - _offset(self._settings, epoch)) // self._settings.steps

    def count(self, epoch: int) -> int:
        return self._windows(epoch) // self.batch

    def read(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        steps = self._settings.steps
        begins = _offset(self._settings, epoch) + steps * _shuffled(self._settings, epoch, self._windows(epoch))
        for number in range(start, self.count(epoch)):
            here = begins[number * self.batch : (number + 1) * self.batch]
            yield Batch(*_take(self._ids, here[None, :] + np.arange(steps)[:, None]))


class Lines:
    """A line a row, with the line end before it as its first input and the one after it as its last target.

    A line of more than `--steps` tokens continues in further rows, cut elsewhere each epoch. `begins` are the
    indices where lines begin; the last batch is filled up with rows of padding.
    """

    is_carried = False

    def __init__(self, ids: Ids, settings: TrainSettings, begins: Indices) -> None:
        edges = np.unique(np.concatenate([[0], begins, [len(ids) - 1]]))
        self._ids, self._settings = ids, settings
        self._begins, self._lengths = edges[:-1], np.diff(edges)
        self.batch = min(settings.batch, len(self._begins))

    @property
    def tokens_an_update(self) -> int:
        return round((len(self._ids) - 1) / self.count(0))

    def _cuts(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each line, how far before its begin its first full row starts, and how many rows it has."""
        steps = self._settings.steps
        before = np.where(self._lengths > steps, _offset(self._settings, epoch), 0)
        return before, -(-(self._lengths + before) // steps)

    def count(self, epoch: int) -> int:
        return -(-int(self._cuts(epoch)[1].sum()) // self.batch)

    def _rows(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The index of each row's first input, and how many it has."""
        steps, (before, rows) = self._settings.steps, self._cuts(epoch)
        number = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)  # of a row in its line
        first = np.repeat(self._begins - before, rows) + number * steps
        begins = np.maximum(first, np.repeat(self._begins, rows))
        return begins, np.minimum(first + steps, np.repeat(self._begins + self._lengths, rows)) - begins

    def read(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        begins, lengths = self._rows(epoch)
        order = _shuffled(self._settings, epoch, len(begins))
        for number in range(start, self.count(epoch)):
            here = order[number * self.batch : (number + 1) * self.batch]
            missing = self.batch - len(here)
            yield self._batch(np.pad(begins[here], (0, missing)), np.pad(lengths[here], (0, missing)))

    def _batch(self, begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> Batch:
        part = -(-self._settings.steps // SHAPES)
        longest = min(self._settings.steps, -(-int(lengths.max()) // part) * part)
        steps = np.arange(longest)[:, None]
        real: NDArray[Any] = steps < lengths[None, :]
        inputs, targets = _take(self._ids, np.where(real, begins[None, :] + steps, 0))
        return Batch(inputs, targets, weights=real.astype(np.float32))
