"""How often shards may identify: Discord's concurrency window and its daily number of session starts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json

if TYPE_CHECKING:
    from tests.local_discord.world.world import World


class Gate:
    """Counts identifies, in `max_concurrency` lanes by shard number."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.started = 0
        self.lanes: dict[int, float] = {}

    def starts_left(self) -> int:
        """How many sessions may still be started before Discord takes the token away."""
        return max(0, self.world.settings.session_starts - self.started)

    def has_starts(self) -> bool:
        """Whether one more start is allowed; if not, Discord takes the token away and ends all sessions."""
        if self.starts_left():
            return True
        self.world.token = secrets.token_urlsafe()
        for connection in list(self.world.connections):
            connection.close(4004)
        return False

    def admit(self, shard: int) -> bool:
        """Counts a start; false if the shard's lane was used less than a window ago."""
        settings, now = self.world.settings, self.world.clock()
        self.started += 1
        lane = shard % settings.max_concurrency
        if now - self.lanes.get(lane, -settings.identify_window) < settings.identify_window:
            return False
        self.lanes[lane] = now
        return True

    def to_json(self) -> Json:
        """Discord's session start limit object."""
        settings = self.world.settings
        return {
            "total": settings.session_starts,
            "remaining": self.starts_left(),
            "reset_after": 86_400_000,
            "max_concurrency": settings.max_concurrency,
        }
