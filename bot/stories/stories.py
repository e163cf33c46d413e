"""The stories of channels in the engine's store: which story a channel is in, who wrote what, what is being written.

Everything here blocks on the database and runs in worker threads. The choices of a channel and the replies that are
being written are notes in the store, so a process that starts after a crash knows them.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import engine
from bot.settings import Writing
from bot.stories.channels import Channel, ChannelRecord, Choices
from bot.stories.refusals import NoStory

MAX_OPEN_TURNS = 1000  # kept in memory with their texts, without states; other stories are opened on demand
_log = logging.getLogger(__name__)
WRITING = "discord/writing"  # the topic of the notes on replies that are being written
VOTES, BALLOTS = "discord/vote", "discord/ballots"  # of votes, and the beginning of a vote's topic with its ballots
NoteKey = tuple[str, str]  # a topic, and a name in it


@dataclass(slots=True)
class Story:
    """An open story. One request at a time works on it: `StoryAccess` sees to that."""

    channel: Channel
    serial: int
    model: str
    conversation: engine.Conversation
    size: int = 0  # its turns, when it was last remembered

    @property
    def name(self) -> str:
        """The story's name in the store."""
        return self.channel.story_name(self.serial)


class Stories:
    """Opens and saves stories. Several threads may call it, but only one at a time for each channel."""

    def __init__(
        self, store: engine.Store, models: Mapping[str, engine.Engine], writing: Writing,
        speakers: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """`speakers` are those of the chats that models were trained on, by the names of the models."""
        self.store, self.models, self.writing, self.speakers = store, models, writing, speakers
        self._open: OrderedDict[tuple[Channel, int], Story] = OrderedDict()
        self._guard = threading.Lock()

    @property
    def default_model(self) -> str:
        """The name of the first model."""
        return next(iter(self.models))

    # Channels

    def record(self, channel: Channel) -> ChannelRecord:
        """What the store keeps about a channel."""
        note = self.store.note(*_record_note(channel))
        if note is None:
            return ChannelRecord()
        stories = {int(serial): model for serial, model in note["stories"].items()}
        return ChannelRecord(note["current"], stories, note["chosen"], note.get("last", max(stories, default=0)))

    def channels(self, guild: int) -> list[Channel]:
        """All channels of a guild that have stories."""
        return [Channel(guild, int(number)) for number in self.store.notes(_records(guild))]

    def choices(self, channel: Channel) -> Choices:
        """How a channel's replies are written."""
        return Choices.of(self.writing, self.record(channel))

    def choose(self, channel: Channel, **chosen: Any) -> Choices:
        """Change some of a channel's choices; None goes back to the operator's setting."""
        record = self.record(channel)
        kept = {name: value for name, value in {**record.chosen, **chosen}.items() if value is not None}
        self._write_record(channel, replace(record, chosen=kept))
        return self.choices(channel)

    def model(self, channel: Channel) -> str:
        """The model that writes a channel's present story, or would write its first one."""
        record = self.record(channel)
        name = record.stories.get(record.current, "")
        return name if name in self.models else self.default_model

    # Opening and saving

    def present(self, channel: Channel) -> Story:
        """The present story of a channel; a new one if it has none."""
        record = self.record(channel)
        if not record.current:
            return self.begin(channel, self.default_model)
        return self.open(channel, record.current)

    def begin(
        self, channel: Channel, model: str, conversation: engine.Conversation | None = None,
        authors: Mapping[int, int] | None = None,
    ) -> Story:  # fmt: skip
        """Begin a story, or take over a conversation with its `authors`. It becomes the channel's present story.

        `authors` maps the ids of turns to the members who wrote them. Turns that are not in the conversation are left
        out.
        """
        record = self.record(channel)
        serial = record.last + 1
        story = Story(channel, serial, model, conversation or _begun(self.models[model], channel, self.writing))
        changed = replace(record, current=serial, stories={**record.stories, serial: model}, last=serial)
        turns = {turn.id for turn in story.conversation.tree} if authors else set()
        notes = {author_note(story, turn): author for turn, author in (authors or {}).items() if turn in turns}
        self.store.save(story.conversation, story.name, notes={_record_note(channel): asdict(changed), **notes})
        self._remember(story)
        return story

    def open(self, channel: Channel, serial: int) -> Story:
        """One of a channel's stories. Raises `NoStory` if it was deleted.

        If its model was trained again since, the model reads the story again, and the result replaces the old one.
        """
        record = self.record(channel)
        if serial not in record.stories:
            raise NoStory("that story was forgotten: /continue begins another one")
        with self._guard:
            story = self._open.get((channel, serial))
        if story is not None and self.store.is_current(story.conversation):
            self._remember(story)
            return story
        name, model = channel.story_name(serial), record.stories[serial]
        if model not in self.models:
            raise NoStory(f"that story was written by the model {model}, which is gone: /model chooses another")
        try:
            conversation = self.store.open(self.models[model], name, owner=channel)
        except engine.OtherWeights:
            conversation = self.store.open(self.models[model], name, feed_again=True, owner=channel)
            self.store.save(conversation, name, replaces=True)
        story = Story(channel, serial, model, conversation)
        self._remember(story)
        return story

    def peek(self, channel: Channel) -> Story:
        """The present story, from memory or from the store. Raises `NoStory` if there is none; begins none."""
        record = self.record(channel)
        if not record.current:
            raise NoStory("there is no story here yet: /continue begins one")
        with self._guard:
            story = self._open.get((channel, record.current))
        return story or self.open(channel, record.current)

    def make_present(self, story: Story) -> None:
        """Have the channel's next `/continue` go on with this story."""
        record = self.record(story.channel)
        if record.current != story.serial:
            self._write_record(story.channel, replace(record, current=story.serial))

    def change_model(self, channel: Channel, model: str) -> Story:
        """Have another model read the present story and continue it as a new one; no change if it has that model."""
        record = self.record(channel)
        if not record.current:
            return self.begin(channel, model)
        if record.stories[record.current] == model:
            return self.open(channel, record.current)
        texts = self.store.texts(channel.story_name(record.current))
        conversation = engine.read_again(self.models[model], texts, owner=channel)
        return self.begin(channel, model, conversation, self.authors(channel, record.current))

    def save(self, story: Story, notes: Mapping[NoteKey, Any] | None = None) -> None:
        """Save what is new in a story, together with notes, in one transaction."""
        try:
            self.store.save(story.conversation, story.name, notes=notes)
        except engine.StoreError:
            self.drop(story.channel)  # what is in memory may be ahead of the store; the store is right
            raise
        self._remember(story)

    def drop(self, channel: Channel) -> None:
        """Remove a channel's stories from memory."""
        with self._guard:
            for key in [key for key in self._open if key[0] == channel]:
                del self._open[key]

    # Deleting

    def authors(self, channel: Channel, serial: int) -> dict[int, int]:
        """Who wrote what in a story: the ids of members by the ids of turns."""
        return {int(turn): author for turn, author in self.store.notes(_authors(channel, serial)).items()}

    def forget(self, channel: Channel) -> int:
        """Delete all stories of a channel permanently; returns their number. The channel's choices stay."""
        record = self.record(channel)
        self.drop(channel)
        unfinished = [(WRITING, key) for key in _on_messages(self.store, WRITING, channel)]
        for key in _on_messages(self.store, VOTES, channel):
            ballots = f"{BALLOTS}/{key}"
            unfinished += [(VOTES, key), *((ballots, member) for member in self.store.notes(ballots))]
        self.store.write_notes(dict.fromkeys(unfinished))
        left = dict(record.stories)
        for serial in record.stories:
            del left[serial]
            notes: dict[NoteKey, Any] = {
                (_authors(channel, serial), str(turn)): None for turn in self.authors(channel, serial)
            }
            notes[_record_note(channel)] = asdict(replace(record, current=max(left, default=0), stories=left))
            self.store.delete(channel.story_name(serial), notes=notes)
        return len(record.stories)

    def forget_member(self, channel: Channel, member: int) -> int:
        """Delete what a member wrote in a channel; returns the number of texts.

        The model reads the stories again without them. Its own words and other members' texts stay and keep their ids.
        """
        count, record = 0, self.record(channel)
        self.store.write_notes(
            {(f"{BALLOTS}/{key}", str(member)): None for key in _on_messages(self.store, VOTES, channel)}
        )
        for serial, wrote in record.stories.items():
            theirs = {turn for turn, author in self.authors(channel, serial).items() if author == member}
            if not theirs:
                continue
            model = wrote if wrote in self.models else self.default_model
            name = channel.story_name(serial)
            texts = self.store.texts(name).without(theirs)
            conversation = engine.read_again(self.models[model], texts, owner=channel)
            record = replace(record, stories={**record.stories, serial: model})
            notes: dict[NoteKey, Any] = {(_authors(channel, serial), str(turn)): None for turn in theirs}
            notes[_record_note(channel)] = asdict(record)
            self.drop(channel)
            self.store.save(conversation, name, notes=notes, replaces=True)
            count += len(theirs)
        return count

    def _write_record(self, channel: Channel, record: ChannelRecord) -> None:
        self.store.write_notes({_record_note(channel): asdict(record)})

    def _remember(self, story: Story) -> None:
        """Keep a story in memory as the latest, and remove the oldest ones beyond the limit."""
        story.size = 1 + len(story.conversation.tree)
        with self._guard:
            self._open[story.channel, story.serial] = story
            self._open.move_to_end((story.channel, story.serial))
            turns = sum(one.size for one in self._open.values())
            while turns > MAX_OPEN_TURNS and len(self._open) > 1:
                _, oldest = self._open.popitem(last=False)
                turns -= oldest.size


def _begun(model: engine.Engine, channel: Channel, writing: Writing) -> engine.Conversation:
    """A conversation that remembers what the operator's settings name."""
    conversation = model.conversation(owner=channel)
    for name in writing.remember:
        try:
            conversation.remember(engine.read_files(name)[0])
        except (ValueError, engine.EngineError) as error:  # members cannot mend it
            _log.warning("event=not-remembered file=%r reason=%r", name, str(error))
    return conversation


def author_note(story: Story, turn: int) -> NoteKey:
    """The key of the note on who wrote a turn."""
    return _authors(story.channel, story.serial), str(turn)


def _authors(channel: Channel, serial: int) -> str:
    return f"discord/author/{channel.key}/{serial}"


def _on_messages(store: engine.Store, topic: str, channel: Channel) -> list[str]:
    """The keys of the notes on a channel's messages."""
    return [key for key in store.notes(topic) if key.startswith(f"{channel.key}/")]


def _records(guild: int) -> str:
    """The topic of the notes on a guild's channels."""
    return f"discord/channel/{guild}"


def _record_note(channel: Channel) -> NoteKey:
    return _records(channel.guild), str(channel.id)
