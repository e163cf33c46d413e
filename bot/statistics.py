"""What a process has done since it started."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

import engine

WINDOW_SECONDS = 60.0  # over which speed is measured


class Statistics:
    """Counts replies and tokens. The front end adds to `num_replies`."""

    def __init__(self, models: Mapping[str, engine.Engine]) -> None:
        self._models = models
        self._started, self.num_replies = time.monotonic(), 0
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])  # a time, and the tokens until then

    @property
    def seconds_up(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def num_tokens(self) -> int:
        """The tokens that all models have written."""
        return sum(model.activity().tokens for model in self._models.values())

    def tokens_per_second(self) -> float:
        """The speed of all models together, over the last minute or since the last call, if that is longer ago."""
        now, tokens = time.monotonic(), self.num_tokens
        self._samples.append((now, tokens))
        while len(self._samples) > 2 and self._samples[1][0] < now - WINDOW_SECONDS:
            self._samples.popleft()
        then, before = self._samples[0]
        return (tokens - before) / max(1e-3, now - then)
