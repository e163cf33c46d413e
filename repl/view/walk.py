"""Draws a turn that is walked over: its tokens shaded by surprisal, the one at the cursor, what else could stand there.

A plain function; nothing here knows a session or a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from prompt_toolkit.utils import get_cwidth

import engine
from repl.view.figures import bar, heat_style, token_name
from repl.view.layout import cells, harmless, padded
from repl.view.style import Fragments

BLOCK = 1000  # tokens that are laid out before and after the cursor, so that a key is answered at once
MOST_NAME, MOST_BAR = 16, 30  # cells
PART = "\ufffd"  # stands for a token that is only a part of a character
CURSOR = "accent reverse underline"


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn: a turn's tokens, the index of one of them, and which choice is chosen there (0: it stays)."""

    places: Sequence[engine.Place]
    here: int
    chosen: int = 0

    @property
    def place(self) -> engine.Place:
        """The place at the cursor."""
        return self.places[self.here]

    @property
    def token(self) -> engine.Token:
        """The token that is chosen there."""
        return self.place.others[self.chosen - 1][0] if self.chosen else self.place.token


def drawn(view: View, columns: int, height: int) -> Fragments:
    """The view in so many columns and rows: the text around the cursor, and below it the choices, likeliest first."""
    choices = min(1 + len(view.place.others), max(1, height - 4))
    text = _text_rows(view, columns)
    at = next((number for number, row in enumerate(text) if any(style == CURSOR for style, _ in row)), 0)
    room = max(1, height - choices - 2)
    first = max(0, min(at - room // 2, len(text) - room))
    made: list[tuple[str, str]] = []
    for row in text[first : first + room]:
        made += [*row, ("", "\n")]
    made += [("note", _cut(_position(view), columns) + "\n")]
    made += _choices(view, columns, choices)
    style, last = made[-1]
    return (*made[:-1], (style, last.removesuffix("\n")))


def _text_rows(view: View, columns: int) -> list[list[tuple[str, str]]]:
    """The rows of the text around the cursor. What stands after a chosen token would be written anew, and is dim."""
    block = view.here // BLOCK
    begin, end = max(0, (block - 1) * BLOCK), (block + 2) * BLOCK
    rows: list[list[tuple[str, str]]] = [[]]
    width = 0
    for index, place in enumerate(view.places[begin:end], begin):
        text, style = harmless(place.text), heat_style(place.surprisal_bits or 0.0)
        if index == view.here:
            text = (harmless(str(view.token)) if view.chosen else text) or PART
            style = CURSOR
        elif index > view.here and view.chosen:
            style = "note"
        for character in text.replace("\n", " \n"):  # a cell that shows where a line ends
            size = get_cwidth(character)
            if character == "\n" or (width + size > columns and rows[-1]):
                rows.append([])
                width = 0
            if character != "\n":
                _add(rows[-1], style, character)
                width += size
    return rows


def _add(row: list[tuple[str, str]], style: str, character: str) -> None:
    """Add a character to a row. Neighbors of one style are one piece."""
    if row and row[-1][0] == style:
        row[-1] = (style, row[-1][1] + character)
    else:
        row.append((style, character))


def _position(view: View) -> str:
    bits = view.place.surprisal_bits
    surprise = "nothing comes before it" if bits is None else f"{bits:.1f} bits"
    return f"token {view.here + 1:,} of {len(view.places):,}, {surprise}"


def _choices(view: View, columns: int, count: int) -> list[tuple[str, str]]:
    """A line each: the token that stands here, then the others; the chosen one is marked."""
    place, made = view.place, list[tuple[str, str]]()
    own = None if place.surprisal_bits is None else math.exp2(-place.surprisal_bits)
    rows = [(place.token, own), *place.others]
    first = max(0, min(view.chosen - count + 1, len(rows) - count))
    names = [token_name(token) for token, _ in rows]
    label = min(MOST_NAME, max(map(cells, names)), max(1, columns - 9))
    length = max(0, min(MOST_BAR, columns - label - 10))
    for number, (_, share) in list(enumerate(rows))[first : first + count]:
        mark = ">" if number == view.chosen else " "
        name = padded(_cut(names[number], label), label)
        shown = "" if share is None else f"{share:6.3f} {bar(share, length)}"
        style = "accent" if number == view.chosen else "" if number else "heat1"
        made.append((style, _cut(f"{mark} {name} {shown}".rstrip(), columns) + "\n"))
    return made


def _cut(text: str, columns: int) -> str:
    """The beginning of a text, as much as so many cells hold."""
    while cells(text) > columns:
        text = text[:-1]
    return text
