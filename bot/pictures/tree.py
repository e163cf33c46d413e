"""Draws a story's tree: a line for each turn, branches side by side, the present branch in color."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import engine
from bot.pictures.canvas import ACCENT, BACKGROUND, DIM, TEXT, NoPicture, as_png, check_drawable, font, shortened

WIDTH, ROW, MARGIN = 1000, 26, 16  # pixels
LANE, RADIUS, MAX_LANES = 22, 6, 14
MAX_ROWS = 60
MARKS = {"prompt": "> ", "memory": "(remembered) "}


@dataclass(frozen=True, slots=True)
class Row:
    """A turn in the picture: its lane, the row of the turn before it, and whether it is on the present branch."""

    turn: int
    lane: int
    parent: int | None
    label: str
    is_present: bool
    is_on_branch: bool


def rows_of(turns: Sequence[engine.Turn], present: int) -> list[Row]:
    """The rows from top to bottom. A branch keeps its lane, and what branches off stands above what goes on with it."""
    children: dict[int, list[engine.Turn]] = defaultdict(list)
    for turn in turns:
        children[turn.parent or 0].append(turn)
    parents = {turn.id: turn.parent or 0 for turn in turns}
    branch, here = {0, present}, present
    while here := parents.get(here, 0):
        branch.add(here)
    rows = [Row(0, 0, None, "(start)", present == 0, True)]
    todo = _in_order(children[0], branch, 0, 0)
    while todo:
        turn, lane, parent = todo.pop()
        words = " ".join(turn.text.split())
        rows.append(Row(turn.id, lane, parent, MARKS.get(turn.kind, "") + words, turn.id == present, turn.id in branch))
        todo += _in_order(children[turn.id], branch, lane, len(rows) - 1)
    return rows


def draw_tree(turns: Sequence[engine.Turn], present: int) -> bytes:
    """The tree as a PNG, around the present turn if it is large. Raises `NoPicture`."""
    rows = rows_of(turns, present)
    first, last = _shown(rows)
    check_drawable("".join(row.label[:150] for row in rows[first:last]))
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise NoPicture("Pillow is not installed") from error
    image = Image.new("RGB", (WIDTH, 2 * MARGIN + ROW * (last - first)), BACKGROUND)
    draw = ImageDraw.Draw(image)

    def center(number: int) -> tuple[float, float]:
        return MARGIN + LANE * rows[number].lane + RADIUS, MARGIN + ROW * (number - first + 0.5)

    for number in sorted(range(first, len(rows)), key=lambda number: rows[number].is_on_branch):  # on top of the others
        row = rows[number]
        if row.parent is not None and row.parent < last:
            (from_x, from_y), (to_x, to_y) = center(row.parent), center(number)
            color, width = (ACCENT, 3) if row.is_on_branch else (DIM, 2)
            draw.line([(from_x, from_y), (from_x, to_y), (to_x, to_y)], color, width)
    for number in range(first, last):
        _draw_row(draw, rows[number], *center(number))
    return as_png(image)


def _draw_row(draw: object, row: Row, x: float, y: float) -> None:
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    color = ACCENT if row.is_on_branch else DIM
    radius = RADIUS + 2 * row.is_present
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], color, TEXT if row.is_present else BACKGROUND, 2)
    left, here = x + RADIUS + 10, "  here" if row.is_present else ""
    number = f"{row.turn}  "
    draw.text((left, y), number, color, font(), anchor="lm")
    left += font().getlength(number)
    label = shortened(row.label, WIDTH - MARGIN - left - font().getlength(here))
    draw.text((left, y), label, TEXT if row.is_on_branch else DIM, font(), anchor="lm")
    draw.text((left + font().getlength(label), y), here, ACCENT, font(), anchor="lm")


def _in_order(
    children: list[engine.Turn], branch: set[int], lane: int, parent: int
) -> list[tuple[engine.Turn, int, int]]:
    """What is drawn below a turn, the last first: that which goes on in its lane, then what branches off."""
    if not children:
        return []
    onward = next((turn for turn in children if turn.id in branch), children[-1])
    others = [turn for turn in children if turn is not onward]
    return [(onward, lane, parent), *((turn, min(lane + 1, MAX_LANES), parent) for turn in reversed(others))]


def _shown(rows: list[Row]) -> tuple[int, int]:
    """The first row and the one after the last that are drawn."""
    here = next(number for number, row in enumerate(rows) if row.is_present)
    first = max(0, min(here - 2 * MAX_ROWS // 3, len(rows) - MAX_ROWS))
    return first, min(len(rows), first + MAX_ROWS)
