"""Decides which rows run in the next step. Plain Python: knows no array and no thread.

At most `max_batch` rows run. The others wait in a queue for each owner, and the owners take turns, so nobody waits for
more than one row of each other owner. Where rows wait, a running row leaves the batch after `QUANTUM` steps, those
of the owner with most running rows and then those that have run longest first; so a short request comes in within a
step or two, however long the others are.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

QUANTUM = 16  # steps; a change of rows costs about the hundredth part of so many


class Owned(Protocol):
    """What can be scheduled."""

    @property
    def owner(self) -> Hashable: ...


Row = TypeVar("Row", bound=Owned)


class Scheduler(Generic[Row]):
    """The waiting rows, and the running ones in the order of the batch. `running` stays one list object."""

    def __init__(self, max_batch: int) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch {max_batch}: must be at least 1")
        self.max_batch = max_batch
        self.running: list[Row] = []
        self._since: list[int] = []  # the step in which each running row came in
        self._steps = 0
        self._queues: OrderedDict[Hashable, deque[Row]] = OrderedDict()  # the next owner to be served first
        self._waiting = 0

    def add(self, row: Row) -> None:
        """Queue a row behind its owner's others."""
        self._queues.setdefault(row.owner, deque()).append(row)
        self._waiting += 1

    def admit(self) -> list[Row]:
        """Move waiting rows to the end of the batch while there is room; returns them."""
        joined: list[Row] = []
        while self._waiting and len(self.running) < self.max_batch:
            owner, queue = next(iter(self._queues.items()))
            joined.append(queue.popleft())
            self._waiting -= 1
            del self._queues[owner]
            if queue:
                self._queues[owner] = queue  # behind the others
            self.running.append(joined[-1])
            self._since.append(self._steps)
        return joined

    def expired(self, steps: int = 1) -> list[int]:
        """The indices of running rows that have to make room for waiting ones, after so many more steps."""
        self._steps += steps
        needed = self._waiting - (self.max_batch - len(self.running))
        if needed <= 0:
            return []
        limit = self._steps - QUANTUM
        over = [index for index, since in enumerate(self._since) if since <= limit]
        if len(over) > needed:
            running = Counter(row.owner for row in self.running)
            over.sort(key=lambda index: (-running[self.running[index].owner], self._since[index]))
        return sorted(over[:needed])

    def keep(self, indices: list[int]) -> None:
        """Keep the running rows at these indices only, in this order."""
        self.running[:] = [self.running[index] for index in indices]
        self._since = [self._since[index] for index in indices]

    def drop_waiting(self, is_dropped: Callable[[Row], bool]) -> list[Row]:
        """Take rows out of the queues; returns them."""
        dropped: list[Row] = []
        for owner, queue in list(self._queues.items()):
            kept: deque[Row] = deque()
            for row in queue:  # each is asked once: a row may be cancelled meanwhile
                (dropped if is_dropped(row) else kept).append(row)
            if kept:
                self._queues[owner] = kept
            else:
                del self._queues[owner]
        self._waiting -= len(dropped)
        return dropped

    def clear(self) -> list[Row]:
        """Forget all rows; returns them."""
        rows = [*self.running, *self._all_waiting()]
        self.running.clear()
        self._since, self._waiting = [], 0
        self._queues.clear()
        return rows

    def _all_waiting(self) -> Iterator[Row]:
        for queue in self._queues.values():
            yield from queue

    def __len__(self) -> int:
        return len(self.running) + self._waiting
