"""What a writer's lines do: the commands as a table, and the stories they act on. Knows no terminal.

Every line is either a command (it begins with "/"; "//" stands for a text that does) or a text, which is added to
the story to the letter and continued.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import engine
from engine import first_words, last_words
from repl.arguments import SETTINGS
from repl.oneshot import tell_unseen

ESCAPES = {r"\n": "\n", r"\t": "\t", "\\\\": "\\"}  # what may be written in a stop string
SHOWN_END = 240  # characters of the story that are shown after a jump


class Quit(Exception):
    """The writer asked to leave."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a line led to: a message, or a reply that is being written, or both."""

    message: str = ""
    reply: engine.Reply | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what may follow its name, what it does in a few words, and the method that does it."""

    usage: str
    help: str
    act: Callable[[Session, str], Answer]


class Session:
    """The stories of one sitting, by name, and the settings for what is written next."""

    def __init__(self, model: engine.Engine, sampling: engine.Sampling) -> None:
        self.model, self.sampling = model, sampling
        self.columns = 80
        self.name = "main"
        self._stories = {self.name: model.conversation(sampling=sampling)}
        self._told: set[str] = set()

    @property
    def story(self) -> engine.Conversation:
        """The present one."""
        return self._stories[self.name]

    def enter(self, line: str) -> Answer:
        """Do what a line says. Raises `Quit`; whatever else is wrong comes back as a message."""
        try:
            if line.startswith("/") and not line.startswith("//"):
                return self._command(line[1:])
            return self._say(line[1:] if line.startswith("//") else line)
        except (ValueError, engine.EngineError) as error:
            return Answer(str(error))

    def _say(self, text: str) -> Answer:
        reply = self.story.say(text, sampling=self.sampling)
        new = {old: near for old, near in reply.unseen.items() if old not in self._told}
        self._told |= new.keys()
        return Answer(tell_unseen(new) if new else "", reply)

    def _command(self, line: str) -> Answer:
        name, _, argument = line.partition(" ")
        if name in COMMANDS:
            return COMMANDS[name].act(self, argument.strip())
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
        hint = f"did you mean /{near[0]}?" if near else "/help lists them."
        return Answer(f"there is no command /{name}; {hint} (begin with // to write a text that begins with /)")

    def help(self, argument: str) -> Answer:
        usages = {f"/{name} {command.usage}".strip(): command.help for name, command in COMMANDS.items()}
        width = max(map(len, usages))
        lines = [f"{usage:{width}}  {text}" for usage, text in usages.items()]
        return Answer(
            "Type a text and Enter: it is added to the story to the letter, and the model goes on from it.\n"
            "Enter alone goes on. Ctrl-C while it writes stops it and keeps what stands; Ctrl-D leaves.\n"
            + "\n".join(lines)
        )

    def retry(self, argument: str) -> Answer:
        return Answer(reply=self.story.retry(replace(self.sampling, seed=None)))

    def undo(self, argument: str) -> Answer:
        self.story.undo(_count(argument))
        return self._where()

    def redo(self, argument: str) -> Answer:
        self.story.redo(_count(argument))
        return self._where()

    def fork(self, argument: str) -> Answer:
        number = len(self._stories) + 1
        while f"fork{number}" in self._stories:
            number += 1
        name = argument or f"fork{number}"
        if name in self._stories or name.isdecimal():
            raise ValueError(f"name {name!r}: is taken; give another one, with a letter in it")
        before, self._stories[name] = self.name, self.story.fork()
        self.name = name
        return Answer(f"this is now {name!r}, a copy; '/goto {before}' goes back to {before!r}")

    def goto(self, argument: str) -> Answer:
        if argument in self._stories:
            self.name = argument
        elif argument.isdecimal():
            self.story.goto(int(argument))
        else:
            others = ", ".join(self._stories)
            raise ValueError(f"goto {argument!r}: give a turn's number from /tree, or a story's name ({others})")
        return self._where()

    def tree(self, argument: str) -> Answer:
        lines = engine.outline(self.story.tree, self.story.present, self.columns)
        if len(self._stories) > 1:
            names = ", ".join(f"[{name}]" if name == self.name else name for name in self._stories)
            lines.append(f"stories: {names}")
        return Answer("\n".join(lines))

    def set(self, argument: str) -> Answer:
        name, _, value = argument.partition(" ")
        if not name:
            return Answer("\n".join(self._setting_line(name) for name in SETTINGS))
        key = name.replace("-", "_")
        if key not in SETTINGS:
            near = difflib.get_close_matches(key, SETTINGS, 1, 0.4)
            raise ValueError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if value:
            self.sampling = replace(self.sampling, **{key: parse_setting(key, value)})
        return Answer(self._setting_line(key))

    def quit(self, argument: str) -> Answer:
        raise Quit

    def _where(self) -> Answer:
        text = self.story.text
        return Answer(last_words(text, SHOWN_END) if text else "(the story is empty)")

    def _setting_line(self, name: str) -> str:
        value, item = getattr(self.sampling, name), SETTINGS[name]
        low, high = item.metadata["low"], item.metadata["high"]
        limits = (
            "" if name in ("stop", "seed") else f" ({low:g} or more)" if high >= 10**9 else f" ({low:g} to {high:g})"
        )
        return f"{name} = {_shown(value)}{limits}: {item.metadata['help']}"

    def status(self) -> str:
        """The present settings and place in a few words."""
        changed = [
            f"{name} {_shown(getattr(self.sampling, name))}"
            for name, item in SETTINGS.items()
            if name == "temperature" or getattr(self.sampling, name) != item.default
        ]
        return f"{self.model.info.name}  {'  '.join(changed)}  {self.name}:{self.story.present}"


def parse_setting(name: str, text: str) -> Any:
    """The value of a setting from what a person typed. Raises `ValueError` that names both."""
    if name == "stop":
        return () if text == "none" else (re.sub(r"\\[nt\\]", lambda found: ESCAPES[found[0]], text),)
    if name == "seed" and text == "none":
        return None
    kind = float if isinstance(SETTINGS[name].default, float) else int
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} {first_words(text, 20)!r}: must be a number") from None


def _shown(value: object) -> str:
    if value is None or value == ():
        return "none"
    return " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def _count(argument: str) -> int:
    if not argument:
        return 1
    if not argument.isdecimal():
        raise ValueError(f"{argument!r}: give a number of turns")
    return int(argument)


COMMANDS: dict[str, Command] = {
    "help": Command("", "this list", Session.help),
    "retry": Command("", "another reply in place of the last one", Session.retry),
    "undo": Command("[N]", "take back the last turn, or N of them (your text is one, a reply is one)", Session.undo),
    "redo": Command("[N]", "bring back what was taken back", Session.redo),
    "fork": Command("[NAME]", "go on in a copy of this story, and keep this one", Session.fork),
    "goto": Command("N|NAME", "go to a turn of /tree, or to another story", Session.goto),
    "tree": Command("", "all turns of this story, also those taken back", Session.tree),
    "set": Command("[NAME [VALUE]]", "show or change how it writes", Session.set),
    "quit": Command("", "leave (also Ctrl-D)", Session.quit),
}
