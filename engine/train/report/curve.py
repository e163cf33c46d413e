"""The losses of a run as a curve to draw: points thinned as they come, and the window that shows them well.

Plain Python; knows neither terminals nor pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from engine.train.quantities import bits_of

MAX_POINTS = 400
SKIPPED = 0.2  # of the updates so far, whose steep fall is left to go out of the window
BLANK = 0x2800  # the first of the 256 characters with 2 x 4 dots
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # bits of a character's dots, by column and row

Points = list[tuple[float, float]]  # updates, bits a character


class Curve:
    """Training and held-out losses in bits a character, by updates."""

    def __init__(self, updates: int) -> None:
        self.training: Points = []
        self.held_out: Points = []
        self._updates = max(1, updates)
        self._every = max(1, self._updates // MAX_POINTS)

    def add_training(self, update: int, bits: float) -> None:
        """The loss at an update; of many, few are kept."""
        if not self.training or update - self.training[-1][0] >= self._every:
            self.training.append((update, bits))

    def add_epoch(self, row: dict[str, float], update: float) -> None:
        """The held-out loss of an epoch that ended at an update, and its training loss where no finer one is known."""
        self.held_out.append((update, bits_of(row, "held_out")))
        if not self.training or self.training[-1][0] < update * (1 - 0.5 / (row["epoch"] + 1)):
            self.training.append((update, bits_of(row, "training")))

    def add_history(self, rows: Sequence[dict[str, float]], update: int) -> None:
        """Epochs that were as long as each other, up to an update."""
        for row in rows:
            self.add_epoch(row, (row["epoch"] + 1) / len(rows) * update)

    def window(self) -> tuple[float, float, float] | None:
        """The last update and the lowest and highest loss to show; None while there is nothing to draw."""
        points = [point for point in self.training + self.held_out if math.isfinite(point[1])]
        last = max((x for x, _ in points), default=0.0)
        shown = [y for x, y in points if x >= SKIPPED * last]
        if len(self.training) < 2 or len(shown) < 2:
            return None
        low, high = min(shown), max(shown)
        return last, low - 0.02, max(high, low + 0.01)

    def drawn(self, columns: int, rows: int) -> list[str]:
        """Lines of text: dots for the training loss, an o for each held-out one; bits at the left."""
        window = self.window()
        if window is None:
            return []
        last, low, high = window
        labels = [f"{high:.2f} ", *[""] * (rows - 2), f"{low:.2f} "]
        width = max(map(len, labels))
        columns = max(1, columns - width)
        cells = [[0] * columns for _ in range(rows)]
        before: int | None = None
        for column, y in enumerate(_columns(self.training, 2 * columns, last)):
            if y is None:
                before = None
                continue
            dot = min(4 * rows - 1, max(0, round((high - y) / (high - low) * (4 * rows - 1))))
            first = dot if before is None else before
            for level in range(min(first, dot), max(first, dot) + 1):
                cells[level // 4][column // 2] |= DOTS[column % 2][level % 4]
            before = dot
        lines = [[chr(BLANK + cell) if cell else " " for cell in row] for row in cells]
        for x, y in self.held_out:
            if math.isfinite(y):
                row = min(rows - 1, max(0, round((high - y) / (high - low) * (4 * rows - 1)) // 4))
                lines[row][min(columns - 1, int(x / last * columns))] = "o"
        return [label.rjust(width) + "".join(line).rstrip() for label, line in zip(labels, lines, strict=True)]


def _columns(points: Points, columns: int, last: float) -> list[float | None]:
    """The mean of the points in each column, those between two filled in on the straight line."""
    sums: list[list[float]] = [[] for _ in range(columns)]
    for x, y in points:
        if math.isfinite(y):
            sums[min(columns - 1, int(x / last * columns))].append(y)
    means = [sum(ys) / len(ys) if ys else None for ys in sums]
    known = [(column, y) for column, y in enumerate(means) if y is not None]
    for (left, a), (right, b) in pairwise(known):
        for column in range(left + 1, right):
            means[column] = a + (b - a) * (column - left) / (right - left)
    return means
