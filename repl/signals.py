"""Handles signals: Ctrl-C stops what is running, a closed window ends the program once the story is kept."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Stoppable(Protocol):
    """What can be stopped from a signal's handler, such as a reply."""

    def stop(self) -> None: ...


@contextlib.contextmanager
def stopping_at_ctrl_c(acts: Sequence[Stoppable]) -> Iterator[list[int]]:
    """Have Ctrl-C stop the `acts` meanwhile. The list that is yielded is empty until then."""
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


def on_hang_up(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """Have the loop call `act` when the window is closed or the process is told to end.

    This does not use the loop's own handlers, because those end with the loop. Many terminals send a second signal,
    which would end the process before the story is kept.
    """

    def handle(number: int, frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; what is left is keeping the story
            loop.call_soon_threadsafe(act)

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(ValueError):  # in another thread than the first there are no signals
            signal.signal(number, handle)
