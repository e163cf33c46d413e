from __future__ import annotations

import asyncio
import os
import signal

import pytest

from repl.signals import on_hang_up, stopping_at_ctrl_c


class Act:
    """Counts how often it is stopped."""

    stopped = 0

    def stop(self) -> None:
        self.stopped += 1


def test_ctrl_c_stops_all_acts_and_is_itself_again_afterwards() -> None:
    acts, before = [Act(), Act()], signal.getsignal(signal.SIGINT)
    with stopping_at_ctrl_c(acts) as signals:
        assert not signals
        os.kill(os.getpid(), signal.SIGINT)
        assert signals == [signal.SIGINT]
    assert [act.stopped for act in acts] == [1, 1]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_hang_up_reaches_the_loop_and_a_second_one_ends_nothing(number: int) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    async def wait() -> None:
        came = asyncio.Event()
        on_hang_up(asyncio.get_running_loop(), came.set)
        os.kill(os.getpid(), number)
        await asyncio.wait_for(came.wait(), 5)

    try:
        asyncio.run(wait())
        os.kill(os.getpid(), number)  # the loop is closed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
