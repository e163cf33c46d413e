"""`engine.train.fit`: what the command line does, called from Python; in a notebook, with a live curve.

Uses IPython only if it is running already; elsewhere it reports in plain lines.
"""

from __future__ import annotations

import argparse
import dataclasses
import html
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.train.job import TENSORBOARD, Job, train
from engine.train.quantities import LN2, duration
from engine.train.reading.spool import Inputs
from engine.train.report import card
from engine.train.report.curve import Curve, Points
from engine.train.report.plain import Reporter
from engine.train.settings import TrainSettings, as_text

Names = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
DRAW_SECONDS = 1.0  # between two drawings of the curve
KEPT_LINES = 200  # notes and samples that stay under it
WIDTH, HEIGHT, LEFT, BELOW = 560, 200, 44, 22  # of the curve, in pixels


@dataclass(frozen=True, slots=True)
class History:
    """What `fit` gives back: a row an epoch as in `training.csv`, and the model's directory."""

    rows: tuple[dict[str, float], ...]
    directory: Path
    is_done: bool  # False where the run was interrupted and can be gone on with by resume=True

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> dict[str, float]:
        return self.rows[index]

    @property
    def best(self) -> dict[str, float] | None:
        """The row of the epoch whose model is kept."""
        return min(self.rows, key=lambda row: row["held_out_nats"], default=None)

    def __repr__(self) -> str:
        state = "" if self.is_done else ", interrupted"
        if self.best is None:
            return f"<History of {self.directory}: no epoch yet{state}>"
        return (
            f"<History of {self.directory}: {len(self.rows)} epochs in {duration(self.rows[-1]['seconds'])}{state}; "
            f"best in epoch {self.best['epoch']:.0f}, {self.best['held_out_nats']:.4f} nats a token = "
            f"{self.best['held_out_bits']:.3f} bits a character>"
        )


def fit(
    data: Names, out: str | os.PathLike[str], *, validation: Names = (), test: Names = (), resume: bool = False,
    start: str | os.PathLike[str] | None = None, teachers: Names = (), cache: str | os.PathLike[str] | None = None,
    tensorboard: bool | str | os.PathLike[str] = False, **settings: Any,
) -> History:  # fmt: skip
    """Train a model on `data` into the directory `out`, as `python -m engine.train` does.

    `settings` are the command line's, with _ for - (`units=256, sample_every=0`). Interrupting stops after the present
    update, keeps everything and returns the history so far; `resume=True` goes on (`data` may then be `()`).
    `start` is a model to begin with, as the command line's `--from`; `teachers` are models to learn from, too.
    Raises `ValueError` for a wrong setting and `EngineError` for text or a directory that will not do.
    """
    inputs = Inputs(_names(data), _names(validation), _names(test))
    events = Path(out, TENSORBOARD) if tensorboard is True else Path(tensorboard) if tensorboard else None
    folder, model = Path(cache) if cache is not None else None, os.fspath(start) if start is not None else None
    job = Job(Path(out), inputs, _checked(settings), resume, folder, events, model, _names(teachers))
    outcome = train(job, NotebookReporter if _display() else Reporter)
    return History(tuple(card.rows(outcome.history)), job.out, outcome.is_done)


def _names(names: Names) -> tuple[str, ...]:
    if isinstance(names, str | os.PathLike):
        return (os.fspath(names),)
    return tuple(os.fspath(name) for name in names)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings in their own types. Raises `ValueError` for one that is unknown or of another type."""
    items = {item.name: item for item in dataclasses.fields(TrainSettings)}
    checked: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in items:
            raise ValueError(f"{name}: there is no such setting; 'python -m engine.train --help' lists them")
        if read := items[name].metadata["read"]:
            try:
                checked[name] = read(as_text(value))
            except argparse.ArgumentTypeError as error:
                raise ValueError(f"{name}={error}") from None
            continue
        kind: Any = type(items[name].default)
        is_whole = hasattr(value, "__index__") and not isinstance(value, bool)  # NumPy's numbers, too
        is_well = {int: is_whole, float: is_whole or isinstance(value, float)}.get(kind, isinstance(value, kind))
        if not is_well:
            raise ValueError(f"{name}={value!r}: must be {'an' if kind is int else 'a'} {kind.__name__}")
        checked[name] = kind(value)
    return checked


class NotebookReporter(Reporter):
    """Shows a run in the output of a notebook's cell, and redraws it."""

    def __init__(
        self, epochs: int, updates: int, tokens_an_update: int, *, level: str = "char", rate: float = 1.0
    ) -> None:
        super().__init__(epochs, updates, tokens_an_update, level=level, rate=rate)
        self._curve, self._update = Curve(updates), 0
        self._now = ""
        self._lines: list[str] = []
        self._drawn = -DRAW_SECONDS
        display = _display()
        self._handle = display(self, display_id=True) if display else None

    def update(
        self, epoch: int, update: int, loss: float, best: float | None, learning_rate: float | None = None
    ) -> None:
        """Call after each update, `update` counted from 1."""
        self._smooth_in(loss)
        self._update = update
        self._curve.add_training(update, self._loss * self._rate / LN2)
        self._now = "  ".join(self._figures(epoch, update, best))
        if learning_rate is not None:
            self._now += f"  learning rate {learning_rate:.2g}"
        if time.monotonic() - self._drawn > DRAW_SECONDS:
            self._draw()

    def note(self, line: str) -> None:
        """A line that stays under the curve."""
        self._lines = [*self._lines, line][-KEPT_LINES:]
        self._draw()

    def history(self, rows: Sequence[dict[str, float]], update: int) -> None:
        """The epochs that the run has behind it, up to an update."""
        super().history(rows, update)
        self._curve.add_history(rows, update)

    def epoch(self, row: dict[str, float], is_best: bool) -> None:
        """The line that an epoch leaves behind, and its point in the curve."""
        self._curve.add_epoch(row, self._update)
        super().epoch(row, is_best)

    def _repr_html_(self) -> str:
        lines = html.escape("\n".join([self._now, *self._lines]))
        return f'{_svg(self._curve)}<pre style="white-space: pre-wrap">{lines}</pre>'

    def __repr__(self) -> str:
        return "\n".join([*self._lines, self._now])

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self._handle is not None:
            self._handle.update(self)


def _svg(curve: Curve) -> str:
    """The curve as a picture in a page: training thin, held out with dots, bits a character at the left."""
    window = curve.window()
    if window is None:
        return ""
    last, low, high = window

    def pixels(points: Points) -> list[str]:
        return [
            f"{LEFT + x / last * (WIDTH - LEFT):.1f},{(high - min(y, high)) / (high - low) * (HEIGHT - BELOW):.1f}"
            for x, y in points
        ]

    held = pixels(curve.held_out)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in (point.split(",") for point in held))
    return (
        f'<svg viewBox="-4 -8 {WIDTH + 8} {HEIGHT + 12}" width="{WIDTH}" style="max-width: 100%" font-size="12" '
        'font-family="sans-serif" fill="gray">'
        f'<path d="M{LEFT},0V{HEIGHT - BELOW}H{WIDTH}" stroke="gray" fill="none"/>'
        f'<text x="0" y="8">{high:.2f}</text><text x="0" y="{HEIGHT - BELOW}">{low:.2f}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">bits a character: '
        '<tspan fill="#888">&#8212; training</tspan> <tspan fill="#d60">&#9679; held out</tspan></text>'
        f'<polyline points="{" ".join(pixels(curve.training))}" fill="none" stroke="#888"/>'
        f'<g fill="#d60"><polyline points="{" ".join(held)}" fill="none" stroke="#d60" stroke-width="2"/>{dots}</g>'
        "</svg>"
    )


def _display() -> Any:
    """IPython's `display` where a notebook runs; None elsewhere, in IPython's terminal, too."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return ipython.display.display if ipython is not None and hasattr(shell, "kernel") else None
