"""The lines that were entered and wait for their turn. Knows no session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was entered."""

    text: str
    is_typed: bool = True
    """Whether a person typed it; else a key stands for it."""


class Lines:
    """A queue of lines, in the order in which they were entered."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        """The texts of those that are still to be done."""
        self._queue: asyncio.Queue[Line | None] = asyncio.Queue()

    def put(self, line: Line) -> None:
        """Have a line wait for its turn."""
        self.waiting.append(line.text)
        self._queue.put_nowait(line)

    def end(self) -> None:
        """No more lines come once those that wait are done."""
        self._queue.put_nowait(None)

    async def next(self) -> Line | None:
        """The next line, which waits no more; None at the end."""
        line = await self._queue.get()
        if line is not None:
            self.waiting.pop(0)
        return line

    def take_back(self) -> str:
        """Remove the lines that wait, and return them."""
        while not self._queue.empty():
            self._queue.get_nowait()
        lines, self.waiting = self.waiting, []
        return "\n".join(lines)
