"""The watchdog, in a real event loop."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from bot.watchdog import Watchdog


def hold_up() -> None:
    time.sleep(0.3)


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

    async def run() -> Watchdog:
        watchdog, loop = Watchdog(), asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        select = loop._selector.select  # type: ignore[attr-defined]

        def late(timeout: float | None = None) -> object:
            loop._selector.select = select  # type: ignore[attr-defined]
            return select(0.3)

        loop._selector.select = late  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        watchdog.stop()
        return watchdog

    with caplog.at_level(logging.INFO):
        watchdog = asyncio.run(run())
    assert watchdog.worst < 0.25
    assert any("machine-busy" in line for line in caplog.messages)


def test_who_holds_a_loop_up_that_came_late_to_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """It was seen waiting first, and that must not hide what came then."""

    async def run() -> Watchdog:
        watchdog, loop = Watchdog(), asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        select = loop._selector.select  # type: ignore[attr-defined]

        def late(timeout: float | None = None) -> object:
            loop._selector.select = select  # type: ignore[attr-defined]
            found = select(0.1)
            loop.call_soon(hold_up)
            return found

        loop._selector.select = late  # type: ignore[attr-defined]
        await asyncio.sleep(0.6)
        watchdog.stop()
        return watchdog

    with caplog.at_level(logging.WARNING):
        watchdog = asyncio.run(run())
    assert watchdog.worst >= 0.25
    assert any("loop-blocked" in line and "hold_up" in line for line in caplog.messages)
