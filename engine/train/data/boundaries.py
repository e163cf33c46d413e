"""Where a state may begin anew, as token indices: at lines, after blank lines, at files.

Each index is that of the line end before a line: a new state reads it first and predicts the line's first token from
it, as an empty conversation does. Blank lines belong to the line before them.
Knows ids and a vocabulary; no file and no network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.text.byte_pairs import token_bytes
from engine.text.vocabulary import Vocabulary
from engine.text.words import unmarked

Indices = NDArray[np.int64]  # ascending
BLOCK = 1 << 22  # tokens that are looked at together
TEXT, WHITE, LINE_END = range(3)


def token_kinds(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """The kind of each token `[V]`: `LINE_END` if it contains one, `WHITE` if it is all white space, else `TEXT`."""
    return np.array([_kind(token, vocabulary.level) for token in vocabulary.tokens], np.uint8)


def _kind(token: str, level: str) -> int:
    text: str | bytes = unmarked(token) if level == "word" else token_bytes(token) if level == "bpe" else token
    if (b"\n" if isinstance(text, bytes) else "\n") in text:  # type: ignore[operator]
        return LINE_END
    return WHITE if text.isspace() else TEXT


def at_lines(ids: NDArray[Any], vocabulary: Vocabulary, *, after_blank: bool = False) -> Indices:
    """Where lines that are not blank begin, except the first; with `after_blank`, only those after a blank line."""
    kinds, ends, before, total = token_kinds(vocabulary), [], [], 0
    for begin in range(0, len(ids), BLOCK):
        block = kinds[ids[begin : begin + BLOCK]]
        here, texts = np.flatnonzero(block == LINE_END), np.cumsum(block == TEXT)
        ends.append(here + begin)
        before.append(texts[here] + total)
        total += int(texts[-1])
    if not ends:
        return np.zeros(0, np.int64)
    tokens = np.diff(np.concatenate([[0], *before, [total]]))  # of text in each line, [lines]
    begins = tokens[1:] > 0
    return np.concatenate(ends)[begins & (tokens[:-1] == 0) if after_blank else begins]


def at_files(ids: NDArray[Any], vocabulary: Vocabulary, files: Indices) -> Indices:
    """Where files begin; `files` has the index of the first token of each file except the first."""
    follows: NDArray[np.bool_] = token_kinds(vocabulary)[ids[files - 1]] == LINE_END
    return files - follows.astype(np.int64)


def among(indices: NDArray[np.int64], boundaries: Indices) -> NDArray[np.bool_]:
    """Which of some indices are boundaries."""
    if not len(boundaries):
        return np.zeros(indices.shape, np.bool_)
    found = np.searchsorted(boundaries, indices)
    same: NDArray[np.bool_] = boundaries[np.minimum(found, len(boundaries) - 1)] == indices
    return same
