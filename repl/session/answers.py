"""What a line leads to, as data: the terminal shows it, and knows nothing of how it came about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import engine

if TYPE_CHECKING:
    from repl.session.session import Session

Fragments = tuple[tuple[str, str], ...]
"""Pieces of text, each with a style: a name of `repl.view.style`, or colours."""


class Quit(Exception):
    """The writer asked to leave."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text for the writer's editor, and what to do with what comes back."""

    text: str
    then: Callable[[str], Answer]


@dataclass(frozen=True, slots=True)
class Answer:
    """A message, a picture, a reply that is being written or several beside each other, a text to be edited."""

    message: str = ""
    reply: engine.Reply | None = None
    replies: tuple[engine.Reply, ...] = ()
    picture: Fragments = ()
    edit: Edit | None = None
    is_asked_for: bool = False
    """Whether the message is what the writer asked to see, and not a remark."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what may follow its name, what it does in a few words, and the function that does it."""

    usage: str
    help: str
    act: Callable[[Session, str], Answer]
    completes: str = ""
    """What its argument is: "setting", "session", "model", "file", "preset", "story" or "command"."""


def whole_number(text: str, default: int, noun: str) -> int:
    """A number that a person typed, or the default. Raises `ValueError`."""
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r}: give a number of {noun}")
    return int(text)
