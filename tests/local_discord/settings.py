"""What a test may set about the local Discord before it starts: times, limits and the application's rights."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests in a window of `per` seconds that the first of them opens."""

    limit: int
    per: float


@dataclass(frozen=True, slots=True)
class Rates:
    """One bucket a kind of route and major parameter (channel, guild or interaction token); `overall` is the bot's."""

    message_create: Rate = Rate(5, 5.0)
    message_edit: Rate = Rate(5, 5.0)
    message_delete: Rate = Rate(5, 1.0)
    message_get: Rate = Rate(5, 1.0)
    thread_create: Rate = Rate(10, 600.0)
    channel: Rate = Rate(5, 5.0)
    typing: Rate = Rate(5, 5.0)
    webhook: Rate = Rate(5, 2.0)
    commands: Rate = Rate(5, 20.0)
    callback: Rate = Rate(1000, 1.0)
    other: Rate = Rate(50, 1.0)
    overall: Rate = Rate(50, 1.0)


UNLIMITED = Rates(*[Rate(10_000, 1.0)] * len(fields(Rates)))  # for tests of anything but limits


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds. `max_records` bounds every log, `max_edits` the edits that one message remembers."""

    rates: Rates = field(default_factory=Rates)
    answer_within: float = 3.0
    token_lifetime: float = 900.0
    heartbeat_interval: float = 41.25
    heartbeat_tolerance: float = 1.0
    resume_within: float = 90.0
    max_replay: int = 1000
    recommended_shards: int = 1
    max_concurrency: int = 1
    identify_window: float = 5.0
    session_starts: int = 1000
    privileged_intents: int = 0
    followups_count_overall: bool = False
    installs: tuple[int, ...] = (0, 1)  # 0: on guilds, 1: by users
    takes_layouts: bool = True
    attachment_size_limit: int = 10 * 1024 * 1024
    max_records: int | None = None
    max_edits: int | None = None
