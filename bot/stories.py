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
    last: int = 0  # the highest serial number ever given: buttons of a forgotten story never mean another one


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
        stories = {int(serial): model for serial, model in note["stories"].items()}
        return Channel(note["current"], stories, note["chosen"], note.get("last", max(stories, default=0)))

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

    def begin(
        self, place: Place, model: str, talk: engine.Conversation | None = None,
        authors: Mapping[int, int] | None = None,
    ) -> Story:  # fmt: skip
        """Begin a story in a place, or take over a conversation with its `authors`; it is the present one then.

        Authors are members' ids by the ids of the turns that they wrote; those of turns that are not there count not.
        """
        channel = self.channel(place)
        serial = channel.last + 1
        story = Story(place, serial, model, talk or self.models[model].conversation(owner=place))
        changed = replace(channel, current=serial, stories={**channel.stories, serial: model}, last=serial)
        turns = {turn.id for turn in story.talk.tree} if authors else set()
        notes = {author_note(story, turn): author for turn, author in (authors or {}).items() if turn in turns}
        self.store.save(story.talk, story.name, notes={_channel_note(place): asdict(changed), **notes})
        self._remember(story)
        return story

    def open(self, place: Place, serial: int) -> Story:
        """One of a place's stories. Raises `NoStory` if it was forgotten.

        One that was written before its model was trained anew is read again, in place of the old one.
        """
        channel = self.channel(place)
        if serial not in channel.stories:
            raise NoStory("that story was forgotten: /continue begins another one")
        with self._guard:
            story = self._open.get((place, serial))
        if story is not None and self.store.is_current(story.talk):
            self._remember(story)
            return story
        name, model = place.story_name(serial), channel.stories[serial]
        if model not in self.models:
            raise NoStory(f"that story was written by the model {model}, which is gone: /model chooses another")
        try:
            talk = self.store.open(self.models[model], name, owner=place)
        except engine.OtherWeights:
            talk = self.store.open(self.models[model], name, feed_again=True, owner=place)
            self.store.save(talk, name, replaces=True)
        story = Story(place, serial, model, talk)
        self._remember(story)
        return story

    def make_present(self, story: Story) -> None:
        """The place's next `/continue` goes on with this story."""
        channel = self.channel(story.place)
        if channel.current != story.serial:
            self._keep(story.place, replace(channel, current=story.serial))

    def peek(self, place: Place) -> Story | None:
        """The present story as it is in memory or in the store; None where there is none. Changes nothing."""
        channel = self.channel(place)
        with self._guard:
            story = self._open.get((place, channel.current))
        if story is not None or not channel.current:
            return story
        return self.open(place, channel.current)

    def change_model(self, place: Place, model: str) -> Story:
        """Have the present story read and continued by another model, as a new one; nothing where it is its already."""
        channel = self.channel(place)
        if not channel.current:
            return self.begin(place, model)
        if channel.stories[channel.current] == model:
            return self.open(place, channel.current)
        texts = self.store.texts(place.story_name(channel.current))
        talk = engine.read_again(self.models[model], texts, owner=place)
        return self.begin(place, model, talk, self.authors(place, channel.current))

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

    def authors(self, place: Place, serial: int) -> dict[int, int]:
        """Who wrote what: members' ids by those of turns."""
        return {int(turn): author for turn, author in self.store.notes(_authors(place, serial)).items()}

    def forget(self, place: Place) -> int:
        """Delete all stories of a place for good; returns how many there were. What was chosen for the place stays."""
        channel = self.channel(place)
        self.drop(place)
        unfinished = [key for key in self.store.notes(WRITING) if key.startswith(f"{place.key}/")]
        self.store.write_notes({(WRITING, key): None for key in unfinished})
        left = dict(channel.stories)
        for serial in channel.stories:
            del left[serial]
            notes: dict[tuple[str, str], Any] = {
                (_authors(place, serial), str(turn)): None for turn in self.authors(place, serial)
            }
            notes[_channel_note(place)] = asdict(replace(channel, current=max(left, default=0), stories=left))
            self.store.delete(place.story_name(serial), notes=notes)
        return len(channel.stories)

    def forget_member(self, place: Place, member: int) -> int:
        """Delete what a member wrote in a place: stories that hold such words are read again without them.

        Returns how many of their texts there were. What the model wrote and others' texts stay, and keep their ids.
        """
        count, channel = 0, self.channel(place)
        for serial, wrote in channel.stories.items():
            mine = {turn for turn, author in self.authors(place, serial).items() if author == member}
            if not mine:
                continue
            model = wrote if wrote in self.models else self.default_model
            name = place.story_name(serial)
            talk = engine.read_again(self.models[model], self.store.texts(name).without(mine), owner=place)
            channel = replace(channel, stories={**channel.stories, serial: model})
            notes: dict[tuple[str, str], Any] = {(_authors(place, serial), str(turn)): None for turn in mine}
            notes[_channel_note(place)] = asdict(channel)
            self.drop(place)
            self.store.save(talk, name, notes=notes, replaces=True)
            count += len(mine)
        return count

    def places(self, guild: int) -> list[Place]:
        """All places of a guild that have stories."""
        return [Place(guild, int(channel)) for channel in self.store.notes(_channels(guild))]

    def _keep(self, place: Place, channel: Channel) -> None:
        self.store.write_notes({_channel_note(place): asdict(channel)})

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
