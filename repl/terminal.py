"""The prompt: lines in, streamed text out. What a line does is decided in `session`."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from pathlib import Path

import platformdirs
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

import engine
from repl.oneshot import stopping_at_ctrl_c
from repl.session import COMMANDS, Answer, Quit, Session

PROMPT = "> "
HARMLESS = {code: "�" for code in [*range(32), 127, *range(128, 160)] if chr(code) not in "\n\t"}


class Terminal:
    """Runs one session in a terminal; `input` and `output` are prompt_toolkit's, given in tests."""

    def __init__(self, session: Session, input: Input | None = None, output: Output | None = None) -> None:
        self._session, self._speed = session, 0.0
        self._prompt: PromptSession[str] = PromptSession(
            history=open_history(),
            completer=CommandCompleter(),
            complete_while_typing=False,
            enable_history_search=True,
            bottom_toolbar=self._toolbar,
            key_bindings=_keys(),
            input=input,
            output=output,
        )

    def run(self) -> None:
        """Until Ctrl-D or /quit."""
        info = self._session.model.info
        self._print(
            f"{info.name}: {info.layers} x {info.units} {info.cell.upper()}, {info.parameters:,} parameters\n"
            "Type a beginning and Enter; /help tells the rest."
        )
        while True:
            try:
                line = self._prompt.prompt(PROMPT)
                self._session.columns = self._prompt.output.get_size().columns
                self._show(self._session.enter(line))
            except KeyboardInterrupt:
                continue
            except (EOFError, Quit):
                return

    def _show(self, answer: Answer) -> None:
        if answer.message:
            self._print(answer.message.translate(HARMLESS))
        if answer.reply is None:
            return
        started, count, piece = time.perf_counter(), 0, "\n"
        with stopping_at_ctrl_c([answer.reply]):
            try:
                for piece in answer.reply:
                    count += len(piece)
                    self._write(piece.translate(HARMLESS))
            except engine.EngineError as error:
                self._print(str(error))
        if count:
            self._speed = count / (time.perf_counter() - started)
        if not piece.endswith("\n"):
            self._write("\n")
        if answer.reply.finish_reason == "cancelled":
            self._print("(stopped; Enter goes on from here)")

    def _toolbar(self) -> str:
        speed = f"  {self._speed:,.0f} chars/s" if self._speed else ""
        return f" {self._session.status()}{speed}"

    def _print(self, text: str) -> None:
        """A message, broken between words to the width of the terminal."""
        width = self._prompt.output.get_size().columns
        lines = [textwrap.fill(line, width, replace_whitespace=False) for line in text.splitlines()]
        self._write("\n".join(lines) + "\n")

    def _write(self, text: str) -> None:
        output = self._prompt.output
        output.write_raw(text)
        output.flush()


class CommandCompleter(Completer):
    """Completes the names of commands."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> list[Completion]:
        text = document.text_before_cursor
        if not text.startswith("/") or " " in text:
            return []
        return [
            Completion(name, start_position=1 - len(text), display=f"/{name}", display_meta=command.help)
            for name, command in COMMANDS.items()
            if name.startswith(text[1:])
        ]


class SafeHistory(FileHistory):
    """A history that a full or read-only disk cannot end a session with."""

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(string)


def open_history() -> History:
    """The lines of all sessions, in the platform's folder for a user's state; in memory if that fails."""
    path = Path(platformdirs.user_state_dir("textrepl")) / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # what one writes is one's own
        os.close(descriptor)
    except OSError as error:
        print(f"textrepl: your lines will not be remembered: {path}: {error.strerror}", file=sys.stderr)
        return InMemoryHistory()
    return SafeHistory(str(path))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
