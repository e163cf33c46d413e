"""What a writer's lines do: a text goes on, a command acts. Holds the stories of a sitting; knows no terminal.

Every line is either a command (it begins with "/"; "//" stands for a text that does) or a text, which is added to
the story to the letter and continued.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import engine
from repl.commands import inspection, sessions
from repl.commands import settings as knobs
from repl.commands import turns as story
from repl.session.answers import Answer, Command, Edit, Quit
from repl.session.progress import Patience, Unwanted
from repl.session.session_store import MAIN, Draft, Keeper
from repl.terminal.key_names import shown_keys
from repl.view.layout import side_by_side

__all__ = ["COMMANDS", "Answer", "Quit", "Session"]

GHOST_LENGTH = 40  # tokens of a suggestion
SHOWN_END = 240  # characters of the story that are shown after a jump


class Session:
    """The stories of one sitting, by name, the settings for what is written next, and who keeps them."""

    def __init__(
        self,
        model: engine.Engine,
        sampling: engine.Sampling,
        keeper: Keeper | None = None,
        *,
        source: str | None = None,
        load: Callable[[str], engine.Engine] | None = None,
        presets: Mapping[str, dict[str, Any]] = knobs.PRESETS,
    ) -> None:
        self.model, self.sampling, self.keeper = model, sampling, keeper
        self.source, self.presets = source, presets
        self.keys = shown_keys({})
        """The keys that the help tells of."""
        self.columns, self.has_color, self.speed = 80, True, 0.0
        self.choices: list[int] = []
        """The turns that a number chooses among, after /alt."""
        self.patience = Patience()
        """What takes long, for somebody to look at and to stop."""
        self.remark = ""
        """What is to be said at the beginning."""
        self.name = MAIN
        self.stories = {MAIN: model.conversation(sampling=sampling)}
        self._load = load or engine.load
        self._told: set[str] = set()
        self._draft: Draft | None = None
        self._kept: dict[str, object] = {}  # by story, what of it was saved last
        self._unkept: dict[str, str] = {}  # stories that are still to be saved, and why they could not be
        self._noted = ""  # the story that the store knows as the present one
        self.doomed = self.confirmed = ""
        """The session that the next '/delete' of the same name really deletes: as of this line, and for the next."""

    @property
    def story(self) -> engine.Conversation:
        """The present one."""
        return self.stories[self.name]

    @property
    def unkept(self) -> str:
        """Why a story could not be kept; empty where all are."""
        return next(filter(None, self._unkept.values()), "")

    def enter(self, line: str) -> Answer:
        """Do what a line says. Raises `Quit`; whatever else is wrong comes back as a message.

        Once a reply that it began has ended, `finish` is to be called.
        """
        line = engine.decoded(line)
        choices, self.choices = self.choices, []
        self.confirmed, self.doomed = self.doomed, ""
        if choices and line.isdecimal() and 1 <= int(line) <= len(choices):
            return self._guarded(lambda: self._choose(choices[int(line) - 1]))
        if line.startswith("/") and not line.startswith("//"):
            return self._guarded(lambda: self._command(line[1:]))
        return self._guarded(lambda: self.write("say", line.removeprefix("/"), self.sampling))

    def edited(self, edit: Edit, text: str) -> Answer:
        """Go on with what came back from the editor."""
        return self._guarded(lambda: edit.then(text))

    def ghost(self, text: str) -> engine.Reply:
        """The likeliest continuation of the story with `text` after it. The story itself stays as it is."""
        sampling = engine.Sampling(temperature=0, length=GHOST_LENGTH, stop=("\n",))
        return self.story.fork().say(text, sampling=sampling)

    def finish(self, answer: Answer) -> Answer:
        """What is to be shown once the replies of an answer have ended; keeps the story."""
        try:
            shown = self._offer(answer.replies) if answer.replies else Answer()
        except engine.EngineError as error:
            shown = Answer(str(error))
        self._draft = None
        return self._with_notice(shown)

    def write(self, kind: str, text: str, sampling: engine.Sampling) -> Answer:
        """Begin a reply: "say" with a text, or "retry"."""
        talk = self.story
        parent = talk.present
        seed = None if talk.tree else talk.snapshot().turns[0].checkpoint.seed
        reply = talk.retry(sampling) if kind == "retry" else talk.say(text, sampling=sampling)
        if self.keeper is not None:
            self._draft = Draft(kind, text, parent, sampling, seed)
        new = {old: near for old, near in reply.unseen.items() if old not in self._told}
        self._told |= new.keys()
        return Answer(engine.tell_unseen(new, self.model.info.level) if new else "", reply)

    def progress(self, written: int) -> None:
        """Note that so many characters of the present reply are there; to be called as soon as it has begun, and on."""
        if self.keeper is not None and self._draft is not None:
            self.keeper.note_draft(self.name, self.story, replace(self._draft, written=written))

    def keep(self) -> None:
        """Save the present story if anything about it is new, and others that could not be saved before.

        Raises `StoreError` or `OSError`, once all were tried.
        """
        self.story.sampling = self.sampling
        errors = []
        for name in [*(name for name in self._unkept if name != self.name), self.name]:
            talk, mark = self.stories[name], self._mark(name)
            is_new = mark != self._kept.get(name) or (name == self.name and name != self._noted)
            try:
                if self.keeper is not None and is_new and talk.tree:
                    self.keeper.keep(name, talk, self.source)
                    self._kept[name], self._noted = mark, name
                self._unkept.pop(name, None)
            except (engine.EngineError, OSError) as error:
                self._unkept[name] = str(error)
                errors.append(error)
        if errors:
            raise errors[-1]

    def _mark(self, name: str) -> object:
        """What changes with a story."""
        talk = self.stories[name]
        return id(talk), talk.present, len(talk.tree), talk.sampling

    def take_over(
        self, stories: dict[str, engine.Conversation], present: str = MAIN, stored: Collection[str] = ()
    ) -> None:
        """Go on with these stories in place of the present ones. Those that are `stored` are in the store already."""
        self.stories = stories
        self.name = self._noted = next(name for name in (present, MAIN, *stories) if name in stories)
        self._kept = {name: self._mark(name) for name in stored}
        self._unkept = {name: "" for name in stories if name not in stored}

    def change_model(self, source: str) -> Answer:
        """Load another model and have it read the present stories; they are kept as another session."""
        before = self.model
        with self.patience.during(f"changing to {source}"), contextlib.ExitStack() as undo:
            model = self._load(source)
            undo.callback(model.close)
            texts = {name: engine.Texts.of(talk) for name, talk in self.stories.items()}
            pieces = sum(len(story.turns) for story in texts.values())
            stories = {
                name: engine.read_again(
                    model, story, self.sampling, wait=lambda reply, _: self.patience.wait(reply, pieces)
                )
                for name, story in texts.items()
            }
            self.patience.tell(1.0)
            undo.pop_all()
        keeper, stays = self.keeper, ""
        if keeper is not None and any(talk.tree for talk in self.stories.values()):
            if keeper.title:
                stays = f"; {keeper.title!r} stays as it was, and this is a session of its own"
            keeper.begin_anew(f"{keeper.title}-{model.info.name}" if keeper.is_named else "")
        self.model, self.source = model, source
        self.take_over(stories, self.name)
        before.close()
        return Answer(f"this is {model.info.name} now; it has read the story so far{stays}")

    def where(self) -> Answer:
        """The end of the story."""
        text = self.story.text
        return Answer(engine.last_words(text, SHOWN_END), is_asked_for=True) if text else Answer("(the story is empty)")

    def status(self) -> str:
        """The present settings and place in a few words."""
        settings = "  ".join(knobs.changed_settings(self.sampling))
        keeper = self.keeper
        kept = "  NOT KEPT" if self.unkept else f"  {keeper.title}" if keeper is not None and keeper.is_named else ""
        return f"{self.model.info.name}  {settings}  {self.name}:{self.story.present}{kept}"

    def _guarded(self, act: Callable[[], Answer]) -> Answer:
        try:
            answer = act()
        except (ValueError, engine.EngineError) as error:
            answer = Answer(str(error))
        except OSError as error:
            answer = Answer(f"{error.filename}: {error.strerror}")
        except Unwanted:
            answer = Answer("(stopped; nothing has changed)")
        return answer if answer.reply or answer.replies or answer.edit else self._with_notice(answer)

    def _choose(self, turn: int) -> Answer:
        self.story.goto(turn)
        return self.where()

    def _command(self, line: str) -> Answer:
        name, _, argument = line.partition(" ")
        if name in COMMANDS:
            return COMMANDS[name].act(self, argument.strip())
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
        hint = f"did you mean /{near[0]}?" if near else "/help lists them."
        return Answer(f"there is no command /{name}; {hint} (begin with // to write a text that begins with /)")

    def _offer(self, replies: tuple[engine.Reply, ...]) -> Answer:
        texts = [result.text for reply in replies if (result := reply.result()).drawn]
        if not texts:
            return Answer("(stopped before there was anything to choose from)")
        here = self.story.present
        self.choices = [turn.id for turn in self.story.tree if turn.parent == here][-len(texts) :]
        stopped = "stopped; " if any(reply.finish_reason == "cancelled" for reply in replies) else ""
        hint = f"({stopped}1 to {len(texts)} chooses, else the story stays as it is; /tree shows them all later)"
        return Answer("\n".join([*side_by_side(texts, self.columns), hint]), is_asked_for=True)

    def _with_notice(self, answer: Answer) -> Answer:
        """Keep the story; if that fails, say so once."""
        before = self.unkept
        with contextlib.suppress(engine.EngineError, OSError):
            self.keep()
        if not self.unkept or self.unkept == before:
            return answer
        notice = f"(not kept: {self.unkept}; '/save NAME' tries another name, '/export FILE' writes a file)"
        return replace(answer, message=f"{answer.message}\n{notice}".strip("\n"))


def help_(session: Session, argument: str) -> Answer:
    name = argument.removeprefix("/")
    if name in COMMANDS:
        return Answer(f"/{name} {COMMANDS[name].usage}".rstrip() + f": {COMMANDS[name].help}")
    if name:
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
        raise ValueError(f"there is no command /{name}; " + (f"did you mean /{near[0]}?" if near else "see /help"))
    lines = [
        "Type a text and Enter: it is added to the story to the letter, and the model goes on from it.",
        "Enter alone goes on. Ctrl-C or {stop} while it writes stops it and keeps what stands.",
        "{newline}: a new line. {accept-ghost}: take the dim suggestion ({accept-word}: a word). Ctrl-D leaves.",
        "{editor}: write in $EDITOR. Ctrl-R: search your lines. Tab: complete.",
    ]
    lines = [line.format_map(session.keys) for line in lines]
    for group, commands in GROUPS.items():
        usages = "  ".join(f"/{name} {command.usage}".strip() for name, command in commands.items())
        lines.append(f"{group}: {usages}")
    return Answer("\n".join([*lines, "'/help NAME' tells of one. // begins a text that begins with /."]))


def quit_(session: Session, argument: str) -> Answer:
    raise Quit


GROUPS: dict[str, dict[str, Command]] = {
    "the story": story.COMMANDS,
    "how it writes": knobs.COMMANDS,
    "see it think": inspection.COMMANDS,
    "sessions": sessions.COMMANDS,
    "and": {
        "help": Command("[NAME]", "this list, or what one command does", help_, "command"),
        "quit": Command("", "leave (also Ctrl-D)", quit_),
    },
}
COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}
