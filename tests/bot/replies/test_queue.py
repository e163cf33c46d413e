"""The queue of requests that wait."""

from __future__ import annotations

import asyncio

import pytest

from bot.replies.queue import Queue
from bot.stories.refusals import QueueFull


def test_tickets_are_called_in_their_order() -> None:
    async def main() -> None:
        queue = Queue(2, 3)
        a, b, c, d, e = (queue.take() for _ in range(5))
        assert [t.called.is_set() for t in (a, b, c, d, e)] == [True, True, False, False, False]
        assert [queue.position(t) for t in (a, c, d, e)] == [0, 1, 2, 3]
        with pytest.raises(QueueFull):
            queue.take()
        queue.give_back(d)  # does not want to wait
        queue.give_back(a)
        queue.give_back(a)
        assert [t.called.is_set() for t in (c, d, e)] == [True, False, False]
        assert (queue.running, queue.waiting, queue.position(e)) == (2, 1, 1)
        for ticket in (b, c, e):
            queue.give_back(ticket)
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


def test_a_queue_made_wider_calls_more() -> None:
    async def main() -> None:
        queue = Queue(1, 9)
        first, *others = (queue.take() for _ in range(4))
        queue.max_running = 3
        queue.give_back(first)
        assert [t.called.is_set() for t in others] == [True, True, True]

    asyncio.run(main())
