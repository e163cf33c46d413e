"""How much the network, short contexts and long ones are worth at a place: weights that follow the text.

Probabilities are mixed in the logarithm, weighted, as Mattern did ("Mixing strategies in data compression", 2012). The
weights of a place are the mean of three sets': those of the longest context that was met before and of whether it
always went on alike, those of the token before, and those of the token that the network finds likeliest. After each
token they move down the gradient of its surprisal, less and less far (Mahoney's PAQ mixes bits like that, 2005).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.memory.counts import MAX_ORDERS

EXPERTS = 3  # the network, contexts of up to two tokens, contexts of all lengths
START, START_A_TOKEN = (0.8, 0.0, 0.2), 0.16  # of a class; and what each token of a known context moves to the last
CLASSES = 128  # of tokens
MATCHES = 2 * (MAX_ORDERS + 1)
RATE, LEAST = 0.03, 0.002  # the first step, and the shortest; they fall with the square root of a set's visits
DAMAGED = "the weights of this story's memory are damaged: go to another turn, or switch the memory off"

Floats = NDArray[np.float64]


class Weights:
    """The sets' weights `[sets, EXPERTS]` in single precision, and how often each was moved."""

    def __init__(self, table: NDArray[np.float32] | None = None) -> None:
        if table is None:
            table = np.zeros((MATCHES + 2 * CLASSES, EXPERTS + 1), np.float32)
            table[MATCHES:, :EXPERTS] = START
            trust = START_A_TOKEN * (np.arange(MATCHES) // 2)
            table[:MATCHES, 0], table[:MATCHES, EXPERTS - 1] = 1 - trust, trust
        self._table = table

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """From what `packed` gave. Raises `ValueError` for anything else."""
        if not data:
            return cls()
        try:
            moved = np.frombuffer(zlib.decompress(data), "<f4").reshape(-1, EXPERTS + 1)
        except (zlib.error, ValueError):
            raise ValueError(DAMAGED) from None
        start = cls()
        if moved.shape != start._table.shape or not np.isfinite(moved).all():
            raise ValueError(DAMAGED)
        start._table += moved.astype(np.float32)
        return start

    def packed(self) -> bytes:
        """As bytes: nothing where nothing was learned."""
        moved = self._table - Weights()._table
        return zlib.compress(moved.astype("<f4").tobytes(), 1) if moved.any() else b""

    def at(self, sets: Sequence[int]) -> Floats:
        """The weights `[EXPERTS]` where these sets count."""
        a, b, c = sets
        table = self._table
        return (table[a, :EXPERTS].astype(np.float64) + table[b, :EXPERTS] + table[c, :EXPERTS]) / 3

    def learn(self, sets: Sequence[int], slope: Floats) -> None:
        """Move the weights of these sets against the slope of the surprisal."""
        for number in sets:
            row = self._table[number]
            row[EXPERTS] += 1
            row[:EXPERTS] -= max(RATE / float(row[EXPERTS]) ** 0.5, LEAST) * slope


def classes_of(tokens: Sequence[str]) -> tuple[int, ...]:
    """Each token's class: tokens that begin with the same character share one, and those of rare scripts some more."""
    kinds: dict[str, int] = {}
    return tuple(kinds.setdefault(token[0], len(kinds)) % CLASSES for token in tokens)


def sets_of(order: int, is_certain: bool, before: int, likeliest: int) -> tuple[int, int, int]:
    """The sets of a place: the longest context known there, and the classes of two tokens."""
    return 2 * order + is_certain, MATCHES + before, MATCHES + CLASSES + likeliest
