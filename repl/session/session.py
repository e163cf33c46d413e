"""A writer's session: its stories, the settings for what is written next, and what is saved of them.

Knows no command and no terminal.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import engine
from repl.session.answers import Answer
from repl.session.chat import Chat, speaker_of
from repl.session.places import Target, position
from repl.session.progress import Progress
from repl.session.session_store import MAIN, Draft, SessionStore, begin
from repl.settings import PRESETS, changed_settings, shown_values
from repl.view.layout import side_by_side
from repl.view.style import OWN

SUGGESTION_LENGTH = 40  # tokens
SHOWN_END = 240  # characters of the story that are shown after a jump
NOTE_SECONDS = 1.0  # between two notes of how far a reply is, in case the process is killed


class Session:
    """The stories of one session, by name, and how they are written and kept."""

    def __init__(
        self,
        model: engine.Engine,
        sampling: engine.Sampling,
        store: SessionStore | None = None,
        *,
        source: str | None = None,
        load: Callable[[str], engine.Engine] | None = None,
        presets: Mapping[str, dict[str, Any]] = PRESETS,
    ) -> None:
        self.model, self.sampling, self.store = model, sampling, store
        self.source, self.presets = source, presets
        self.keys: Mapping[str, str] = {}
        """The keys that the writer has chosen, which the help shows."""
        self.columns, self.has_color, self.speed, self.theme = 80, True, 0.0, OWN
        self.choices: list[Target] = []
        """What a number chooses among, after /alt and /find."""
        self.marks: dict[str, Target] = {}
        """Places that have a name. Never changed in place."""
        self.to_delete = ""
        """The session that a second '/delete' of its name deletes."""
        self.progress = Progress()
        """The long task that is running, for the terminal to show and to stop."""
        self.remark = ""
        """What to tell the writer at the beginning."""
        self.chat: Chat | None = None
        """Who types and whom the model writes; None where it writes a story."""
        self.name = MAIN
        self.stories = {MAIN: model.conversation(sampling=sampling)}
        self._load = load or engine.load
        self._shown_position: tuple[engine.Conversation, int, str] = (self.story, -1, "")
        self._told: set[str] = set()
        self._draft: Draft | None = None
        self._draft_noted = 0.0  # when, by the monotonic clock
        self._kept: dict[str, object] = {}  # by story, what of it was saved last
        self._unkept: dict[str, str] = {}  # stories that are still to be saved, and why they could not be
        self._kept_present = ""  # the story that the store has as the present one

    @property
    def story(self) -> engine.Conversation:
        """The present story."""
        return self.stories[self.name]

    @property
    def unkept(self) -> str:
        """Why a story could not be kept; empty where all are."""
        return next(filter(None, self._unkept.values()), "")

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks in the chat that the model was trained on, the most frequent first."""
        try:
            return engine.about(self.source).speakers
        except engine.EngineError:  # its folder has gone away
            return ()

    @property
    def drawing(self) -> engine.Sampling:
        """The settings for a reply: in a chat it ends with the line."""
        return self.sampling if self.chat is None else self.chat.sampling(self.sampling)

    def text_of(self, typed: str) -> str:
        """What is added to the story for what was typed: in a chat, lines with names."""
        return typed if self.chat is None else self.chat.text_of(typed, self.story.turns)

    def suggest(self, text: str) -> engine.Reply:
        """The likeliest continuation of the story with `text` after it. The story itself stays as it is."""
        sampling = engine.Sampling(
            temperature=0, length=SUGGESTION_LENGTH, stop=("\n",), ban=self.sampling.ban, bias=self.sampling.bias
        )
        typed = text if self.chat is None else self.chat.begun(text, self.story.turns)
        return self.story.fork().say(typed, sampling=sampling)

    def write(self, kind: str, text: str, sampling: engine.Sampling, branch: Sequence[int] | None = None) -> Answer:
        """Begin a reply as `begin` does. Call `finish` once it has ended."""
        story = self.story
        parent = story.present
        seed = None if story.tree else story.snapshot().turns[0].checkpoint.seed
        speaker = ""
        if self.chat is not None:
            is_within = kind == "say" and any(turn.kind == "reply" for turn in story.turns[-1:])
            told = text if text or is_within else _prompt_of(story, branch[0] if branch else parent)
            speaker = speaker_of(told)
        reply = begin(story, kind, text, sampling, branch)
        if self.store is not None:
            self._draft_noted = float("-inf")
            self._draft = Draft(kind, text, parent, sampling, seed, branch=list(branch or ()) or None)
        new = {old: substitute for old, substitute in reply.unseen.items() if old not in self._told}
        self._told |= new.keys()
        return Answer(engine.tell_unseen(new, self.model.info.level) if new else "", reply, speaker=speaker)

    def note_written(self, written: int) -> None:
        """Note how many characters of the present reply there are, at most once a second. Call it with each piece."""
        now = time.monotonic()
        if self.store is not None and self._draft is not None and now - self._draft_noted > NOTE_SECONDS:
            self._draft_noted = now
            self.store.note_draft(self.name, self.story, replace(self._draft, written=written))

    def finish(self, answer: Answer) -> Answer:
        """Keep the story once the replies of an answer have ended. Returns what to show then."""
        try:
            shown = self._offer(answer.replies) if answer.replies else Answer()
        except engine.EngineError as error:
            shown = Answer(str(error))
        self._draft = None
        return self.keep_after(shown)

    def keep(self) -> None:
        """Save the present story if anything about it is new, and others that could not be saved before.

        Raises `StoreError` or `OSError`, once all were tried.
        """
        self.story.sampling = self.sampling
        errors = []
        for name in [*(name for name in self._unkept if name != self.name), self.name]:
            story, mark = self.stories[name], _mark(self, name)
            is_new = mark != self._kept.get(name) or (name == self.name and name != self._kept_present)
            try:
                if self.store is not None and is_new and story.tree:
                    self.store.save(name, story, self.about)
                    self._kept[name], self._kept_present = mark, name
                self._unkept.pop(name, None)
            except (engine.EngineError, OSError) as error:
                self._unkept[name] = str(error)
                errors.append(error)
        if errors:
            raise errors[-1]

    def keep_after(self, answer: Answer) -> Answer:
        """Keep the story. Returns the answer; where keeping fails for a new reason, that is added to its message."""
        before = self.unkept
        with contextlib.suppress(engine.EngineError, OSError):
            self.keep()
        if not self.unkept or self.unkept == before:
            return answer
        notice = f"(not kept: {self.unkept}; '/save NAME' tries another name, '/export FILE' writes a file)"
        return replace(answer, message=f"{answer.message}\n{notice}".strip("\n"))

    def replace_stories(
        self, stories: dict[str, engine.Conversation], present: str = MAIN, stored: Collection[str] = (),
        marks: Mapping[str, Target] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """Go on with these stories and marks. Those that are `stored` are in the store already."""
        self.stories, self.marks = stories, dict(marks)
        self.name = self._kept_present = next(name for name in (present, MAIN, *stories) if name in stories)
        self._kept = {name: _mark(self, name) for name in stored}
        self._unkept = {name: "" for name in stories if name not in stored}

    def go(self, place: Target) -> None:
        """Go to a place of this session. Raises `ValueError` if it is gone."""
        if place.story not in self.stories:
            raise ValueError(f"there is no story {place.story!r} in this session any more")
        self.stories[place.story].goto(place.turn)
        self.name = place.story

    def change_model(self, source: str) -> Answer:
        """Load another model and have it read the present stories; they are kept as another session.

        Raises `Stopped` or `EngineError`, having changed nothing.
        """
        before = self.model
        with self.progress.during(f"changing to {source}"), contextlib.ExitStack() as undo:
            model = self._load(source)
            undo.callback(model.close)
            texts = {name: engine.Texts.of(story) for name, story in self.stories.items()}
            parts = sum(len(text.turns) for text in texts.values())
            stories = {
                name: engine.read_again(
                    model, text, self.sampling, wait=lambda reply, _: self.progress.wait(reply, parts)
                )
                for name, text in texts.items()
            }
            self.progress.update(1.0)
            undo.pop_all()
        store, stays = self.store, ""
        if store is not None and any(story.tree for story in self.stories.values()):
            if store.title:
                stays = f"; {store.title!r} stays as it was, and this is a session of its own"
            store.start_new(f"{store.title}-{model.info.name}" if store.is_named else "")
        self.model, self.source = model, source
        self.replace_stories(stories, self.name, marks=self.marks)
        before.close()
        return Answer(f"this is {model.info.name} now; it has read the story so far{stays}")

    def end_of_story(self) -> Answer:
        """The end of the story."""
        text = self.story.text
        return Answer(engine.last_words(text, SHOWN_END), is_asked_for=True) if text else Answer("(the story is empty)")

    def status(self) -> str:
        """The model, the settings, the present turn and the session's name in one line."""
        settings = shown_values(changed_settings(self.sampling), "  ")
        chat = "" if self.chat is None else f"  {engine.visible(self.chat.me)} to {engine.visible(self.chat.other)}"
        store = self.store
        kept = "  NOT KEPT" if self.unkept else f"  {store.title}" if store is not None and store.is_named else ""
        return f"{self.model.info.name}{chat}  {settings}  {self.name}:{self.story.present}{self._position()}{kept}"

    def _position(self) -> str:
        """Which of the replies at its place the present turn is. Kept, because it is asked for with every key."""
        here = self.story, self.story.present
        if self._shown_position[:2] != here:
            number = position(self.story.tree, self.story.present)
            self._shown_position = (*here, f" ({number})" if number else "")
        return self._shown_position[2]

    @property
    def about(self) -> dict[str, Any]:
        """What is kept of the session beside its stories."""
        return {
            "model": self.source or self.model.info.name,
            "chat": None if self.chat is None else [self.chat.me, self.chat.other],
            "marks": {name: [place.story, place.turn] for name, place in self.marks.items()},
        }

    def _offer(self, replies: tuple[engine.Reply, ...]) -> Answer:
        texts = [result.text for reply in replies if (result := reply.result()).drawn]
        if not texts:
            return Answer("(stopped before there was anything to choose from)")
        here = self.story.present
        made = [turn.id for turn in self.story.tree if turn.parent == here][-len(texts) :]
        self.choices = [Target(self.name, turn) for turn in made]
        stopped = "stopped; " if any(reply.finish_reason == "cancelled" for reply in replies) else ""
        hint = f"({stopped}1 to {len(texts)} chooses, else the story stays as it is; /tree shows them all later)"
        return Answer("\n".join([*side_by_side(texts, self.columns), hint]), is_asked_for=True)


def _prompt_of(story: engine.Conversation, turn: int) -> str:
    """The text of the prompt that a reply answers, or of that prompt itself; "" if there is none."""
    turns = {one.id: one for one in story.tree}
    here = turns.get(turn)
    if here is not None and here.kind == "reply":
        here = turns.get(here.parent or 0)
    return here.text if here is not None and here.kind == "prompt" else ""


def _mark(session: Session, name: str) -> object:
    """A value that changes whenever there is something new to save of a story."""
    story = session.stories[name]
    return id(story), story.present, len(story.tree), story.sampling, session.chat, session.marks
