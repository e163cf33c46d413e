"""A writer's session: its stories, the settings for what is written next, and what is saved of them.

Knows no command and no terminal.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import engine
from repl.session.answers import Answer
from repl.session.progress import Progress
from repl.session.session_store import MAIN, Draft, SessionStore
from repl.settings import PRESETS, changed_settings, shown_values
from repl.view.layout import side_by_side

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
        self.columns, self.has_color, self.speed = 80, True, 0.0
        self.choices: list[int] = []
        """The turns that a number chooses among, after /alt."""
        self.to_delete = ""
        """The session that a second '/delete' of its name deletes."""
        self.progress = Progress()
        """The long task that is running, for the terminal to show and to stop."""
        self.remark = ""
        """What to tell the writer at the beginning."""
        self.name = MAIN
        self.stories = {MAIN: model.conversation(sampling=sampling)}
        self._load = load or engine.load
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

    def suggest(self, text: str) -> engine.Reply:
        """The likeliest continuation of the story with `text` after it. The story itself stays as it is."""
        sampling = engine.Sampling(
            temperature=0, length=SUGGESTION_LENGTH, stop=("\n",), ban=self.sampling.ban, bias=self.sampling.bias
        )
        return self.story.fork().say(text, sampling=sampling)

    def write(self, kind: str, text: str, sampling: engine.Sampling) -> Answer:
        """Begin a reply: "say" with a text, or "retry". Call `finish` once it has ended."""
        story = self.story
        parent = story.present
        seed = None if story.tree else story.snapshot().turns[0].checkpoint.seed
        reply = story.retry(sampling) if kind == "retry" else story.say(text, sampling=sampling)
        if self.store is not None:
            self._draft, self._draft_noted = Draft(kind, text, parent, sampling, seed), float("-inf")
        new = {old: substitute for old, substitute in reply.unseen.items() if old not in self._told}
        self._told |= new.keys()
        return Answer(engine.tell_unseen(new, self.model.info.level) if new else "", reply)

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
            story, mark = self.stories[name], self._mark(name)
            is_new = mark != self._kept.get(name) or (name == self.name and name != self._kept_present)
            try:
                if self.store is not None and is_new and story.tree:
                    self.store.save(name, story, self.source)
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
        self, stories: dict[str, engine.Conversation], present: str = MAIN, stored: Collection[str] = ()
    ) -> None:
        """Go on with these stories. Those that are `stored` are in the store already."""
        self.stories = stories
        self.name = self._kept_present = next(name for name in (present, MAIN, *stories) if name in stories)
        self._kept = {name: self._mark(name) for name in stored}
        self._unkept = {name: "" for name in stories if name not in stored}

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
        self.replace_stories(stories, self.name)
        before.close()
        return Answer(f"this is {model.info.name} now; it has read the story so far{stays}")

    def end_of_story(self) -> Answer:
        """The end of the story."""
        text = self.story.text
        return Answer(engine.last_words(text, SHOWN_END), is_asked_for=True) if text else Answer("(the story is empty)")

    def status(self) -> str:
        """The model, the settings, the present turn and the session's name in one line."""
        settings = shown_values(changed_settings(self.sampling), "  ")
        store = self.store
        kept = "  NOT KEPT" if self.unkept else f"  {store.title}" if store is not None and store.is_named else ""
        return f"{self.model.info.name}  {settings}  {self.name}:{self.story.present}{kept}"

    def _mark(self, name: str) -> object:
        """A value that changes whenever there is something new to save of a story."""
        story = self.stories[name]
        return id(story), story.present, len(story.tree), story.sampling

    def _offer(self, replies: tuple[engine.Reply, ...]) -> Answer:
        texts = [result.text for reply in replies if (result := reply.result()).drawn]
        if not texts:
            return Answer("(stopped before there was anything to choose from)")
        here = self.story.present
        self.choices = [turn.id for turn in self.story.tree if turn.parent == here][-len(texts) :]
        stopped = "stopped; " if any(reply.finish_reason == "cancelled" for reply in replies) else ""
        hint = f"({stopped}1 to {len(texts)} chooses, else the story stays as it is; /tree shows them all later)"
        return Answer("\n".join([*side_by_side(texts, self.columns), hint]), is_asked_for=True)
