"""The watchdog, in a real event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from bot.watchdog import Watchdog


def hold_up() -> None:
    time.sleep(0.3)


async def watched_waiting(seconds: float, *then: Callable[[], None]) -> Watchdog:
    """What a watchdog saw of a loop that waits too long for events once, and does something right after."""
    watchdog, loop = Watchdog(), asyncio.get_running_loop()
    await asyncio.sleep(0.1)
    select = loop._selector.select  # type: ignore[attr-defined]

    def late(timeout: float | None = None) -> object:
        loop._selector.select = select  # type: ignore[attr-defined]
        found = select(seconds)
        for act in then:
            loop.call_soon(act)
        return found

    loop._selector.select = late  # type: ignore[attr-defined]
    await asyncio.sleep(0.6)
    watchdog.stop()
    return watchdog


def test_who_holds_the_loop_up_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> Watchdog:
        watchdog = Watchdog()
        await asyncio.sleep(0.1)
        hold_up()
        await asyncio.sleep(0.1)
        watchdog.stop()
        return watchdog

    with caplog.at_level(logging.WARNING):
        watchdog = asyncio.run(run())
    assert watchdog.count >= 1
    assert watchdog.worst >= 0.25
    assert any("loop-blocked" in line and "hold_up" in line for line in caplog.messages)


def test_a_busy_machine_is_no_fault_of_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """The loop waits for events, but its thread does not come back from that in time."""
    with caplog.at_level(logging.INFO):
        watchdog = asyncio.run(watched_waiting(0.3))
    assert watchdog.worst < 0.25
    assert any("machine-busy" in line for line in caplog.messages)


def test_who_holds_a_loop_up_that_came_late_to_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It was seen waiting first, and that must not hide what came then."""
    with caplog.at_level(logging.WARNING):
        watchdog = asyncio.run(watched_waiting(0.1, hold_up))
    assert watchdog.worst >= 0.25
    assert any("loop-blocked" in line and "hold_up" in line for line in caplog.messages)
