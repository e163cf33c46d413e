"""What the server writes down about the bot, for tests and measurements; moments are `time.monotonic` seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.local_discord.world.messages import Mentions, Message


@dataclass(slots=True)
class Request:
    """One REST request and its answer. `route` is such as `PATCH /channels/{channel}/messages/{message}`.

    `channel` is that of the path, or of the interaction whose token the path has; `major` is what splits the bucket.
    """

    time: float
    method: str
    path: str
    route: str
    major: str
    channel: int = 0
    status: int = 0
    received: int = 0
    sent: int = 0
    seconds: float = 0.0
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Limited:
    """One 429: `forced` by the test, or `avoidable` because the client had been told of the limit before it sent."""

    time: float
    route: str
    major: str
    scope: str
    retry_after: float
    avoidable: bool
    forced: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """A message of the bot that named somebody who then was notified; an edit names, but notifies nobody."""

    message: Message
    mentions: Mentions
    by_edit: bool = False


@dataclass(frozen=True, slots=True)
class LateHeartbeat:
    """A heartbeat that came `gap` seconds after the one before; `closed` if the server gave the connection up."""

    time: float
    shard: int
    gap: float
    closed: bool = False


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """Something in the life of a connection: connect, identify, ready, resume, refuse, close."""

    time: float
    what: str
    shard: int
    detail: str = ""


@dataclass(slots=True)
class Records:
    """All logs; `max_records` bounds each."""

    max_records: int | None
    requests: deque[Request] = field(init=False)
    refused: deque[Request] = field(init=False)
    limited: deque[Limited] = field(init=False)
    pings: deque[Ping] = field(init=False)
    mentions_by_edit: deque[Ping] = field(init=False)
    late_heartbeats: deque[LateHeartbeat] = field(init=False)
    gateway: deque[GatewayEvent] = field(init=False)
    crashes: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.requests = deque(maxlen=self.max_records)
        self.refused = deque(maxlen=self.max_records)
        self.limited = deque(maxlen=self.max_records)
        self.pings = deque(maxlen=self.max_records)
        self.mentions_by_edit = deque(maxlen=self.max_records)
        self.late_heartbeats = deque(maxlen=self.max_records)
        self.gateway = deque(maxlen=self.max_records)
