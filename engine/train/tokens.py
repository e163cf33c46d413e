"""Vocabularies of words and byte pairs, learned from text that is given in parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from engine import bytepairs
from engine.errors import TrainingError
from engine.train.settings import TrainSettings
from engine.vocabulary import Vocabulary
from engine.words import UNKNOWN, tokenize

BYTES = 256
_SPLIT_BEFORE = re.compile(rf"(?<!\S){UNKNOWN}(?!\S)")


def learn(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    """Learn a vocabulary of `--level word` or `bpe`. Parts end at line ends."""
    return _learn_words(parts, settings) if settings.level == "word" else _learn_byte_pairs(parts, settings)


def _learn_words(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    """The unknown token, then the most frequent ones; of two as frequent, the first in alphabetical order."""
    split, counts = settings.split, Counter[str]()
    for part in parts:
        if split == "auto":
            split = "spaces" if _SPLIT_BEFORE.search(part) else "words"
        counts.update(tokenize(part, split))
    del counts[UNKNOWN]
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return Vocabulary((UNKNOWN, *ranked[: settings.vocabulary - 1]), "word", UNKNOWN, split)


def _learn_byte_pairs(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    if settings.vocabulary < BYTES:
        raise TrainingError(
            f"--vocabulary {settings.vocabulary}: a byte-pair vocabulary has the {BYTES} bytes at least; give more"
        )
    tokens, merges = bytepairs.train(parts, settings.vocabulary)
    return Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))
