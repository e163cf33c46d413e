"""Draws docs/terminal.svg, a still, and docs/session.svg, which moves: real sessions of `textrepl`.

They are typed into a real pseudo-terminal. The moving one is the frames of its screen on top of each other, each seen
at its time; where nothing moves, or is not to, the frame that shows most is seen.

python docs/picture.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import pexpect
import pyte

COLUMNS, LINES = 96, 62
MOVING_COLUMNS, MOVING_LINES = 84, 24
FRAME, HOLD, KEY, MAX_BYTES = 0.1, 3.5, 0.09, 1_000_000  # seconds between frames, at the end, between keys; bytes
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 14
PAPER, INK, DIM = "#16181d", "#d6d8de", "#7d8290"
COLORS = {"default": INK, "brightblack": DIM, "magenta": "#d08be8", "black": "#202020"}
TYPED = ["Once upon a ti", "/alt 3", "2", "/why 4", "/heat The old king looked at his zebra.", "/state"]

WALK = "\x1bw"
KEYS: list[tuple[str, float]] = [  # what is typed into the moving one, and the seconds that it rests then
    ("The old woman opened the door and\r", 4.5), (WALK, 1.5), ("\x1b[H", 0.8), *[("\x1b[C", 0.4)] * 5,
    *[("\x1b[B", 0.6)] * 4, ("", 1.5), ("\r", 5.0),
]  # fmt: skip
STILL = 11  # the key after which the frame shows most


class Screen(pyte.Screen):
    """A screen that knows dim text, which pyte does not: it becomes grey."""

    def select_graphic_rendition(self, *attributes: int, private: bool = False) -> None:
        is_dim = 2 in attributes and not {38, 48} & set(attributes)  # there a 2 says that three numbers follow
        super().select_graphic_rendition(*[90 if is_dim and part == 2 else part for part in attributes])


@contextmanager
def running(screen: pyte.Screen, *arguments: str, config: str = "") -> Iterator[Callable[[str, float], None]]:
    """A session on the screen. What is yielded presses keys and then reads for some seconds."""
    stream = pyte.ByteStream(screen)
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "textrepl").mkdir()
        (Path(home) / "textrepl" / "config.toml").write_text(config)
        environment = {
            **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "",
            **{f"XDG_{kind}_HOME": home for kind in ("STATE", "DATA", "CONFIG")},
        }  # fmt: skip
        command = [sys.executable, "-m", "repl", *arguments]
        child = pexpect.spawn(command[0], command[1:], dimensions=(screen.lines, screen.columns), env=environment)

        def press(keys: str, seconds: float) -> None:
            child.send(keys)
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                try:
                    stream.feed(child.read_nonblocking(65536, timeout=min(left, 0.05)))
                except pexpect.TIMEOUT:
                    continue

        yield press
        child.close(force=True)


def still() -> str:
    """A session with alternatives, the likeliest tokens, surprisal and the state, as one picture."""
    screen = Screen(COLUMNS, LINES)
    with running(screen, "--seed", "7", "--length", "160") as press:
        press("", 2)
        for line in TYPED:
            press(f"{line}\r", 2)
    rows = [row for row in range(LINES) if screen.display[row].strip()]
    height = max(rows) + 1
    parts = [f'<g transform="translate(0 {row * CELL_HEIGHT})">{_row(screen, row)}</g>' for row in range(height)]
    return "\n".join([*_head(COLUMNS, height), *parts, "</svg>\n"])


def moving() -> str:
    """A session from the first words to a walk, as frames."""
    screen = Screen(MOVING_COLUMNS, MOVING_LINES)
    frames: list[tuple[float, tuple[str, ...]]] = []  # seconds from the beginning, rows
    shown, now = 0, 0.0

    def take() -> None:
        rows = tuple(_row(screen, row) for row in range(MOVING_LINES))
        if not frames or frames[-1][1] != rows:
            frames.append((now, rows))

    with running(screen, "--seed", "12", "--length", "50", config="[terminal]\nspeed = 70\n") as press:
        press("", 3)
        take()
        now += 0.8
        for number, (keys, seconds) in enumerate(KEYS):
            presses = [keys] if keys.startswith("\x1b") else list(keys) or [""]
            for key in presses:
                for _ in range(max(1, round((KEY if key is not presses[-1] else seconds) / FRAME))):
                    press(key, FRAME)
                    key = ""
                    take()
                    now += FRAME
            if number == STILL:
                shown = len(frames) - 1
    return _animated(frames, shown, now + HOLD)


def _animated(frames: list[tuple[float, tuple[str, ...]]], shown: int, seconds: float) -> str:
    """Frames as one picture. Each row that differs is drawn once. The frame `shown` is seen where nothing moves."""
    numbers: dict[str, int] = {}
    for _, rows in frames:
        for row in rows:
            numbers.setdefault(row, len(numbers))
    styles, groups = [], []
    for number, (begin, rows) in enumerate(frames):
        end = frames[number + 1][0] if number + 1 < len(frames) else seconds
        first, last = 100 * begin / seconds, 100 * end / seconds
        steps = f"{first:.3f}%{{visibility:visible}}" + (f"{last:.3f}%,to{{visibility:hidden}}" if last < 100 else "")
        before = "0%{visibility:hidden}" if first else ""
        styles.append(f"@keyframes f{number}{{{before}{steps}}}#f{number}{{animation-name:f{number}}}")
        uses = "".join(
            f'<use href="#r{numbers[row]}" y="{place * CELL_HEIGHT}"/>' for place, row in enumerate(rows) if row
        )
        hidden = "" if number == shown else ' visibility="hidden"'
        groups.append(f'<g id="f{number}" class="f"{hidden}>{uses}</g>')
    drawn = [f'<g id="r{number}">{row}</g>' for row, number in numbers.items() if row]
    style = [
        "<style>", f".f{{animation:{seconds:.1f}s step-end infinite}}", *styles,
        "@media(prefers-reduced-motion:reduce){.f{animation:none!important}}", "</style>",
    ]  # fmt: skip
    made = [*_head(MOVING_COLUMNS, MOVING_LINES), *style, "<defs>", *drawn, "</defs>", *groups, "</svg>\n"]
    return "\n".join(made)


def _head(columns: int, height: int) -> list[str]:
    width, height = round(columns * CELL_WIDTH + 2 * MARGIN), height * CELL_HEIGHT + 2 * MARGIN
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="14" '
        'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace">',
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
    ]


def _row(screen: pyte.Screen, row: int) -> str:
    """A row, at the top: a rectangle a run of background, a text a run of one style, the cursor."""
    parts: list[str] = []
    column = 0
    while column < screen.columns:
        cell = screen.buffer[row][column]
        end = column
        while end < screen.columns and screen.buffer[row][end]._replace(data="") == cell._replace(data=""):
            end += 1
        text = "".join(screen.buffer[row][place].data for place in range(column, end))
        parts += _run(column, text, cell)
        column = end
    if screen.cursor.y == row and not screen.cursor.hidden:
        parts.append(_rectangle(MARGIN + screen.cursor.x * CELL_WIDTH, MARGIN, CELL_WIDTH, CELL_HEIGHT, f"{INK}80"))
    return "".join(parts)


def _run(column: int, text: str, cell: pyte.screens.Char) -> list[str]:
    front, back = _color(cell.fg, INK), _color(cell.bg, PAPER)
    if cell.reverse:
        front, back = back, front
    x, y, width = MARGIN + column * CELL_WIDTH, MARGIN, len(text) * CELL_WIDTH
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
    for name, draw in (("terminal.svg", still), ("session.svg", moving)):
        picture = draw()
        if len(picture.encode()) > MAX_BYTES:
            raise SystemExit(f"{name} has {len(picture.encode()):,} bytes: type less")
        Path(__file__).with_name(name).write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
