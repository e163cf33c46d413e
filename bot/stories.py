"""The stories of channels, in the engine's store: which one a channel is in, who wrote what, what is being written.

All of it blocks on the database and is called from worker threads. What a channel's people chose and what is being
written lies in the store's notes, so that a process that is killed, or another that takes over, knows it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import engine
from bot.settings import Writing

MAX_OPEN_TURNS = 1000  # kept in memory, with their texts but no states; other stories are opened when they are wanted
WRITING = "discord/writing"  # the topic of notes on what is being written
JOINERS = {"space": " ", "line": "\n", "nothing": ""}


@dataclass(frozen=True, slots=True)
class Place:
    """A channel, a thread or a direct message; `guild` is 0 for the last."""

    guild: int
    channel: int

    @property
    def key(self) -> str:
        """Its name in the store."""
        return f"{self.guild}/{self.channel}"

    def story_name(self, serial: int) -> str:
        """The name of one of its stories in the store."""
        return f"discord/{self.key}/{serial}"


@dataclass(frozen=True, slots=True)
class Channel:
    """What is kept of a place: its stories' models by serial number, the present one, and what its people chose."""

    current: int = 0
    stories: dict[int, str] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)  # of `Choices`, what differs from the operator's settings


@dataclass(frozen=True, slots=True)
class Choices:
    """How a channel's replies are written: the operator's settings, or what its moderators made of them."""

    length: int
    temperature: float
    top_p: float
    max_length: int
    join: str = "space"

    @classmethod
    def of(cls, writing: Writing, channel: Channel) -> Choices:
        """A channel's; the operator's limits hold whatever was chosen."""
        given = cls(writing.length, writing.temperature, writing.top_p, writing.max_length)
        made = replace(given, **channel.chosen)
        most = min(made.max_length, writing.max_length)
        return replace(
            made, max_length=most, length=min(made.length, most),
            temperature=min(made.temperature, writing.max_temperature),
        )  # fmt: skip


@dataclass(slots=True)
class Story:
    """An open story. One request at a time works on it: `Scribe` sees to that."""

    place: Place
    serial: int
    model: str
    talk: engine.Conversation
    size: int = 0  # turns, when it was last at rest

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self.place.story_name(self.serial)


class NoStory(Exception):
    """There is no such story or turn; the message says why."""


class Stories:
    """Opens and saves stories. May be called from several threads, but for one place from one at a time."""

    def __init__(self, store: engine.Store, models: Mapping[str, engine.Engine], writing: Writing) -> None:
        self.store, self.models, self.writing = store, models, writing
        self._open: OrderedDict[tuple[Place, int], Story] = OrderedDict()
        self._guard = threading.Lock()

    @property
    def default_model(self) -> str:
        """The first of the models."""
        return next(iter(self.models))

    def channel(self, place: Place) -> Channel:
        """What is kept of a place."""
        note = self.store.note(*_channel_note(place))
        if note is None:
            return Channel()
        return Channel(note["current"], {int(n): model for n, model in note["stories"].items()}, note["chosen"])

    def choices(self, place: Place) -> Choices:
        """How a place's replies are written."""
        return Choices.of(self.writing, self.channel(place))

    def choose(self, place: Place, **chosen: Any) -> Choices:
        """Change some of that; None goes back to the operator's."""
        channel = self.channel(place)
        kept = {name: value for name, value in {**channel.chosen, **chosen}.items() if value is not None}
        self._keep(place, replace(channel, chosen=kept))
        return self.choices(place)

    def model(self, place: Place) -> str:
        """The model that a place's present story is written by, or that its first one would be."""
        channel = self.channel(place)
        name = channel.stories.get(channel.current, "")
        return name if name in self.models else self.default_model

    def present(self, place: Place) -> Story:
        """The present story of a place; a new one where there is none."""
        channel = self.channel(place)
        if not channel.current:
            return self.begin(place, self.default_model)
        return self.open(place, channel.current)

    def begin(self, place: Place, model: str, talk: engine.Conversation | None = None) -> Story:
        """Begin a story in a place, or take over a conversation; it is the present one then."""
        channel = self.channel(place)
        serial = max(channel.stories, default=0) + 1
        story = Story(place, serial, model, talk or self.models[model].conversation(owner=place))
        changed = replace(channel, current=serial, stories={**channel.stories, serial: model})
        self.store.save(story.talk, story.name, notes={_channel_note(place): asdict(changed)})
        self._remember(story)
        return story

    def open(self, place: Place, serial: int, *, is_present: bool = True) -> Story:
        """One of a place's stories, which becomes the present one unless told. Raises `NoStory` if it was forgotten."""
        channel = self.channel(place)
        if serial not in channel.stories:
            raise NoStory("that story was forgotten: /continue begins another one")
        if is_present and channel.current != serial:
            self._keep(place, replace(channel, current=serial))
        with self._guard:
            story = self._open.get((place, serial))
        if story is not None and self.store.is_current(story.talk):
            self._remember(story)
            return story
        model = channel.stories[serial]
        if model not in self.models:
            raise NoStory(f"that story was written by the model {model}, which is gone: /model chooses another")
        try:
            talk = self.store.open(self.models[model], place.story_name(serial), owner=place)
        except engine.OtherWeights:
            return self.read_again(place, serial, model)
        story = Story(place, serial, model, talk)
        self._remember(story)
        return story

    def peek(self, place: Place) -> Story | None:
        """The present story as it is in memory or in the store; None where there is none. Changes nothing."""
        channel = self.channel(place)
        with self._guard:
            story = self._open.get((place, channel.current))
        if story is not None or not channel.current:
            return story
        return self.open(place, channel.current)

    def change_model(self, place: Place, model: str) -> Story:
        """Have the present story read and continued by another model; nothing where it is that model's already."""
        channel = self.channel(place)
        if channel.stories.get(channel.current) == model:
            return self.open(place, channel.current)
        return self.read_again(place, channel.current, model) if channel.current else self.begin(place, model)

    def read_again(self, place: Place, serial: int, model: str) -> Story:
        """A new story of the same text, read by another model or by the same one after new training."""
        return self._feed(place, serial, model, set())

    def save(self, story: Story, notes: Mapping[tuple[str, str], Any] | None = None) -> None:
        """Save what is new of a story, and notes with it in one transaction."""
        try:
            self.store.save(story.talk, story.name, notes=notes)
        except engine.StoreError:
            self.drop(story.place)  # what is in memory may be ahead of the store; the store is right
            raise
        self._remember(story)

    def drop(self, place: Place) -> None:
        """Let go of what is in memory of a place."""
        with self._guard:
            for key in [key for key in self._open if key[0] == place]:
                del self._open[key]

    def forget(self, place: Place) -> int:
        """Delete all stories of a place for good; returns how many there were."""
        channel = self.channel(place)
        self._keep(place, replace(channel, current=0))
        unfinished = [key for key in self.store.notes(WRITING) if key.startswith(f"{place.key}/")]
        self.store.write_notes({(WRITING, key): None for key in unfinished})
        for serial in channel.stories:
            self._delete(place, serial)
        self._keep(place, None)
        return len(channel.stories)

    def forget_member(self, place: Place, member: int) -> int:
        """Delete what a member wrote in a place: stories that hold such words are read again without them.

        Returns how many of their texts there were. What the model wrote and others' texts stay, as one plain branch.
        """
        count, channel = 0, self.channel(place)
        current = channel.current
        for serial, model in channel.stories.items():
            mine = {int(turn) for turn, author in self.store.notes(_authors(place, serial)).items() if author == member}
            if not mine:
                continue
            count += len(mine)
            story = self._feed(place, serial, model if model in self.models else self.default_model, mine)
            current = story.serial if serial == channel.current else current
            self._delete(place, serial)
        if count:  # the last that was read again became the present one
            self._keep(place, replace(self.channel(place), current=current))
        return count

    def _feed(self, place: Place, serial: int, model: str, without: set[int]) -> Story:
        """A new story of a stored one's present branch, read by a model without some turns."""
        talk, authors = self.models[model].conversation(owner=place), self.store.notes(_authors(place, serial))
        wrote: dict[int, int] = {}
        for turn, text in self.store.branch(place.story_name(serial)):
            if turn not in without:
                talk.say(text, length=0).result()
                if str(turn) in authors:
                    wrote[talk.present] = authors[str(turn)]
        story = self.begin(place, model, talk)
        self.store.write_notes({author_note(story, turn): author for turn, author in wrote.items()})
        return story

    def copy_authors(self, story: Story, copy: Story) -> None:
        """Note who wrote what in a copy of a story."""
        copied, authors = (
            {str(turn.id) for turn in copy.talk.turns},
            self.store.notes(_authors(story.place, story.serial)),
        )
        notes = {author_note(copy, int(turn)): author for turn, author in authors.items() if turn in copied}
        self.store.write_notes(notes)

    def places(self, guild: int) -> list[Place]:
        """All places of a guild that have stories."""
        return [Place(guild, int(channel)) for channel in self.store.notes(_channels(guild))]

    def _delete(self, place: Place, serial: int) -> None:
        self.drop(place)
        authors = _authors(place, serial)
        self.store.write_notes({(authors, turn): None for turn in self.store.notes(authors)})
        channel = self.channel(place)
        left = {number: model for number, model in channel.stories.items() if number != serial}
        current = channel.current if channel.current != serial else max(left, default=0)
        self._keep(place, replace(channel, stories=left, current=current))
        self.store.delete(place.story_name(serial))

    def _keep(self, place: Place, channel: Channel | None) -> None:
        self.store.write_notes({_channel_note(place): None if channel is None else asdict(channel)})

    def _remember(self, story: Story) -> None:
        """Keep it in memory as the latest, and let go of the oldest."""
        story.size = 1 + len(story.talk.tree)
        with self._guard:
            self._open[story.place, story.serial] = story
            self._open.move_to_end((story.place, story.serial))
            turns = sum(one.size for one in self._open.values())
            while turns > MAX_OPEN_TURNS and len(self._open) > 1:
                _, oldest = self._open.popitem(last=False)
                turns -= oldest.size


def author_note(story: Story, turn: int) -> tuple[str, str]:
    """Where it is noted who wrote a turn."""
    return _authors(story.place, story.serial), str(turn)


def _authors(place: Place, serial: int) -> str:
    return f"discord/author/{place.key}/{serial}"


def _channels(guild: int) -> str:
    """The topic of the notes on a guild's channels."""
    return f"discord/channel/{guild}"


def _channel_note(place: Place) -> tuple[str, str]:
    return _channels(place.guild), str(place.channel)
