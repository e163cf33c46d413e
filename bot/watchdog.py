"""Watches that the event loop is never held up, and tells who did it: a heartbeat to Discord must not wait."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from pathlib import Path

BEAT_SECONDS, LOOK_SECONDS = 0.025, 0.04
MAX_LATE_SECONDS = 0.05  # beyond which it is logged
_log = logging.getLogger("bot.watchdog")


class Watchdog:
    """A task that beats in the loop, and a thread that looks after it. `worst` is the longest hold-up in seconds."""

    def __init__(self) -> None:
        self.worst, self.count = 0.0, 0
        self._beat = time.monotonic()
        self._loop_thread = threading.get_ident()
        self._is_over = threading.Event()
        self._task = asyncio.create_task(self._keep_beating())
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more watching."""
        self._is_over.set()
        self._task.cancel()
        self._thread.join()

    async def _keep_beating(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    def _watch(self) -> None:
        blocked_at, who = 0.0, ""
        while not self._is_over.wait(LOOK_SECONDS):
            beat = self._beat
            late = time.monotonic() - beat - BEAT_SECONDS
            if late > MAX_LATE_SECONDS:
                self.worst = max(self.worst, late)
                if beat != blocked_at:
                    blocked_at, who = beat, self._who()
            elif blocked_at:
                self.count += 1
                _log.warning("event=loop-blocked seconds=%.3f where=%r", beat - blocked_at - BEAT_SECONDS, who)
                blocked_at = 0.0

    def _who(self) -> str:
        """What the loop's thread is at, innermost first."""
        frame = sys._current_frames().get(self._loop_thread)
        stack = traceback.extract_stack(frame)[-4:] if frame else []
        return " < ".join(f"{Path(line.filename).name}:{line.lineno} {line.name}" for line in reversed(stack))
