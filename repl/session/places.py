"""Places in stories: turns beside each other, turns in which a text stands, turns with a name. Knows no session."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import engine

BEFORE_MATCH = 0.3  # the share of a snippet that stands before what was looked for


@dataclass(frozen=True, slots=True)
class Target:
    """A turn of a story; of another session, if that is named."""

    story: str
    turn: int
    session: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """A turn with which a text that was looked for is whole, and where the text stands in the words around it."""

    turn: int
    words: str
    begin: int
    end: int

    def snippet(self, width: int) -> str:
        """What was looked for in one line of at most `width` characters, with words before and behind it."""
        found = self.words[self.begin : self.end]
        room = max(0, min(int(BEFORE_MATCH * width), width - len(found) - 6))
        begin = max(0, self.begin - room)
        lead = "..." if begin and room else ""
        return engine.first_words(lead + self.words[begin : self.begin].lstrip() + self.words[self.begin :], width)


def matches(texts: engine.Texts, wanted: str) -> Iterator[Match]:
    """The turns in which a text is completed, in any case of letters; it may begin in turns before."""
    pattern = re.compile(re.escape(unicodedata.normalize("NFC", wanted)), re.IGNORECASE)
    tails = {0: ""}
    for turn, parent, text in texts.turns:
        is_remembered = turn in texts.remembered
        before = "" if is_remembered else tails[parent]
        words = before + text
        tails[turn] = tails[parent] if is_remembered else words[max(0, len(words) - len(wanted) - 60) :]
        found = next((one for one in pattern.finditer(words) if one.end() > len(before)), None)
        if found:
            yield Match(turn, words, found.start(), found.end())


def siblings(turns: Sequence[engine.Turn], here: int) -> list[int]:
    """The turns that were written where the turn `here` was, that among them, in their order, but what is remembered.

    Where nothing else was, the turns that were written after it.
    """
    parents = {turn.id: turn.parent or 0 for turn in turns}
    written = [turn.id for turn in turns if turn.kind != "memory"]
    beside = [turn for turn in written if here and parents[turn] == parents[here]]
    return beside if len(beside) > 1 else [turn for turn in written if parents[turn] == here]


def choice_before(turns: Sequence[engine.Turn], here: int) -> int | None:
    """The last turn on the way to `here`, but that itself, beside which others were written; None if there is none."""
    parents = {turn.id: turn.parent or 0 for turn in turns}
    counts: dict[int, int] = {}
    for turn in turns:
        if turn.kind != "memory":
            counts[turn.parent or 0] = counts.get(turn.parent or 0, 0) + 1
    while here and (here := parents[here]):
        if counts.get(parents[here], 0) > 1:
            return here
    return None


def position(turns: Sequence[engine.Turn], here: int) -> str:
    """Which of the turns written at its place a turn is: "2 of 5"; "" if it is the only one."""
    beside = siblings(turns, here)
    return f"{beside.index(here) + 1} of {len(beside)}" if here in beside else ""


def read_marks(noted: Any) -> dict[str, Target]:
    """The marks that a session was left with; what is none is left out."""
    made = {}
    for name, place in noted.items() if isinstance(noted, Mapping) else ():
        if isinstance(place, list) and len(place) == 2 and isinstance(place[0], str) and isinstance(place[1], int):
            made[str(name)] = Target(place[0], place[1])
    return made
