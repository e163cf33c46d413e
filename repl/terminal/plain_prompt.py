"""The prompt for a terminal that can only print: no redrawing, no colors, and the system's own line editing."""

from __future__ import annotations

import io
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import engine
from repl.commands.dispatch import Quit, enter, enter_edited
from repl.editing.editor import edit_text
from repl.session.answers import Answer
from repl.session.session import Session
from repl.signals import stopping_at_ctrl_c
from repl.view.layout import folded, harmless
from repl.view.style import Fragments

MARKS = {"heat2": ".", "heat3": "+", "heat4": "#"}
TELL_SECONDS = 2.0  # between two messages about a long task


def run_plain(prepare: Callable[[], Session], prompt: str) -> None:
    """Run until Ctrl-D, /quit or Ctrl-C twice. Raises what `prepare` raises."""
    with ThreadPoolExecutor(1, "session") as thread:
        making = thread.submit(prepare)
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="surrogateescape")  # `enter` decodes what is typed
        signal.signal(signal.SIGINT, signal.default_int_handler)
        was_interrupted = False
        while True:
            try:
                line = input(prompt)
                session = making.result()
                if session.remark:
                    _write(f"{session.remark}\n")
                    session.remark = ""
                session.columns, session.has_color = shutil.get_terminal_size().columns, False
                was_interrupted = False
                session.progress.on_update = RareMessages()
                with stopping_at_ctrl_c([session.progress]):
                    answer = enter(session, line)
                _show(session, answer)
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                if was_interrupted:
                    return
                was_interrupted = True
            except (EOFError, Quit):
                sys.stdout.write("\n")
                return


class RareMessages:
    """Tells how far a task is, once it takes long, and not too often."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, description: str) -> None:
        if time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            _write(f"({description}; Ctrl-C stops)\n")


def _show(session: Session, answer: Answer) -> None:
    columns = session.columns
    if answer.message and not answer.is_asked_for:
        _write("\n".join(folded(answer.message, columns)) + "\n")
    elif answer.message:
        _write(f"{answer.message}\n")
    else:
        _write(marked(answer.picture, columns))
    if answer.walk is not None:
        _write("a walk needs a terminal that can draw: '/why' and '/heat' show what is likely\n")
    if answer.edit is not None:
        try:
            changed = edit_text(answer.edit.text)
        except ValueError as error:
            _write(f"{error}\n")
        else:
            _show(session, enter_edited(session, answer.edit, changed))
        return
    if answer.reply is None and not answer.replies:
        return
    if answer.speaker:
        _write(f"{answer.speaker}: ")
    last = "" if answer.speaker else "\n"
    with stopping_at_ctrl_c([*answer.replies, *([answer.reply] if answer.reply else [])]):
        try:
            count = 0
            for last in answer.reply or ():
                _write(last)
                count += len(last)
                session.note_written(count)
        except engine.EngineError as error:
            _write(f"{error}\n")
        finally:  # also if the terminal has gone away
            if answer.reply is not None:
                answer.reply.stop()
            finished = session.finish(answer)
    if not last.endswith("\n"):
        _write("\n")
    _show(session, finished)
    if answer.reply is not None and answer.reply.finish_reason == "cancelled":
        _write("(stopped; Enter goes on from here)\n")


def marked(picture: Fragments, columns: int) -> str:
    """A picture without its colors. Marks in the row below show what is hot."""
    text = "".join(piece for _, piece in picture)
    marks = "".join(re.sub(r"[^\n]", MARKS.get(style, " "), piece) for style, piece in picture)
    made = []
    for line, below in zip(text.split("\n"), marks.split("\n"), strict=True):
        for begin in range(0, max(1, len(line)), columns):
            made += [line[begin : begin + columns], below[begin : begin + columns].rstrip()]
    return "\n".join(line for number, line in enumerate(made) if line or number % 2 == 0)


def _write(text: str) -> None:
    sys.stdout.write(harmless(text))
    sys.stdout.flush()
