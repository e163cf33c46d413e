"""The live view of a run on a terminal: below it figures, a bar and a curve, above it all that stays.

The only module that knows rich; imported where a terminal can draw again what it shows. The cursor stays visible, so
that no way to end (`kill -9`, Ctrl-Z, a closed window) can leave a terminal without one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Self, TextIO

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from engine.train.quantities import LN2
from engine.train.report.curve import Curve
from engine.train.report.plain import Reporter

DRAWINGS_A_SECOND = 4
WIDEST = 76  # columns of the bar and the curve
CURVE_ROWS, FEW_ROWS, FEW_COLUMNS = 6, 16, 30  # of lower or narrower terminals the curve is left out


class LiveReporter(Reporter):
    """Shows a run while it is entered; before and after, plain lines."""

    def __init__(
        self, epochs: int, updates: int, tokens_an_update: int, stream: TextIO | None = None,
        *, level: str = "char", rate: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__(epochs, updates, tokens_an_update, stream, level=level, rate=rate)
        self._curve, self._update = Curve(updates), 0
        self._shown_figures: list[str] = []
        self._console = Console(file=self._stream, force_terminal=True, markup=False, highlight=False, emoji=False)
        self._live = Live(
            self, console=self._console, transient=True, refresh_per_second=DRAWINGS_A_SECOND,
            vertical_overflow="crop",
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._live.start()
        self._console.show_cursor(True)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._live.stop()
        finally:
            self._console.show_cursor(True)

    def history(self, rows: Sequence[dict[str, float]], update: int) -> None:
        """The epochs that a resumed run has behind it, up to an update."""
        super().history(rows, update)
        self._curve.add_history(rows, update)

    def update(
        self, epoch: int, update: int, loss: float, best: float | None, learning_rate: float | None = None
    ) -> None:
        """Call after each update; what is drawn of it is drawn by a thread, some times a second."""
        self._smooth_in(loss)
        self._update = update
        self._curve.add_training(update, self._loss * self._rate / LN2)
        figures = self._figures(epoch, update, best)
        self._shown_figures = figures if learning_rate is None else [*figures, f"learning rate {learning_rate:.2g}"]

    def epoch(self, row: dict[str, float], is_best: bool) -> None:
        """The line that an epoch leaves behind, and its point in the curve."""
        self._curve.add_epoch(row, self._update)
        super().epoch(row, is_best)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = min(options.max_width - 1, WIDEST), console.height
        if not self._shown_figures:
            return
        is_plain = "utf" not in console.encoding
        lines = [_bar(self._update / max(1, self._updates), width, is_plain)]
        lines += [Text(line, no_wrap=True, overflow="crop") for line in flowed(self._shown_figures, width)]
        if height >= FEW_ROWS and width >= FEW_COLUMNS and not is_plain:
            curve = self._curve.drawn(width, CURVE_ROWS)
            lines += [_colored(line) for line in curve]
            if curve:
                lines.append(Text("bits a character: dots training, o held out", style="dim"))
        yield Group(*lines[: max(1, height - 1)])  # of more, rich would leave some behind

    def _wrapped(self, lines: Iterable[str]) -> Iterable[str]:
        width = max(8, self._console.width - 7)
        return [part for line in lines for part in textwrap.wrap(line, width, replace_whitespace=False) or [""]]

    def _show(self, text: str) -> None:
        self._console.print(Text(text.removesuffix("\n")))


def flowed(pieces: Sequence[str], width: int) -> list[str]:
    """The pieces in as few lines as they need, in their order."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece) <= width:
            lines[-1] += "  " + piece
        else:
            lines.append(piece)
    return lines


def _bar(share: float, width: int, is_plain: bool) -> Text:
    done = max(0, min(width, round(share * width)))
    full, rest = "#-" if is_plain else "━─"
    return Text.assemble((full * done, "green"), (rest * (width - done), "dim"), no_wrap=True, overflow="crop")


def _colored(line: str) -> Text:
    text = Text(line, no_wrap=True, overflow="crop")
    text.highlight_regex("[\u2801-\u28ff]+", "cyan")
    text.highlight_regex("o", "bold yellow")
    return text
