"""What a command is: a row of the tables that help and completion are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import engine
from repl.session.answers import Answer
from repl.session.session import Session

MAX_NAME = 100  # characters of the name of a story or a mark
MAX_DIGITS = 18  # more than enough; Python itself reads some thousand


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what may follow its name, what it does in a few words, and the function that does it."""

    usage: str
    help: str
    act: Callable[[Session, str], Answer]
    """Takes the session and what follows the name. Raises `ValueError` that tells the writer what is wrong."""
    completes: str = ""
    """What its argument is: "setting", "session", "model", "file", "preset", "story", "command", "speaker", "pair",
    "mark"."""


def check_name(name: str) -> None:
    """Raise `ValueError` for what can be no name of a story or a mark."""
    if name.isdecimal() or not name.isprintable() or len(name) > MAX_NAME:
        short = engine.first_words(name, 40)
        raise ValueError(f"name {short!r}: give one of 1 to {MAX_NAME} characters in a line, not all of them digits")


def whole_number(text: str, default: int, noun: str) -> int:
    """A number from 1 that a person typed, or the default. Raises `ValueError`."""
    if not text:
        return default
    if not text.isdecimal() or len(text) > MAX_DIGITS or int(text) < 1:
        raise ValueError(f"{engine.first_words(text, 40)!r}: give a number of {noun}, 1 or more")
    return int(text)
