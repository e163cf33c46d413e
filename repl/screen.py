"""What of a text that is being written still moves, and what stands: plain functions of text and width."""

from __future__ import annotations

from prompt_toolkit.utils import get_cwidth

HARMLESS = {code: "�" for code in [*range(32), 127, *range(128, 160)] if chr(code) not in "\n\t"} | {9: "    "}


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


class Live:
    """The end of a text that is being written, which is drawn above the prompt until it is a whole paragraph."""

    def __init__(self) -> None:
        self.text = ""

    def add(self, piece: str) -> None:
        """What was written."""
        self.text += piece

    def settle(self, columns: int, height: int) -> str:
        """The lines that move no more: whole paragraphs, and the first rows of one that is too high to be redrawn."""
        whole, end, self.text = self.text.rpartition("\n")
        settled = whole + end
        if len(self.text) > columns and len(moving := rows(self.text, columns)) > height:
            above = "".join(moving[: -height // 2])
            settled, self.text = settled + above + "\n", self.text[len(above) :]
        return settled

    def finish(self) -> str:
        """All that is left, ended with a line end."""
        text, self.text = self.text, ""
        return f"{text}\n" if text else ""


class Pace:
    """How much of a text may be shown by now, at so many characters a second; the clock is passed in."""

    def __init__(self, speed: float, now: float) -> None:
        self._speed, self._last, self._credit = speed, now, 1.0

    def allow(self, waiting: int, now: float) -> int:
        """How many of the characters that wait."""
        if not self._speed:
            return waiting
        self._credit = min(self._credit + (now - self._last) * self._speed, self._speed / 4 + 1)
        self._last = now
        count = min(waiting, int(self._credit))
        self._credit -= count
        return count
