"""How far a long task is, and whether the writer still wants it. One thread works; another one looks and stops it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import engine

LOOK_SECONDS = 0.1  # between two looks at how far it is


class Stopped(Exception):
    """The writer does not want the task any more."""


class Progress:
    """The long task of a session that is running at the moment, if any."""

    def __init__(self) -> None:
        self.on_update: Callable[[str], None] = lambda description: None
        """Called now and then with what `describe` returns, in the thread that works."""
        self._task, self._share = "", 0.0
        self._parts, self._done = 1, 0
        self._is_stopped = False

    @property
    def is_on(self) -> bool:
        """Whether there is anything to stop."""
        return bool(self._task)

    def stop(self) -> None:
        """Have the task raise `Stopped` at its next update."""
        self._is_stopped = True

    @contextlib.contextmanager
    def during(self, task: str) -> Iterator[None]:
        """Run a task that can be stopped: `update` and `wait` raise `Stopped` then."""
        self._share, self._parts, self._done, self._is_stopped = 0.0, 1, 0, False
        self._task = task  # last, because it can be stopped from now on
        try:
            yield
        finally:
            self._task = ""

    def update(self, share: float) -> None:
        """Note how much of the present part is done, from 0 to 1. Raises `Stopped`."""
        if self._is_stopped:
            raise Stopped
        self._share = min(1.0, (self._done + share) / self._parts)
        self.on_update(self.describe())

    def wait(self, reply: engine.Reply, parts: int = 1) -> None:
        """Wait for a reply, one of so many parts. Raises `Stopped`, having stopped it, or what ended the reply."""
        self._parts = parts
        try:
            while not reply.wait(LOOK_SECONDS):
                self.update(reply.feeding())
        except Stopped:
            reply.stop()
            raise
        reply.result()
        self._done += 1
        self.update(0.0)

    def describe(self) -> str:
        """What is being done and how far it is: "reading a.txt: 40 %"."""
        return f"{self._task}: {100 * self._share:.0f} %"
