"""Draws a tree of turns as plain text, and cuts texts to a width. Knows no terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.conversation.tree import Turn

HERE = "  <- here"


MARKS = {"prompt": "> ", "memory": "(remembered) "}


def outline(turns: Sequence[Turn], present: int, columns: int) -> list[str]:
    """A line for each turn: its id, a mark of its kind, its first words. Only branches are indented."""
    children: dict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        children[turn.parent or 0].append(turn)
    lines = ["0 (start)" + (HERE if present == 0 else "")]
    todo = [(turn, "", len(children[0]) > 1, turn is children[0][-1]) for turn in reversed(children[0])]
    while todo:
        turn, indent, is_branch, is_last = todo.pop()
        lead = indent + (("`-- " if is_last else "|-- ") if is_branch else "")
        label = f"{lead}{turn.id} {MARKS.get(turn.kind, '')}"
        here = HERE if turn.id == present else ""
        lines.append(label + first_words(turn.text, max(8, columns - len(label) - len(here))) + here)
        below = children[turn.id]
        inner = indent + (("    " if is_last else "|   ") if is_branch and len(indent) + 4 <= columns // 2 else "")
        todo += [(child, inner, len(below) > 1, child is below[-1]) for child in reversed(below)]
    return lines


def first_words(text: str, width: int) -> str:
    """The beginning of a text in one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def last_words(text: str, width: int) -> str:
    """The end of a text, with its line breaks, in at most `width` characters."""
    return text if len(text) <= width else "..." + text[3 - width :]
