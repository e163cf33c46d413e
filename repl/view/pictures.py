"""Draws in plain text and colors: bars, a text by surprisal, a hidden state, a loss curve.

Pure functions; nothing here knows a session or a terminal.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from repl.view.figures import HEAT_BITS, bar, heat_style, token_name
from repl.view.layout import cells, rows
from repl.view.style import Fragments

SHADES = " .:-=+*#%@"
MAX_CELLS = 1024  # of a layer's state that are drawn; more units are averaged


def chances(before: Sequence[tuple[str, float]], columns_after: Mapping[str, Mapping[str, float]], columns: int) -> str:
    """A table of tokens, each with its probability by the model, and under further headings."""
    names = [token_name(token) for token, _ in before]
    label = min(12, max(map(cells, names), default=1))
    long = max(3, min(30, (columns - label - 9 * (1 + len(columns_after))) // (1 + len(columns_after))))
    heads = "  ".join(f"{head[: long + 7]:{long + 7}}" for head in ("the model", *columns_after))
    lines = [f"{'':{label}}  {heads}".rstrip()]
    for name, (token, share) in zip(names, before, strict=True):
        shown = rows(name, label)[0]
        figures = [f"{share:6.3f} {bar(share, long)}"]
        for after in columns_after.values():
            drawn = after.get(token, 0.0)
            figures.append(f"{drawn:6.3f} {bar(drawn, long)}" if drawn else f"{'     -':{long + 7}}")
        lines.append(f"{' ' * (label - cells(shown))}{shown}  {'  '.join(figures)}".rstrip())
    return "\n".join(lines)


def heat(tokens: Sequence[str], bits: Sequence[float]) -> Fragments:
    """A text whose tokens are styled by their surprisal, "heat0" to "heat4"; neighbors of one heat are one piece."""
    pieces: list[tuple[str, str]] = []
    for token, surprisal in zip(tokens, bits, strict=True):
        style = heat_style(surprisal)
        if pieces and pieces[-1][0] == style:
            pieces[-1] = (style, pieces[-1][1] + token)
        else:
            pieces.append((style, token))
    return tuple(pieces)


def heat_legend() -> Fragments:
    """The legend of the heat styles, in bits."""
    edges = ["0", *(f"{limit:g}" for limit in HEAT_BITS)]
    names = [f" {low}-{high} " for low, high in itertools.pairwise(edges)] + [f" {edges[-1]}+ "]
    return (*((f"heat{level}", name) for level, name in enumerate(names)), ("note", " bits\n"))


def state_picture(layers: Sequence[NDArray[np.float32]], columns: int, has_color: bool) -> Fragments:
    """The hidden state, a block a layer: blue below zero, red above; without colors, denser for larger values."""
    pieces: list[tuple[str, str]] = []
    for number, values in enumerate(layers, 1):
        pooled = values
        if len(values) > MAX_CELLS:
            pooled = np.array([part.mean() for part in np.array_split(values, MAX_CELLS)], np.float32)
        width = max(8, min(64, columns - 2, len(pooled)))
        grid = np.zeros(-(-len(pooled) // (2 * width)) * 2 * width, np.float32)
        grid[: len(pooled)] = pooled
        strength = float(np.sqrt((values.astype(np.float64) ** 2).mean()))
        pieces.append(("note", f"layer {number}: {len(values)} units, root mean square {strength:.2f}\n"))
        lines = grid.reshape(-1, width)
        pieces += _in_colors(lines) if has_color else _in_shades(lines)
    return tuple(pieces)


def _in_colors(rows: NDArray[np.float32]) -> list[tuple[str, str]]:
    """Two values a character: the upper half is the foreground, the lower one the background."""
    pieces = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pieces += [(f"{_color(a)} bg:{_color(b)}", "▀") for a, b in zip(upper, lower, strict=True)]
        pieces.append(("", "\n"))
    return pieces


def _in_shades(rows: NDArray[np.float32]) -> list[tuple[str, str]]:
    levels = np.minimum(np.abs(rows) * len(SHADES), len(SHADES) - 1).astype(int)
    return [("", "".join(SHADES[level] for level in row) + "\n") for row in levels]


def _color(value: float) -> str:
    """From blue at -1 over gray at 0 to red at 1, a little spread near 0, where most values are."""
    size = min(1.0, abs(float(value))) ** 0.7
    strong, weak = round(40 + 215 * size), round(40 * (1 - size))
    red, blue = (strong, weak) if value > 0 else (weak, strong)
    return f"#{red:02x}{round(40 * (1 - size / 2)):02x}{blue:02x}"


def curve(losses: Sequence[tuple[float, float]], columns: int, height: int = 8) -> str:
    """Training (.) and held-out loss (*) by epoch, in nats."""
    if len(losses) < 2:
        return ""
    width = max(8, min(64, columns - 9))
    table = np.array(losses)
    picks = table[np.linspace(0, len(table) - 1, width).round().astype(int)]
    high, low = float(np.nanmax(table)), float(np.nanmin(table))
    scale = (height - 1) / ((high - low) or 1.0)
    grid = [[" "] * width for _ in range(height)]
    for mark, values in ((".", picks[:, 0]), ("*", picks[:, 1])):
        for column, value in enumerate(values):
            if np.isfinite(value):
                grid[round((high - float(value)) * scale)][column] = mark
    lines = [f"{high - row / scale:6.3f} |{''.join(cells)}" for row, cells in enumerate(grid)]
    return "\n".join([*lines, f"{'':7}+{'-' * width}", f"{'':8}epoch 1 to {len(table)}; held out *, training ."])
