"""Lines that wait for their turn."""

from __future__ import annotations

import asyncio

from repl.terminal.lines import Line, Lines


def test_lines_come_in_their_order_and_wait_until_they_do() -> None:
    async def work() -> None:
        lines = Lines()
        lines.put(Line("one"))
        lines.put(Line("/next", is_typed=False))
        lines.end()
        assert lines.waiting == ["one", "/next"]
        assert await lines.next() == Line("one")
        assert lines.waiting == ["/next"]
        assert await lines.next() == Line("/next", is_typed=False)
        assert await lines.next() is None

    asyncio.run(work())


def test_lines_that_are_taken_back_do_not_come() -> None:
    async def work() -> None:
        lines = Lines()
        lines.put(Line("one"))
        lines.put(Line("two"))
        assert lines.take_back() == "one\ntwo"
        assert lines.waiting == []
        lines.put(Line("three"))
        assert await lines.next() == Line("three")

    asyncio.run(work())
