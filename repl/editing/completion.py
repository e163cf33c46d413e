"""Completes what Tab asks for: commands, and what may follow each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

import engine
from repl.commands.dispatch import COMMANDS
from repl.session.session import Session
from repl.settings import SETTINGS, SPEED_HELP, THEME_HELP, shown_values
from repl.view.style import THEMES

SPEAKS = "speaks in the chat that the model learned from"


def is_begun_command(text: str) -> bool:
    """Whether a line is the beginning of a command's name."""
    return text.startswith("/") and not text.startswith("//") and not any(map(str.isspace, text))


def commands_for(begun: str) -> list[str]:
    """The commands whose names begin so; else those with that in their name or in what they do."""
    wanted = begun.lower()
    return [name for name in COMMANDS if name.startswith(begun)] or [
        name for name, command in COMMANDS.items() if wanted in name or wanted in command.help.lower()
    ]


def command_names(begun: str) -> list[Completion]:
    """The commands for a name that was begun, with what they take and do."""
    return [
        Completion(
            name, -len(begun), display=f"/{name} {COMMANDS[name].usage}".rstrip(), display_meta=COMMANDS[name].help
        )
        for name in commands_for(begun)
    ]


class CommandCompleter(Completer):
    """Completes commands and their arguments, with descriptions, but not the text of a story."""

    def __init__(self, session: Callable[[], Session | None]) -> None:
        self._session = session
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or text.startswith("//") or "\n" in text:
            return
        name, space, argument = text[1:].partition(" ")
        if not space:
            yield from command_names(text[1:])
        elif name in COMMANDS and COMMANDS[name].completes == "file":
            yield from self._paths.get_completions(Document(argument), complete_event)
        elif name in COMMANDS:
            for word, meaning in self._words(COMMANDS[name].completes, argument).items():
                if word.startswith(argument):
                    yield Completion(word, -len(argument), display_meta=meaning)

    def _words(self, kind: str, begun: str) -> dict[str, str]:
        session = self._session()
        if kind == "setting":
            name, space, _ = begun.partition(" ")
            values = THEMES if name == "theme" else SETTINGS[name].metadata["choices"] if name in SETTINGS else ()
            if space:
                return {f"{name} {value}": "" for value in values}
            helps = {name: item.metadata["help"] for name, item in SETTINGS.items()}
            return helps | {"speed": SPEED_HELP, "theme": THEME_HELP}
        if kind == "command":
            return {name: command.help for name, command in COMMANDS.items()}
        if session is None:
            return {}
        if kind == "preset":
            return {name: shown_values(values) for name, values in session.presets.items()}
        if kind == "story":
            marks = dict.fromkeys(session.marks, "a mark of this session")  # without texts, which are another thread's
            return dict.fromkeys(session.stories, "a story of this session") | marks
        if kind == "mark":
            return dict.fromkeys(session.marks, "is a mark already, and will be this place")
        if kind == "speaker":
            return dict.fromkeys(session.speakers, SPEAKS)
        if kind == "pair":
            me, colon, _ = begun.rpartition(":")
            names = [name.replace(":", r"\:") for name in session.speakers]
            pairs = [f"{me}:{name}" if colon else f"{name}:" for name in names]
            return dict.fromkeys(pairs, SPEAKS) | {"off": "ends the chat"}
        if kind == "model":
            return dict.fromkeys(engine.model_names(), "a model")
        if kind == "session" and session.store is not None:
            try:
                return {title: note.get("words", "") for title, note in session.store.sessions().items()}
            except engine.EngineError:  # the next save tells what is wrong
                return {}
        return {}
