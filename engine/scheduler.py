"""Who runs in the next step. Plain Python: knows no array and no thread.

At most `max_batch` rows run; the others wait and come in as places become free, first come, first served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Scheduler(Generic[Row]):
    """The running rows, in the order of the batch, and the waiting ones."""

    def __init__(self, max_batch: int) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch {max_batch}: must be at least 1")
        self.max_batch = max_batch
        self.running: list[Row] = []
        self._waiting: deque[Row] = deque()

    def add(self, row: Row) -> None:
        """Queue a row."""
        self._waiting.append(row)

    def admit(self) -> list[Row]:
        """Move waiting rows into the free places at the batch's end; returns those that came in."""
        joined = []
        while self._waiting and len(self.running) < self.max_batch:
            joined.append(self._waiting.popleft())
            self.running.append(joined[-1])
        return joined

    def leave(self, kept: list[int]) -> None:
        """Keep the running rows at these places only, in this order."""
        self.running = [self.running[place] for place in kept]

    def drop_waiting(self, is_dropped: Callable[[Row], bool]) -> list[Row]:
        """Take rows out of the queue; returns them."""
        dropped = [row for row in self._waiting if is_dropped(row)]
        self._waiting = deque(row for row in self._waiting if not is_dropped(row))
        return dropped

    def clear(self) -> list[Row]:
        """Forget all rows; returns them."""
        rows = [*self.running, *self._waiting]
        self.running.clear()
        self._waiting.clear()
        return rows

    def __len__(self) -> int:
        return len(self.running) + len(self._waiting)
