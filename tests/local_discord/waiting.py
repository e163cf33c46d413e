"""How a test's thread waits for what the server's thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Bell:
    """Rung on the server's thread at each change; a test's thread looks again at each ring."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self) -> None:
        """Something has changed."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, look: Callable[[], Found | None], timeout: float, what: Callable[[], str]) -> Found:
        """What `look` finds, as soon as it is true; `TimeoutError` with `what()` was missed and what was there.

        `look` runs without the lock, since it may itself ask the server's thread.
        """
        until = time.monotonic() + timeout
        while True:
            rings = self._rings
            if found := look():
                return found
            if time.monotonic() >= until:
                raise TimeoutError(f"after {timeout} s: {what()}")
            with self._condition:
                if self._rings == rings:
                    self._condition.wait(until - time.monotonic())
