"""Who writes now, and who waits in line for that. Knows no Discord."""

from __future__ import annotations

import asyncio
from collections import OrderedDict


class Full(Exception):
    """The line is as long as it may be."""


class Line:
    """At most `max_running` tickets are called at once; the others wait in the order they came."""

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self.max_running, self.max_waiting = max_running, max_waiting
        self._running = 0
        self._waiting: OrderedDict[Ticket, None] = OrderedDict()

    def take(self) -> Ticket:
        """A ticket, which has to be given back. Raises `Full`."""
        ticket = Ticket()
        if self._running < self.max_running:
            self._running += 1
            ticket.called.set()
        elif len(self._waiting) < self.max_waiting:
            self._waiting[ticket] = None
        else:
            raise Full(f"{len(self._waiting)} requests wait already")
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """The holder is done, or does not want to wait any more; the next one is called. A second time does nothing."""
        if ticket.is_back:
            return
        ticket.is_back = True
        if not ticket.called.is_set():
            self._waiting.pop(ticket, None)
            return
        self._running -= 1
        self.call_waiting()

    def place(self, ticket: Ticket) -> int:
        """The ticket's place in the line from 1 on; 0 when it was called."""
        return next((place for place, waiting in enumerate(self._waiting, 1) if waiting is ticket), 0)

    def call_waiting(self) -> None:
        """Call as many as may run; after `max_running` was changed."""
        while self._waiting and self._running < self.max_running:
            following, _ = self._waiting.popitem(last=False)
            self._running += 1
            following.called.set()

    @property
    def is_busy(self) -> bool:
        """Whether the next one would have to wait."""
        return self._running >= self.max_running

    @property
    def is_full(self) -> bool:
        """Whether the next one would be refused."""
        return self.is_busy and len(self._waiting) >= self.max_waiting

    @property
    def running(self) -> int:
        """Tickets that were called."""
        return self._running

    @property
    def waiting(self) -> int:
        """Tickets that wait."""
        return len(self._waiting)


class Ticket:
    """A place in the line; `called` is set when its holder may go on."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.is_back = False
