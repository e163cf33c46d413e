"""Holds what is going on in the terminal, and shows it in the prompt and the toolbar below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prompt_toolkit.formatted_text import FormattedText

import engine
from repl.key_names import shown_keys
from repl.session.progress import Progress
from repl.session.session import Session
from repl.terminal.lines import Lines
from repl.view.display import Display
from repl.view.stream import Stream

SHOWN_LINES = 3  # of those that wait


class Status:
    """The session, what it is doing, and the lines that wait for it. The terminal changes these."""

    def __init__(self, display: Display, stream: Stream, keys: Mapping[str, str]) -> None:
        self.session: Session | None = None
        """None until it is made."""
        self.doing = "loading the model"
        """In words; empty where the next line would be done at once."""
        self.lines = Lines()
        """The lines that were entered and are still to be done."""
        self.is_walking: Callable[[], bool] = lambda: False
        """Whether a walk has the prompt's place."""
        self.is_leaving = self.is_ending = False
        """Whether Ctrl-C once more leaves; whether the terminal ends once everything is done."""
        self._display, self._stream, self._stop_key = display, stream, shown_keys(keys)["stop"]

    @property
    def progress(self) -> Progress | None:
        """The long task that is running, if any."""
        return self.session.progress if self.session is not None and self.session.progress.is_on else None

    @property
    def is_idle(self) -> bool:
        """Whether the next line would be done at once."""
        return self.session is not None and not self.doing and not self.lines.waiting

    def message(self) -> FormattedText:
        """What is being written, the lines that wait, and the prompt itself."""
        columns = self._display.columns
        fragments = self._display.named(self._display.moving())
        fragments += [
            ("class:note", f"{engine.first_words(line, columns - 4)} ...\n")
            for line in self.lines.waiting[:SHOWN_LINES]
        ]
        return FormattedText([*fragments, ("class:accent", self.prompt())])

    def prompt(self, line: str = "") -> str:
        """What stands before a line that is typed: in a chat the name, unless it is a command."""
        chat = self.session.chat if self.session is not None else None
        if chat is None or (line.startswith("/") and not line.startswith("//")):
            return self._display.prompt
        return f"{self._display.shown_name(chat.me)}: "

    def toolbar(self) -> str:
        """What is going on, or else the session's status."""
        if self.is_leaving:
            return " Ctrl-C again or Ctrl-D leaves"
        if self.is_ending:
            return " leaving once this is done; Ctrl-C stops it"
        if self.is_walking():
            return " Left Right: along it; Up Down: another token; Enter takes it; Esc leaves"
        if self._stream.is_writing:
            return f" {self._stream.describe()}; Ctrl-C or {self._stop_key} stops"
        if (progress := self.progress) is not None:
            return f" {progress.describe()}; Ctrl-C stops"
        if self.doing or self.session is None:
            return f" {self.doing}"
        speed = f"  {self._stream.speed:,.0f} chars/s" if self._stream.speed else ""
        return f" {self.session.status()}{speed}"
