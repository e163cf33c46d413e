"""How much the network, short contexts, long ones and the training text are worth at a place: weights that follow it.

Probabilities are mixed in the logarithm, weighted, as Mattern did ("Mixing strategies in data compression", 2012). The
weights of a place are the mean of some sets': those of the longest context that was met before in the story and of
whether it always went on alike, the same of the training text, those of the token before, and those of the token that
the network finds likeliest. After each token they move down the gradient of its surprisal, less and less far (Mahoney's
PAQ mixes bits like that, 2005).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Self

import numpy as np

from engine.memory.counts import MAX_ORDERS

EXPERTS = 4  # the network, the story's contexts of up to two tokens, all of them, and the training text's
START, START_A_TOKEN = (0.8, 0.0, 0.2, 0.0), 0.12  # of a class; and what each token of a known context moves to its own
START_CERTAIN = 0.3  # and what a context of two tokens or more moves that always went on alike: names come back
START_A_TRAINING_TOKEN = 0.13  # what each token moves of a context of the training text
CLASSES = 128  # of tokens
MATCHES = 2 * (MAX_ORDERS + 2)
SETS = 2 * MATCHES + 2 * CLASSES
STEEPEST = 8.0  # slope, so that one token that the network found all but impossible moves no weight out of the way
RATE, LEAST = 0.03, 0.002  # the first step, and the shortest; they fall with the square root of a set's visits
DAMAGED = "the weights of this story's memory are damaged: go to another turn, or switch the memory off"

Sets = tuple[int, ...]  # the numbers of the sets of a place


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
        a, b, c, d, _ = self._rows[sets[0]]
        for number in sets[1:]:
            row = self._rows[number]
            a, b, c, d = a + row[0], b + row[1], c + row[2], d + row[3]
        count = len(sets)
        return [a / count, b / count, c / count, d / count]

    def learn(self, sets: Sequence[int], slope: Sequence[float]) -> None:
        """Move the weights of these sets against the slope of the surprisal."""
        for number in sets:
            row = self._rows[number]
            row[EXPERTS] += 1
            step = max(RATE / row[EXPERTS] ** 0.5, LEAST)
            for expert, steepness in enumerate(slope):
                row[expert] -= step * max(-STEEPEST, min(STEEPEST, steepness))


def _start(number: int) -> Sequence[float]:
    """The weights that a set begins with. The longer a context that is known, the more it is worth."""
    if number >= 2 * MATCHES:
        return START
    length = max(0, number % MATCHES // 2 - 1)
    if number >= MATCHES:
        trust = START_A_TRAINING_TOKEN * length
        return 1 - trust, 0.0, 0.0, trust
    trust = START_A_TOKEN * length + START_CERTAIN * (number % 2) * min(1.0, length / 2)
    return 1 - trust, 0.0, trust, 0.0


def classes_of(tokens: Sequence[str]) -> tuple[int, ...]:
    """Each token's class: tokens that begin with the same character share one, and those of rare scripts some more."""
    kinds: dict[str, int] = {}
    return tuple(kinds.setdefault(token[0], len(kinds)) % CLASSES for token in tokens)


def sets_of(story: tuple[int, bool], training: tuple[int, bool] | None, before: int, likeliest: int) -> Sets:
    """The sets of a place: the longest contexts known there, and whether they are certain, and two tokens' classes."""
    match, classes = 2 * (story[0] + 1) + story[1], 2 * MATCHES + before
    if training is None:
        return match, classes, CLASSES + 2 * MATCHES + likeliest
    return match, MATCHES + 2 * (training[0] + 1) + training[1], classes, CLASSES + 2 * MATCHES + likeliest
