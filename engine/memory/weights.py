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

from engine.memory.counts import MAX_ORDERS

EXPERTS = 3  # the network, contexts of up to two tokens, contexts of all lengths
START, START_A_TOKEN = (0.8, 0.0, 0.2), 0.16  # of a class; and what each token of a known context moves to the last
CLASSES = 128  # of tokens
MATCHES = 2 * (MAX_ORDERS + 1)
SETS = MATCHES + 2 * CLASSES
STEEPEST = 8.0  # slope, so that one token that the network found all but impossible moves no weight out of the way
RATE, LEAST = 0.03, 0.002  # the first step, and the shortest; they fall with the square root of a set's visits
DAMAGED = "the weights of this story's memory are damaged: go to another turn, or switch the memory off"


class Weights:
    """The sets' weights, `EXPERTS` each, and how often each set was moved."""

    def __init__(self) -> None:
        self._rows = [[*_start(number), 0.0] for number in range(SETS)]

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """From what `packed` gave. Raises `ValueError` for anything else."""
        made = cls()
        if not data:
            return made
        try:
            table = np.frombuffer(zlib.decompress(data), "<f8").reshape(SETS, EXPERTS + 1)
        except (zlib.error, ValueError):
            raise ValueError(DAMAGED) from None
        if not np.isfinite(table).all() or table[:, EXPERTS].min() < 0:
            raise ValueError(DAMAGED)
        for number in np.flatnonzero(table[:, EXPERTS]).tolist():
            made._rows[number] = table[number].tolist()
        return made

    def packed(self) -> bytes:
        """As bytes: those of the sets that were moved, and nothing where none was."""
        moved = [row if row[EXPERTS] else [0.0] * (EXPERTS + 1) for row in self._rows]
        return zlib.compress(np.array(moved, "<f8").tobytes(), 1) if any(row[EXPERTS] for row in moved) else b""

    def at(self, sets: Sequence[int]) -> list[float]:
        """The weights of the experts where these sets count."""
        a, b, c = (self._rows[number] for number in sets)
        return [(a[expert] + b[expert] + c[expert]) / 3 for expert in range(EXPERTS)]

    def learn(self, sets: Sequence[int], slope: Sequence[float]) -> None:
        """Move the weights of these sets against the slope of the surprisal."""
        for number in sets:
            row = self._rows[number]
            row[EXPERTS] += 1
            step = max(RATE / row[EXPERTS] ** 0.5, LEAST)
            for expert in range(EXPERTS):
                row[expert] -= step * max(-STEEPEST, min(STEEPEST, slope[expert]))


def _start(number: int) -> Sequence[float]:
    """The weights that a set begins with. The longer a context that is known, the more it is worth."""
    if number >= MATCHES:
        return START
    trust = START_A_TOKEN * (number // 2)
    return 1 - trust, 0.0, trust


def classes_of(tokens: Sequence[str]) -> tuple[int, ...]:
    """Each token's class: tokens that begin with the same character share one, and those of rare scripts some more."""
    kinds: dict[str, int] = {}
    return tuple(kinds.setdefault(token[0], len(kinds)) % CLASSES for token in tokens)


def sets_of(order: int, is_certain: bool, before: int, likeliest: int) -> tuple[int, int, int]:
    """The sets of a place: the longest context known there, and the classes of two tokens."""
    return 2 * order + is_certain, MATCHES + before, MATCHES + CLASSES + likeliest
