"""Lays out texts on a screen: rows, columns side by side, and the end of a text that is still being written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from prompt_toolkit.utils import get_cwidth

import engine

NARROW = 24  # columns that a text beside others needs


def harmless(text: str) -> str:
    """A text that is safe to print: nothing in it acts on the terminal, and a tab is some spaces."""
    return engine.visible(text).replace("\t", "    ")


def rows(text: str, columns: int) -> list[str]:
    """The rows of a terminal that a text without control characters fills, wide and combining characters counted."""
    made = []
    for line in text.split("\n"):
        row, width = "", 0
        for character in line:
            size = get_cwidth(character)
            if width + size > columns and row:
                made.append(row)
                row, width = "", 0
            row += character
            width += size
        made.append(row)
    return made


def cells(text: str) -> int:
    """The cells of a terminal that a text without line ends takes."""
    return sum(map(get_cwidth, text))


def padded(text: str, columns: int) -> str:
    """The text with spaces behind it, as wide as that."""
    return text + " " * (columns - cells(text))


def folded(text: str, columns: int) -> list[str]:
    """The rows of a text that is broken between words, and within those that fit in no row."""
    made = []
    for line in text.split("\n"):
        row = ""
        for word in re.findall(r"\s*\S+\s*?|\s+", line):
            if row and cells(row + word) > columns:
                made.append(row)
                word = word.lstrip()
                row = ""
            *full, row = rows(row + word, columns)
            made += full
        made.append(row)
    return made


class Live:
    """The end of a text that is being written, which is drawn above the prompt until it is a whole paragraph."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, piece: str) -> None:
        """Add what was written."""
        self.text += piece

    def settle(self, columns: int, height: int) -> str:
        """Take off what is finished: whole paragraphs, and the first rows of one that is too high to be redrawn."""
        whole, end, self.text = self.text.rpartition("\n")
        settled = whole + end
        if len(self.text) > columns and len(moving := rows(self.text, columns)) > height:
            above = "".join(moving[: -height // 2])
            settled, self.text = settled + above + "\n", self.text[len(above) :]
        return settled

    def finish(self) -> str:
        """Take off all that is left, ended with a line end."""
        text, self.text = self.text, ""
        return f"{text}\n" if text else ""


class Pace:
    """How much of a text may be shown by now, at `speed` characters a second (0: all). `now` is in seconds."""

    def __init__(self, speed: float, now: float) -> None:
        self._speed, self._last, self._credit = speed, now, 1.0

    def allow(self, waiting: int, now: float) -> int:
        """How many of the `waiting` characters may be shown now."""
        if not self._speed:
            return waiting
        self._credit = min(self._credit + (now - self._last) * self._speed, self._speed / 4 + 1)
        self._last = now
        count = min(waiting, int(self._credit))
        self._credit -= count
        return count


def side_by_side(texts: Sequence[str], columns: int, height: int | None = None) -> list[str]:
    """The rows of numbered texts beside each other where they fit, else one under another.

    In a `height`, only the ends of the texts that fit in so many rows.
    """
    each = (columns - 3 * (len(texts) - 1)) // len(texts)
    if each < NARROW:
        return _one_under_another(texts, columns, height)
    blocks = [_block(number, text, each, height) for number, text in enumerate(texts, 1)]
    return [" | ".join(padded(cell, each) for cell in row).rstrip() for row in zip_longest(*blocks, fillvalue="")]


def _one_under_another(texts: Sequence[str], columns: int, height: int | None) -> list[str]:
    if height is None or height >= 2 * len(texts):
        each = height // len(texts) if height else None
        return [row for number, text in enumerate(texts, 1) for row in _block(number, text, columns, each)]
    label = len(f"{len(texts)} ")
    ends = [folded(text.strip("\n"), max(2, columns - label))[-1] for text in texts]
    return [f"{number:<{label}}{end}" for number, end in enumerate(ends, 1)][:height]


def _block(number: int, text: str, columns: int, height: int | None) -> list[str]:
    lines = folded(text.strip("\n"), columns)
    return [f"--- {number}", *(lines[1 - height :] if height and len(lines) >= height else lines)]
