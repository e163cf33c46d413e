"""Draws a text whose tokens are colored by their surprisal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bot.pictures.canvas import BACKGROUND, DIM, TEXT, NoPicture, as_png, check_drawable, font

WIDTH, ROW, MARGIN = 1000, 24, 16  # pixels
LEVELS = ((1.0, None), (2.0, "#1f4d3a"), (4.0, "#6b5a12"), (7.0, "#8a4a12"), (float("inf"), "#8c1f2b"))
MAX_ROWS = 80


def draw_heat(tokens: Sequence[str], bits: Sequence[float], figures: str) -> bytes:
    """A text as a PNG, with a color behind each token, a legend and a line of `figures`. Raises `NoPicture`."""
    check_drawable("".join(tokens))
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise NoPicture("Pillow is not installed") from error
    cells, num_rows = _placed(tokens, bits)
    image = Image.new("RGB", (WIDTH, 2 * MARGIN + ROW * (num_rows + 2)), BACKGROUND)
    draw = ImageDraw.Draw(image)
    legend, x = [], float(MARGIN)
    edges = [0.0, *(most for most, _ in LEVELS)]
    for (low, high), (_, color) in zip(itertools.pairwise(edges), LEVELS, strict=True):
        name = f" {low:g} to {high:g} " if high < float("inf") else f" over {low:g} bits "
        legend.append((x, num_rows + 1, name, color))
        x += font().getlength(name)
    for x, row, shown, color in (*cells, *legend):
        y = MARGIN + ROW * row
        if color is not None:
            draw.rectangle([x, y, x + font().getlength(shown), y + ROW - 2], color)
        draw.text((x, y + ROW / 2), shown, TEXT, font(), anchor="lm")
    draw.text((WIDTH - MARGIN, MARGIN + ROW * (num_rows + 1.5)), figures, DIM, font(), anchor="rm")
    return as_png(image)


def _placed(tokens: Sequence[str], bits: Sequence[float]) -> tuple[list[tuple[float, int, str, str | None]], int]:
    """Where each piece of a token stands: x, row, text, color; and how many rows there are."""
    cells: list[tuple[float, int, str, str | None]] = []
    x, row = float(MARGIN), 0
    for token, surprisal in zip(tokens, bits, strict=True):
        color = next(color for most, color in LEVELS if surprisal < most)
        for number, line in enumerate(token.split("\n")):
            if number:
                x, row = float(MARGIN), row + 1
            width = font().getlength(line)
            if x + width > WIDTH - MARGIN:
                x, row = float(MARGIN), row + 1
            if row >= MAX_ROWS:
                return cells, MAX_ROWS
            if line:
                cells.append((x, row, line, color))
            x += width
    return cells, row + 1
