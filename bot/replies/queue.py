"""The queue: who writes now, and who waits. It knows nothing of Discord."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from bot.stories.refusals import QueueFull


class Ticket:
    """A position in the queue. `called` is set when its holder may write."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.is_back = False


class Queue:
    """Calls at most `max_running` tickets at once; the others wait in the order in which they came."""

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self.max_running, self.max_waiting = max_running, max_waiting
        self.running = 0  # tickets that were called
        self._waiting: OrderedDict[Ticket, None] = OrderedDict()

    def check(self) -> None:
        """Raise `QueueFull` if there is no room for one more ticket."""
        if self.is_busy and len(self._waiting) >= self.max_waiting:
            raise QueueFull(f"{len(self._waiting)} requests wait already: try again in a minute")

    def take(self) -> Ticket:
        """Take a ticket, which the holder has to give back. Raises `QueueFull`."""
        self.check()
        ticket = Ticket()
        if self.running < self.max_running:
            self.running += 1
            ticket.called.set()
        else:
            self._waiting[ticket] = None
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Give a ticket back, called or not; the next one is called. A second time does nothing."""
        if ticket.is_back:
            return
        ticket.is_back = True
        if not ticket.called.is_set():
            self._waiting.pop(ticket, None)
            return
        self.running -= 1
        self.call_waiting()

    def position(self, ticket: Ticket) -> int:
        """The ticket's position among those that wait, from 1 on; 0 if it was called."""
        return next((position for position, waiting in enumerate(self._waiting, 1) if waiting is ticket), 0)

    def call_waiting(self) -> None:
        """Call as many tickets as may run, for instance after `max_running` was changed."""
        while self._waiting and self.running < self.max_running:
            following, _ = self._waiting.popitem(last=False)
            self.running += 1
            following.called.set()

    @property
    def is_busy(self) -> bool:
        """Whether the next ticket has to wait."""
        return self.running >= self.max_running

    @property
    def waiting(self) -> int:
        """The number of tickets that wait."""
        return len(self._waiting)
