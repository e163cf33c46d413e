"""What takes long: how far it is, and whether the writer still wants it. One thread works, another looks and stops."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import engine

TELL_SECONDS = 0.1  # between two looks at how far it is


class Unwanted(Exception):
    """The writer wants no more of it."""


class Patience:
    """The long act of a session that goes on at the moment, if any."""

    def __init__(self) -> None:
        self.listen: Callable[[str], None] = lambda words: None
        """Told in words how far it is, every now and then, on the thread that works."""
        self._doing, self._share = "", 0.0
        self._pieces, self._done = 1, 0
        self._is_unwanted = False

    @property
    def is_on(self) -> bool:
        """Whether there is anything to stop."""
        return bool(self._doing)

    def stop(self) -> None:
        """The writer wants no more of it."""
        self._is_unwanted = True

    @contextlib.contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """While in here that goes on, and can be stopped: `tell` and `wait` raise then."""
        self._share, self._pieces, self._done, self._is_unwanted = 0.0, 1, 0, False
        self._doing = doing  # last, for from now on it can be stopped
        try:
            yield
        finally:
            self._doing = ""

    def tell(self, share: float) -> None:
        """So much of the present piece is done, from 0 to 1. Raises `Unwanted`."""
        if self._is_unwanted:
            raise Unwanted
        self._share = min(1.0, (self._done + share) / self._pieces)
        self.listen(self.words())

    def wait(self, reply: engine.Reply, pieces: int = 1) -> None:
        """Wait for a reply, one of so many pieces. Raises `Unwanted`, having stopped it, or what ended the reply."""
        self._pieces = pieces
        try:
            while not reply.wait(TELL_SECONDS):
                self.tell(reply.feeding())
        except Unwanted:
            reply.stop()
            raise
        reply.result()
        self._done += 1
        self.tell(0.0)

    def words(self) -> str:
        """What goes on and how far it is."""
        return f"{self._doing}: {100 * self._share:.0f} %"
