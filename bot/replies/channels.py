"""A Discord channel that has stories: its key, what the store keeps about it, and how its replies are written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from bot.settings import Writing


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, a thread or a direct message by its id; `guild` is 0 for a direct message."""

    guild: int
    id: int

    @property
    def key(self) -> str:
        """The channel's name in the store."""
        return f"{self.guild}/{self.id}"

    def story_name(self, serial: int) -> str:
        """The name of one of its stories in the store."""
        return f"discord/{self.key}/{serial}"


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """What the store keeps about a channel.

    `current` is the serial number of the present story, 0 for none; `stories` has the models by serial number.
    `chosen` holds what the channel's moderators chose in place of the operator's settings, by the names of `Choices`.
    `last` is the highest serial number ever given, so the buttons of a deleted story never mean another one.
    """

    current: int = 0
    stories: dict[int, str] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    last: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """How a channel's replies are written: the operator's settings, with what the moderators chose in place of them."""

    length: int
    temperature: float
    top_p: float
    max_length: int
    join: str = "space"
    memory: str = "off"
    end: str = "sentence"

    @classmethod
    def of(cls, writing: Writing, record: ChannelRecord) -> Choices:
        """A channel's choices. The operator's limits hold, whatever was chosen."""
        given = cls(
            writing.length, writing.temperature, writing.top_p, writing.max_length, memory=writing.memory,
            end=writing.end,
        )  # fmt: skip
        made = replace(given, **record.chosen)
        most = min(made.max_length, writing.max_length)
        return replace(
            made, max_length=most, length=min(made.length, most),
            temperature=min(made.temperature, writing.max_temperature),
        )  # fmt: skip
