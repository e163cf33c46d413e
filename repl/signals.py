"""What the signals do: Ctrl-C stops what goes on, a closed window ends the program once the story is kept."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Stoppable(Protocol):
    """What can be stopped from a signal's handler: a reply, for one."""

    def stop(self) -> None: ...


@contextlib.contextmanager
def stopping_at_ctrl_c(acts: Sequence[Stoppable]) -> Iterator[list[int]]:
    """While in here, Ctrl-C stops what goes on; the list that is given is then no longer empty."""
    signals: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        for act in acts:
            act.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGINT, before)


def heed_hang_up(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """Have the loop act when the window is closed or somebody wants the process to end.

    Not through the loop's own handlers, for those end with it: a second signal, which many a terminal sends, would end
    the process before the story is kept.
    """

    def heed(number: int, frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; what is left is keeping the story
            loop.call_soon_threadsafe(act)

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(ValueError):  # in another thread than the first there are no signals
            signal.signal(number, heed)
