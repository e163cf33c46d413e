"""The line of those who wait to be written for."""

from __future__ import annotations

import asyncio

import pytest

from bot.line import Full, Line


def test_tickets_are_called_in_their_order() -> None:
    async def main() -> None:
        line = Line(2, 3)
        a, b, c, d, e = (line.take() for _ in range(5))
        assert [t.called.is_set() for t in (a, b, c, d, e)] == [True, True, False, False, False]
        assert [line.place(t) for t in (a, c, d, e)] == [0, 1, 2, 3]
        with pytest.raises(Full):
            line.take()
        line.give_back(d)  # does not want to wait
        line.give_back(a)
        line.give_back(a)
        assert [t.called.is_set() for t in (c, d, e)] == [True, False, False]
        assert (line.running, line.waiting, line.place(e)) == (2, 1, 1)
        for ticket in (b, c, e):
            line.give_back(ticket)
        assert (line.running, line.waiting) == (0, 0)

    asyncio.run(main())


def test_a_line_made_wider_calls_more() -> None:
    async def main() -> None:
        line = Line(1, 9)
        first, *others = (line.take() for _ in range(4))
        line.max_running = 3
        line.give_back(first)
        assert [t.called.is_set() for t in others] == [True, True, True]

    asyncio.run(main())
