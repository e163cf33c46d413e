"""From text in parts to a vocabulary, and to token ids in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine import bytepairs
from engine.errors import TrainingError
from engine.train.settings import TrainSettings
from engine.vocabulary import Vocabulary
from engine.words import UNKNOWN, tokenize

BYTES = 256
CODES = 0x110000
_SPLIT_BEFORE = re.compile(rf"(?<!\S){UNKNOWN}(?!\S)")


def from_counts(counts: NDArray[np.int64], settings: TrainSettings) -> Vocabulary:
    """The characters that occur often enough, in code point order; `counts [CODES]`."""
    often = np.flatnonzero(counts >= settings.min_count)
    if not len(often):
        raise TrainingError(f"no character occurs --min-count {settings.min_count} times: lower it, or give more text")
    return Vocabulary(tuple(map(chr, often)))


def learn(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    """Learn a vocabulary of `--level word` or `bpe`. Parts end at line ends."""
    return _learn_words(parts, settings) if settings.level == "word" else _learn_byte_pairs(parts, settings)


def _learn_words(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    """The unknown token, then the most frequent ones; of two as frequent, the first in alphabetical order."""
    split, counts = settings.split, Counter[str]()
    before: str | None = None
    for part in parts:
        if split == "auto":
            split = "spaces" if _SPLIT_BEFORE.search(part) else "words"
        tokens = tokenize(part, split, before)
        before = tokens[-1] if tokens else before
        counts.update(tokens)
    del counts[UNKNOWN]
    often = [token for token, count in counts.items() if count >= settings.min_count]
    ranked = sorted(often, key=lambda token: (-counts[token], token))
    return Vocabulary((UNKNOWN, *ranked[: settings.vocabulary - 1]), "word", UNKNOWN, split)


def _learn_byte_pairs(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    if settings.vocabulary < BYTES:
        raise TrainingError(
            f"--vocabulary {settings.vocabulary}: a byte-pair vocabulary has the {BYTES} bytes at least; give more"
        )
    tokens, merges = bytepairs.train(parts, settings.vocabulary)
    return Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))


def smallest_type(size: int) -> str:
    """The smallest integers that hold `size` ids."""
    return "<u1" if size <= 1 << 8 else "<u2" if size <= 1 << 16 else "<i4"


class Encoder:
    """Writes ids into a file, a piece of text at a time, and counts."""

    def __init__(self, vocabulary: Vocabulary, file: IO[bytes], counts: NDArray[np.int64]) -> None:
        """`counts [CODES]` tells which characters will come."""
        self.dtype = smallest_type(len(vocabulary) + 1)
        self._missing = len(vocabulary)
        known = [ord(token) for token in vocabulary.tokens if len(token) == 1]
        self._may_miss = int(counts[known].sum()) < int(counts.sum())
        self.tokens = self.characters = self.unseen = 0
        self._vocabulary, self._file = vocabulary, file
        self._before: int | None = None
        self._table: NDArray[Any] | None = None
        if vocabulary.level == "char":
            self._table = np.full(CODES, self._missing, self.dtype)
            for index, token in enumerate(vocabulary.tokens):
                if len(token) == 1:
                    self._table[ord(token)] = index

    def begin(self) -> None:
        """What comes next does not follow what came before."""
        self._before = None
        self.characters = 0

    def add(self, text: str) -> None:
        """Write a piece of normalized text."""
        ids = self._look_up(text) if self._table is not None else None
        if ids is None:
            encoding = self._vocabulary.encode(text, self._before)
            ids, characters, unseen = encoding.ids, encoding.characters, encoding.unseen
        else:
            characters, unseen = len(ids), 0
        if len(ids):
            self._before = int(ids[-1])
        self.tokens += len(ids)
        self.characters += characters
        self.unseen += unseen
        self._file.write(ids.astype(self.dtype, copy=False).data)

    def _look_up(self, text: str) -> NDArray[Any] | None:
        """The ids of characters by a table; None where one is unseen."""
        if self._table is None:
            return None
        codes = (
            np.frombuffer(text.encode(), np.uint8)
            if text.isascii()
            else np.frombuffer(text.encode("utf-32-le"), np.uint32)
        )
        ids: NDArray[Any] = self._table[codes]
        return None if self._may_miss and (ids == self._missing).any() else ids
