"""Discord's numbers and times: ids that carry their moment, and ISO timestamps."""

from __future__ import annotations

import time
from datetime import UTC, datetime

EPOCH_MS = 1420070400000


class Snowflakes:
    """Ids in rising order, each with its own millisecond, so that guilds spread over all shards."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """A new id: milliseconds since 2015 above 22 low bits."""
        self.last = max(self.last + 1, int(time.time() * 1000) - EPOCH_MS)
        return self.last << 22


def iso(seconds: float) -> str:
    """A Unix time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
