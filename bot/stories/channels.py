"""A Discord channel that has stories: its key, what the store keeps about it, and how its replies are written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from bot.settings import ENDS, MEMORIES, Writing
from bot.stories.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, a thread or a direct message by its id; `guild` is 0 for a direct message.

    Where the bot is no member, `guild` is the id of the person who uses it there: each has stories of their own.
    """

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
    style: str = "story"
    speaker: str = ""
    ban: tuple[str, ...] = ()

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
            memory=min(made.memory, writing.max_memory, key=MEMORIES.index),
            ban=tuple(dict.fromkeys((*writing.ban, *made.ban))),
        )  # fmt: skip


STYLES = ("story", "chat")
MAX_PHRASE = 100  # characters of a phrase that is banned


@dataclass(frozen=True, slots=True)
class Setting:
    """One of a channel's settings, as members read and fill it in: one of `choices`, or a number from `low` on.

    The most is what the operator allows: the setting `limit` of `Writing`, or `high`.
    """

    name: str
    title: str
    choices: tuple[str, ...] = ()
    is_whole: bool = False
    low: float = 0
    high: float = 1
    limit: str = ""
    is_in_form: bool = True

    def range(self, writing: Writing) -> tuple[float, float]:
        """The least and the most that a channel may choose."""
        return self.low, getattr(writing, self.limit) if self.limit else self.high

    def allowed(self, writing: Writing) -> tuple[str, ...]:
        """The choices up to the most that the operator allows."""
        return self.choices[: self.choices.index(getattr(writing, self.limit)) + 1] if self.limit else self.choices

    def read(self, typed: str, writing: Writing) -> Any:
        """The value that somebody has typed; None for nothing, which goes back to the operator's. Raises `Refusal`."""
        if not (text := typed.strip()):
            return None
        if self.choices:
            allowed = self.allowed(writing)
            if text not in allowed:
                raise Refusal(f"{self.name} {text[:20]!r}: must be {' or '.join(allowed)}")
            return text
        low, high = self.range(writing)
        try:
            value = int(text) if self.is_whole else float(text.replace(",", "."))
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            kind = "a whole number" if self.is_whole else "a number"
            raise Refusal(f"{self.name} {text[:20]!r}: must be {kind} from {low:g} to {high:g}")
        return value


def read_phrases(typed: str, writing: Writing) -> list[str]:
    """The phrases that somebody has typed, one a line; blanks at their ends count. Raises `Refusal`."""
    found = list(dict.fromkeys(line for line in typed.splitlines() if line.strip()))
    if len(found) > writing.max_banned:
        raise Refusal(f"{len(found)} phrases: a channel may ban at most {writing.max_banned}")
    if long := next((line for line in found if len(line) > MAX_PHRASE), None):
        raise Refusal(f"the phrase {long[:20]!r}... has {len(long)} characters: at most {MAX_PHRASE} can be banned")
    return found


SETTINGS = (
    Setting("length", "Length of a reply, in tokens", is_whole=True, low=1, limit="max_length"),
    Setting("end", "Where a reply ends, once it has its length", choices=ENDS),
    Setting("temperature", "Temperature: how daring", limit="max_temperature"),
    Setting("top_p", "Choose among the likeliest (top_p)", low=0.01, is_in_form=False),
    Setting("max_length", "The longest reply, in tokens", is_whole=True, low=1, limit="max_length", is_in_form=False),
    Setting("memory", "Write with the story's own words", choices=MEMORIES, limit="max_memory"),
    Setting("style", "A story, or a chat line by line", choices=STYLES),
    Setting("join", "Between the story and a text", choices=("space", "line", "nothing"), is_in_form=False),
)  # the channel's settings, in the order in which they are shown
