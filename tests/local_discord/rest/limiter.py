"""Discord's rate limits: one bucket a kind of route and major parameter, and one for all of the bot's requests."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json
from tests.local_discord.records import Limited

if TYPE_CHECKING:
    from tests.local_discord.rest.server import Route
    from tests.local_discord.settings import Rate
    from tests.local_discord.world.world import World

Headers = dict[str, str]
IN_FLIGHT = 0.02  # seconds in which a request may have crossed the answer that would have held it back


@dataclass(slots=True)
class Bucket:
    """A window that its first request opens, or a wait that the test has ordered.

    `told_at` is when the client first had headers of this bucket, `refused_at` when it was last told to wait.
    """

    rate: Rate
    until: float = 0.0
    used: int = 0
    told_at: float = math.inf
    refused_at: float = math.inf
    blocked_until: float = 0.0

    def take(self, now: float) -> bool:
        """Counts a request; false if the window is full or blocked."""
        if now < self.blocked_until:
            return False
        if now >= self.until:
            self.until, self.used = now + self.rate.per, 0
        if self.used >= self.rate.limit:
            return False
        self.used += 1
        return True

    def wait(self, now: float) -> float:
        """How long a refused request has to wait."""
        return max(self.blocked_until, self.until if self.used >= self.rate.limit else now, now + 0.001) - now


class Limiter:
    """All buckets. A 429 is avoidable if its client had been told of the bucket before it sent the request."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.overall = Bucket(world.settings.rates.overall)

    def bucket(self, kind: str, major: str) -> Bucket:
        """The bucket of such routes for the major parameter."""
        found = self.buckets.get((kind, major))
        if found is None:
            if len(self.buckets) % 5000 == 4999:
                self._forget()
            found = self.buckets[kind, major] = Bucket(getattr(self.world.settings.rates, kind))
        return found

    def _forget(self) -> None:
        old = self.world.clock() - 60
        self.buckets = {key: bucket for key, bucket in self.buckets.items() if bucket.until > old}

    def take(self, route: Route, major: str, now: float, counts_overall: bool) -> Refusal | None:
        """Counts a request against the bot's overall limit and its bucket."""
        bucket = self.bucket(route.bucket, major)
        if counts_overall and not self.overall.take(now):
            return self._refuse(self.overall, route.name, major, "global", now)
        if bucket.take(now):
            return None
        return self._refuse(bucket, route.name, major, "shared" if now < bucket.blocked_until else "user", now)

    def _refuse(self, bucket: Bucket, route: str, major: str, scope: str, now: float, forced: bool = False) -> Refusal:
        """Of the overall limit no header tells, only an earlier 429."""
        told = bucket.refused_at if scope != "user" else min(bucket.told_at, bucket.refused_at)
        forced = forced or now < bucket.blocked_until
        limited = Limited(now, route, major, scope, bucket.wait(now), now > told + IN_FLIGHT, forced)
        self.world.records.limited.append(limited)
        bucket.refused_at = now
        return Refusal(limited.retry_after, scope)

    def force(self, route: Route, major: str, retry_after: float, everywhere: bool) -> Refusal:
        """A 429 that the test asked for; until it is over, all others of its kind get one too."""
        now = self.world.clock()
        bucket = self.overall if everywhere else self.bucket(route.bucket, major)
        bucket.blocked_until, bucket.refused_at = now + retry_after, math.inf
        return self._refuse(bucket, route.name, major, "global" if everywhere else "shared", now, forced=True)

    def headers(self, kind: str, major: str) -> Headers:
        """What an answer tells the client about its bucket."""
        bucket = self.bucket(kind, major)
        now = self.world.clock()
        bucket.told_at = min(bucket.told_at, now)
        left = math.ceil(max(bucket.until - now, 0.0) * 1000) / 1000
        return {
            "X-RateLimit-Limit": str(bucket.rate.limit),
            "X-RateLimit-Remaining": str(bucket.rate.limit - bucket.used),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(kind.encode(), usedforsecurity=False).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429: how long to wait, and for what."""

    retry_after: float
    scope: str

    def headers(self) -> Headers:
        """Discord's headers beside those of the bucket."""
        told = {"Retry-After": str(math.ceil(self.retry_after)), "X-RateLimit-Scope": self.scope}
        return told | ({"X-RateLimit-Global": "true"} if self.scope == "global" else {})

    def to_json(self) -> Json:
        """Discord's body."""
        told = {"message": "You are being rate limited.", "retry_after": math.ceil(self.retry_after * 1000) / 1000}
        return told | {"global": self.scope == "global"}
