"""Watches the event loop and logs who holds it up, because heartbeats to Discord must not wait."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path

BEAT_SECONDS, MAX_FRAMES = 0.01, 4
MAX_LATE_SECONDS = 0.05  # between two beats; longer delays are logged
WAITING = "selectors.py"  # where the loop waits for events
_log = logging.getLogger(__name__)


class Watchdog:
    """A task that beats in the loop, and a thread that sees what the loop does when a beat is late.

    `worst` is the longest hold-up in seconds, to within a beat, and `count` is how many there were. The log tells how
    much of a hold-up was the loop's own work. The rest it waited for other threads, other processes or a blocking call.
    """

    def __init__(self) -> None:
        self.worst, self.count = 0.0, 0
        self._beat, self._worked, self._who = time.monotonic(), time.thread_time(), ""
        self._waited = 0.0  # when the loop was last seen waiting although a beat was due
        self._loop_thread = threading.get_ident()
        self._is_over = threading.Event()
        self._task = asyncio.create_task(self._keep_beating())
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._task.cancel()
        self._thread.join()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            (before, worked), self._beat = (self._beat, self._worked), time.monotonic()
            self._worked = time.thread_time()
            late = self._beat - before
            if late > MAX_LATE_SECONDS:
                self._tell(late, self._beat - max(before, self._waited), self._worked - worked)
            self._who = ""

    def _tell(self, late: float, held: float, worked: float) -> None:
        """Log a `late` beat: the loop was busy for at most `held` of these seconds, and computed for `worked`."""
        if self._who.startswith(WAITING) or held <= MAX_LATE_SECONDS:  # it only waited for the processor
            _log.info("event=machine-busy seconds=%.3f", late)
            return
        self.count, self.worst = self.count + 1, max(self.worst, held)
        _log.warning("event=loop-blocked seconds=%.3f own=%.3f where=%r", held, worked, self._who or "unknown")

    def _watch(self) -> None:
        while not self._is_over.wait(BEAT_SECONDS):
            is_known = self._who and not self._who.startswith(WAITING)
            if not is_known and time.monotonic() - self._beat > MAX_LATE_SECONDS / 2:
                self._who = self._look()
                if self._who.startswith(WAITING):
                    self._waited = time.monotonic()

    def _look(self) -> str:
        """What the loop's thread is doing, the innermost function first."""
        frame, seen = sys._current_frames().get(self._loop_thread), list[str]()
        while frame is not None and len(seen) < MAX_FRAMES:  # `traceback` would read all source files and keep them
            seen.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        return " < ".join(seen)
