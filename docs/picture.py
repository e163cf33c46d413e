"""Draws docs/terminal.svg: a real session of `textrepl`, typed into a real pseudo-terminal.

python docs/picture.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from html import escape
from pathlib import Path

import pexpect
import pyte

COLUMNS, LINES = 96, 62
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 14
PAPER, INK, DIM = "#16181d", "#d6d8de", "#7d8290"
COLORS = {"default": INK, "brightblack": DIM, "magenta": "#d08be8", "black": "#202020"}
TYPED = ["Once upon a ti", "/alt 3", "2", "/why 4", "/heat The old king looked at his zebra.", "/state"]


class Screen(pyte.Screen):
    """A screen that knows dim text, which pyte does not: it becomes grey."""

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        is_dim = 2 in attributes and not {38, 48} & set(attributes)  # there a 2 says that three numbers follow
        super().select_graphic_rendition(*[90 if is_dim and part == 2 else part for part in attributes])


def play(screen: pyte.Screen) -> None:
    """Type a session."""
    stream = pyte.ByteStream(screen)
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "",
            **{f"XDG_{kind}_HOME": home for kind in ("STATE", "DATA", "CONFIG")},
        }  # fmt: skip
        child = pexpect.spawn(
            sys.executable,
            ["-m", "repl", "--seed", "7", "--length", "160"],
            dimensions=(LINES, COLUMNS),
            env=environment,
        )
        for line in [*TYPED, ""]:
            until = time.monotonic() + 2
            while time.monotonic() < until:
                try:
                    stream.feed(child.read_nonblocking(65536, timeout=0.2))
                except pexpect.TIMEOUT:
                    continue
            if line:
                child.send(f"{line}\r")
        child.close(force=True)


def draw(screen: pyte.Screen) -> str:
    """The screen as SVG: a rectangle a run of background, a text a run of one style."""
    rows = [row for row in range(LINES) if screen.display[row].strip()]
    height = (max(rows) + 1) * CELL_HEIGHT + 2 * MARGIN
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="14" '
        'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace">',
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
    ]
    for row in range(max(rows) + 1):
        column = 0
        while column < COLUMNS:
            cell = screen.buffer[row][column]
            end = column
            while end < COLUMNS and screen.buffer[row][end]._replace(data="") == cell._replace(data=""):
                end += 1
            text = "".join(screen.buffer[row][place].data for place in range(column, end))
            parts += _run(row, column, text, cell)
            column = end
    return "\n".join([*parts, "</svg>\n"])


def _run(row: int, column: int, text: str, cell: pyte.screens.Char) -> list[str]:
    front, back = _color(cell.fg, INK), _color(cell.bg, PAPER)
    if cell.reverse:
        front, back = back, front
    x, y, width = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT, len(text) * CELL_WIDTH
    made = [] if back == PAPER else [_rectangle(x, y, width, CELL_HEIGHT, back)]
    if set(text) == {"▀"}:  # half a cell: fonts leave gaps
        return [*made, _rectangle(x, y, width, CELL_HEIGHT / 2, front)]
    if not text.strip():
        return made
    weight = ' font-weight="bold"' if cell.bold else ""
    line = ' text-decoration="underline"' if cell.underscore else ""
    return [
        *made,
        f'<text x="{x:.1f}" y="{y + 13}" textLength="{width:.1f}" fill="{front}" xml:space="preserve"{weight}{line}>'
        f"{escape(text)}</text>",
    ]


def _rectangle(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width + 0.3:.1f}" height="{height + 0.3:.1f}" fill="{color}"/>'


def _color(name: str, default: str) -> str:
    return default if name == "default" else COLORS.get(name, f"#{name}" if len(name) == 6 else INK)


def main() -> int:
    """Play and draw."""
    screen = Screen(COLUMNS, LINES)
    play(screen)
    Path(__file__).with_name("terminal.svg").write_text(draw(screen), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
