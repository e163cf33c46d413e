"""Chats: a channel whose story is lines `Name: text`, of which a model writes those of one speaker. Plain functions.

The story underneath is one like all others; only what is added to it and what is shown of it is different.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LINE_END = "\n"
MAX_NAME = 100  # characters
MAX_STOPS = 200  # speakers whose lines end a reply
OTHER, STRANGER = "You", "Me"  # where a model knows no speakers, and where that is the member's own name
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f:]+")


def name_of(shown: str) -> str:
    """A name as it stands before a line: without colons and line ends."""
    return " ".join(_UNFIT.sub(" ", shown).split())[:MAX_NAME].strip() or STRANGER


def speakers_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The speakers in the settings of a model that was trained on a chat, the most frequent first."""
    listed = settings.get("speakers")
    names = listed if isinstance(listed, list) else []
    return tuple(name for name in names if isinstance(name, str) and name.strip() and not _UNFIT.search(name))


def other_than(me: str, chosen: str, speakers: Sequence[str]) -> str:
    """Whom the model writes: the one who was chosen for the channel, or else the most frequent who is not `me`."""
    return next(name for name in (chosen, *speakers, OTHER, STRANGER) if name and name != me)


def chat_text(typed: str, me: str, other: str, before: str, is_open: bool) -> tuple[str, str]:
    """What is added to a story that ends with `before`: the lines of `me`, and the beginning of one of `other`.

    Without a line, it is the other's turn again; or nothing is added if a line of theirs `is_open`.
    """
    lines = [f"{me}: {line.strip()}{LINE_END}" for line in typed.split(LINE_END) if line.strip()]
    if not lines and is_open:
        return "", ""
    start = LINE_END if before and not before.endswith(LINE_END) else ""
    return (start + "".join(lines), f"{other}: ") if lines else ("", f"{start}{other}: ")


def names_in(prompt: str) -> tuple[str, str]:
    """Whose lines a prompt of a chat has, and whose it begins; "" for none."""
    *lines, last = prompt.split(LINE_END)
    me = next((line.partition(":")[0] for line in lines if ":" in line), "")
    return me, last.removesuffix(": ") if last.endswith(": ") else ""


def chat_stops(me: str, other: str, speakers: Iterable[str]) -> list[str]:
    """The texts that end a reply of `other`: another speaker's line, or any line where no speakers are known."""
    others = [name for name in dict.fromkeys((*speakers, me)) if name != other]
    known = [f"{LINE_END}{name}:" for name in others[:MAX_STOPS]]
    return [*known, LINE_END * 2] if len(others) > 1 else [LINE_END]


def said_lines(fed: str, other: str) -> str:
    """What was added to the story before a reply of `other`, without the beginning of theirs."""
    return fed.removesuffix(f"{other}: ").strip()


def shown_lines(reply: str, other: str) -> str:
    """A reply as a message: its lines without the name of who speaks."""
    lines = (line.strip() for line in reply.split(LINE_END))
    return LINE_END.join(line.removeprefix(f"{other}:").strip() for line in lines if line)
