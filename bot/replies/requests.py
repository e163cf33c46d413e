"""Requests for replies, the notes on them, and how they are carried out. Blocks; knows nothing of Discord.

The random numbers are a part of the story. So a request that is carried out again from the same checkpoint gives the
same words, and a note with the request is enough to finish a reply after a crash.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import engine
from bot.messages.pages import CONTENT, FORMATS, Chain, Token
from bot.stories.channels import Channel, Choices
from bot.stories.chats import chat_stops, chat_text, name_of, names_in, other_than, said_lines, shown_lines
from bot.stories.navigation import check_turn
from bot.stories.refusals import NoStory
from bot.stories.stories import WRITING, NoteKey, Stories, Story, author_note
from bot.stories.votes import Vote, open_votes

MAX_ATTEMPTS = 2  # processes that try to finish a reply; the next one only feeds its text
JOINERS = {"space": " ", "line": "\n", "nothing": ""}  # by `Choices.join`


@dataclass(frozen=True, slots=True)
class Request:
    """A reply that a member asked for. A `serial` or `turn` of None means the channel's present story or turn."""

    member: int
    kind: Literal["continue", "retry", "alternatives"] = "continue"
    text: str = ""
    serial: int | None = None
    turn: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)
    name: str = ""  # of who wrote the text, as members see it
    is_said: bool = False  # whether the text stands in the channel as a message of theirs
    is_mention: bool = False  # whether that message asked for it; a chat answers it with a message without buttons
    opening: str = ""  # of the speaker's line, after the text
    speaker: str = ""  # whose lines the model writes, in a chat; none in a story
    number: int = 1  # of alternatives
    author: int = 0  # of the text, if that is another member
    most: int = 0  # tokens there, if that is fewer than the channel's limit
    minutes: int = 0  # of a vote among these; 0: whoever presses first chooses


@dataclass(frozen=True, slots=True)
class Begun:
    """A reply that has just begun, or alternatives; `fed` is the text that was fed, `last` the newest turn before."""

    story: Story
    request: Request
    replies: tuple[engine.Reply, ...]
    fed: str = ""
    last: int = 0

    @property
    def reply(self) -> engine.Reply:
        """The reply, or the first of the alternatives."""
        return self.replies[0]

    def stop(self) -> None:
        """Ask for the end of all of them."""
        for reply in self.replies:
            reply.stop()


@dataclass(frozen=True, slots=True)
class Written:
    """A reply as it is shown: the turn where it ends, its text, and how much of the beginning a member wrote.

    Alternatives are turns with their texts instead; `vote` is theirs, if there is one.
    """

    story: Story
    turn: int
    text: str
    num_bold: int
    options: dict[int, str] = field(default_factory=dict)
    vote: Vote | None = None
    told: str = ""  # how the vote ended that chose this
    decided: dict[int, str] = field(default_factory=dict)  # what that vote was about
    is_bare: bool = False  # like a member's message: without buttons

    @property
    def rules(self) -> str:
        """How one of the alternatives is chosen, in Discord's Markdown."""
        if self.vote is None:
            return "press the one to go on with"
        return f"vote for the one to go on with; it is decided <t:{self.vote.ends:.0f}:R>"


@dataclass(frozen=True, slots=True)
class Saved:
    """A reply that is in the store but perhaps not shown yet; of alternatives, all turns.

    Of what a vote chose, `told` says how that ended, and `decided` has all its turns.
    """

    serial: int
    turn: int
    fed: str
    options: list[int] = field(default_factory=list)
    speaker: str = ""
    told: str = ""
    decided: list[int] = field(default_factory=list)
    is_bare: bool = False


@dataclass(slots=True)
class Note:
    """What the store knows about a reply, from the request until the last edit has arrived.

    It is kept beside a post, whose `chain` of messages it shares. The store has either the request with the number of
    attempts to finish it, or what was saved.
    """

    store: engine.Store
    channel: Channel
    post: int
    chain: Chain
    request: Request | None = None
    attempts: int = 0
    saved: Saved | None = None
    token: Token | None = None  # where nothing else reaches the post

    @classmethod
    def read(cls, store: engine.Store, channel: Channel, post: int, value: Mapping[str, Any]) -> Note:
        """The note that an earlier process left on a post, from its JSON."""
        format = FORMATS[value.get("format", CONTENT.name)]  # earlier versions had only one
        note = cls(store, channel, post, Chain(list(value["messages"]), format))
        if "token" in value:
            note.token = Token(**value["token"])
        if "turn" in value:
            known = Saved.__dataclass_fields__.keys() & value.keys()  # earlier versions had fewer
            note.saved = Saved(**{name: value[name] for name in known})
        else:
            note.request, note.attempts = Request(**value["plan"]), value["attempts"]
        return note

    @property
    def key(self) -> NoteKey:
        """Where the store keeps it."""
        return WRITING, f"{self.channel.key}/{self.post}"

    def value(self, saved: Saved | None = None) -> dict[str, Any] | None:
        """Its JSON, once the reply is `saved` or as it is; None if nothing is known."""
        messages: dict[str, Any] = {"messages": list(self.chain.messages), "format": self.chain.format.name}
        if self.token is not None:
            messages["token"] = asdict(self.token)
        if saved := saved or self.saved:
            return {**asdict(saved), **messages}
        if self.request is None:
            return None
        return {"plan": asdict(self.request), **messages, "attempts": self.attempts}

    def ask(self, request: Request) -> None:
        """Write down what was asked, so that a crash from here on loses nothing."""
        self.request = request
        self.write()

    def count_attempt(self) -> None:
        """Count one more process that tries to finish the reply; all tries of this process count as one."""
        self.store.write_notes({self.key: replace(self, attempts=self.attempts + 1).value()})

    def write(self) -> None:
        """Write it as it is; nothing if nothing is known."""
        if value := self.value():
            self.store.write_notes({self.key: value})

    def remove(self) -> None:
        """Delete it: the reply is shown, or not wanted anymore."""
        self.request = self.saved = None
        self.store.write_notes({self.key: None})


def resolve_request(stories: Stories, channel: Channel, request: Request) -> tuple[Story, Request]:
    """The request's story, and the request with all values filled in. Changes nothing."""
    story = stories.present(channel) if request.serial is None else stories.open(channel, request.serial)
    turn = story.conversation.present if request.turn is None else request.turn
    check_turn(story.conversation, turn)
    if request.kind == "continue":
        turn = _after_remembered(story.conversation, turn)
    choices = stories.choices(channel)
    defaults = {name: getattr(choices, name) for name in ("length", "end", "temperature", "top_p", "memory", "ban")}
    sampling = {**defaults, **request.sampling}
    is_chat = choices.style == "chat" and request.kind != "alternatives"
    if is_chat:
        request, stops = _as_chat(story, turn, request, choices.speaker, stories.speakers.get(story.model, ()))
        sampling["stop"] = stops
    text = request.text if is_chat else _joined(story.conversation, turn, request, choices)
    if request.most:
        sampling["length"] = min(sampling["length"], request.most)
    return story, replace(request, serial=story.serial, turn=turn, sampling=sampling, text=text)


def _after_remembered(conversation: engine.Conversation, turn: int) -> int:
    """A turn, or the last of the texts that the present branch remembered just after it, for what goes on from it."""
    onward = itertools.dropwhile(lambda one: one.id != turn, conversation.turns)
    texts = itertools.takewhile(lambda one: one.kind == "memory", itertools.islice(onward, 1, None))
    return max((one.id for one in texts), default=turn)


def remember(stories: Stories, channel: Channel, text: str, member: int) -> tuple[Story, dict[str, str]]:
    """Have the present story remember a text that a member gave. Returns the story, and what its model never saw.

    Raises `ValueError` for a text that cannot be remembered.
    """
    story = stories.present(channel)
    unseen = story.conversation.remember(text)
    stories.save(story, {author_note(story, story.conversation.present): member})
    return story, unseen


def begin_reply(story: Story, request: Request) -> Begun:
    """Begin the reply to a resolved request. Raises what the engine raises; then nothing has changed.

    A second `continue` from the same turn gives other words, because the same ones again would be of no use.
    """
    conversation = story.conversation
    sampling = replace(conversation.sampling, **{"seed": None, **request.sampling})
    before, turn, tree = conversation.present, request.turn or 0, conversation.tree
    openings = [one.id for one in tree if one.parent == turn and one.kind == "prompt" and one.text == request.opening]
    parents = openings if request.opening else [turn]
    replies = [one for one in tree if one.parent in parents and one.kind == "reply"]
    is_again = bool(replies) and not request.text and sampling.seed is None
    try:
        conversation.goto(replies[-1].id if request.kind == "continue" and is_again else turn)
        if request.kind == "alternatives":
            last = max((one.id for one in conversation.tree), default=0)
            return Begun(story, request, tuple(conversation.alternatives(request.number, sampling)), last=last)
        if request.kind == "retry" or is_again:
            return Begun(story, request, (conversation.retry(sampling),))
        fed = request.text + request.opening
        return Begun(story, request, (conversation.say(fed, sampling=sampling),), fed)
    except Exception:
        conversation.goto(before)
        raise


def keep_reply(stories: Stories, begun: Begun, note: Note, back_to: int) -> Written:
    """Save a reply that has ended, the author of its prompt, and its note, in one transaction.

    The story then goes back to the turn `back_to`, unless the reply began there.
    """
    conversation, request = begun.story.conversation, begun.request
    turn, is_choice = conversation.present, request.kind == "alternatives"
    options = {one.id: one.text for one in conversation.tree if one.id > begun.last} if is_choice else {}
    fed = "" if request.speaker and request.is_said else begun.fed
    is_bare = bool(request.speaker) and request.is_mention
    saved = Saved(begun.story.serial, turn, fed, list(options), request.speaker, is_bare=is_bare)
    notes: dict[NoteKey, Any] = {note.key: note.value(saved)}
    vote = None
    if options and request.minutes and note.chain.messages:  # else there is nothing to vote below
        ends = time.time() + 60 * request.minutes
        vote = Vote(note.channel, note.chain.messages[-1], saved.serial, tuple(options), ends, note.chain.format.name)
        notes[vote.key] = vote.value()
    prompt = next((one for one in conversation.turns if one.kind == "prompt" and one.parent == request.turn), None)
    if begun.fed and request.text and prompt is not None:  # a text of which the model knows nothing becomes no prompt
        notes[author_note(begun.story, prompt.id)] = request.author or request.member
    if back_to != request.turn:
        conversation.goto(back_to)
    stories.save(begun.story, notes)
    note.saved = saved
    if options:
        return Written(begun.story, turn, "", 0, options, vote)
    return as_shown(begun.story, turn, "" if is_choice else begun.reply.text, fed, request.speaker, is_bare)


def finish_reply(stories: Stories, note: Note) -> Written:
    """Finish what an earlier process left, without moving members who have gone on since.

    Raises `NoStory` if the story was deleted meanwhile, and `EngineError` if the engine ends first.
    """
    if note.saved is not None:
        return _find_saved(stories, note, note.saved)
    if (request := note.request) is None:
        raise NoStory("nothing is known of it")
    note.count_attempt()
    if request.serial is None or request.turn is None:
        story, request = resolve_request(stories, note.channel, request)
    else:
        story = stories.open(note.channel, request.serial)
        check_turn(story.conversation, request.turn)
    if note.attempts >= MAX_ATTEMPTS:
        request = replace(request, sampling={**request.sampling, "length": 0})
    back_to = story.conversation.present
    begun = begin_reply(story, request)
    if any(
        reply.result().finish_reason == "cancelled" for reply in begun.replies
    ):  # a restart again: the next process has to finish it
        raise engine.EngineClosed("the engine was closed")
    return keep_reply(stories, begun, note, back_to)


def _find_saved(stories: Stories, note: Note, saved: Saved) -> Written:
    """A reply that an earlier process saved but perhaps did not show to its end."""
    story = stories.open(note.channel, saved.serial)
    shown = {*saved.options, *saved.decided}
    texts = {turn.id: turn.text for turn in story.conversation.tree if turn.id in shown}
    if texts and saved.options:
        vote = next((one for one in open_votes(stories.store) if one.message in note.chain.messages), None)
        return Written(story, saved.turn, "", 0, texts, vote)
    found = next((turn for turn in story.conversation.tree if turn.id == saved.turn), None)
    if found is None:
        raise NoStory("that part of the story was forgotten")
    written = as_shown(
        story, found.id, found.text if found.kind == "reply" else "", saved.fed, saved.speaker, saved.is_bare
    )
    return replace(written, told=saved.told, decided=texts)


def as_shown(story: Story, turn: int, reply: str, fed: str, speaker: str = "", is_bare: bool = False) -> Written:
    """A reply as it is shown: after a member's text in bold, without the blanks at the start, which Discord drops.

    In a chat they are lines, and those of the `speaker` have no name.
    """
    if speaker:
        said, lines = said_lines(fed, speaker), shown_lines(reply, speaker)
        return Written(story, turn, f"{said}\n{lines}" if said else lines, len(said), is_bare=is_bare)
    text = fed + reply
    stripped = text.lstrip() if fed else text.lstrip("\n")
    return Written(story, turn, stripped, max(0, len(fed) - (len(text) - len(stripped))))


def _as_chat(
    story: Story, turn: int, request: Request, chosen: str, speakers: Sequence[str]
) -> tuple[Request, list[str]]:
    """The request as lines of a chat, and the texts that end the reply.

    Whose line it is that is written again, or goes on, stands in the prompt; it does not matter who asks for that.
    """
    turns = {one.id: one for one in story.conversation.tree}
    before = _last_words(story.conversation, turn)
    here = turns.get(turn)
    is_open = here is not None and here.kind == "reply" and here.finish_reason != "stop"
    me = other = text = opening = ""
    if request.kind == "retry" or (is_open and not request.text.strip()):
        while here is not None and here.kind != "prompt":
            here = turns.get(here.parent or 0)
        me, other = names_in(here.text if here is not None else "")
    me = me or name_of(request.name)
    other = other or other_than(me, chosen, speakers)
    if request.kind == "continue":
        text, opening = chat_text(request.text, me, other, before, is_open)
    return replace(request, text=text, opening=opening, speaker=other), chat_stops(me, other, speakers)


def _last_words(conversation: engine.Conversation, turn: int) -> str:
    """The text of the last turn up to this one that is part of the story and has any."""
    turns = {one.id: one for one in conversation.tree}
    here = turns.get(turn)
    while here is not None and (not here.text or here.kind == "memory"):
        here = turns.get(here.parent or 0)
    return here.text if here is not None else ""


def _joined(conversation: engine.Conversation, turn: int, request: Request, choices: Choices) -> str:
    """The request's text, with the channel's joiner before it if there is no blank between story and text."""
    before, text = _last_words(conversation, turn), request.text
    if request.kind == "retry" or not text or not before or before[-1].isspace() or text[0].isspace():
        return text
    is_mark = choices.join == "space" and not text[0].isalnum() and text[0] not in "\"'(["
    return text if is_mark else JOINERS[choices.join] + text
