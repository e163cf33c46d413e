"""Reports a training run in plain lines: one now and then, one an epoch, samples. Knows no TensorFlow."""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Self, TextIO, cast

from engine.names import visible
from engine.train.quantities import LN2, duration, perplexity

LIVE_SECONDS = 0.25  # between two redrawings of the line that tells how far the reading is
LOG_SECONDS = 30.0  # between two lines within an epoch
MAX_LINE = 79
SMOOTHING = 0.05  # weight of the newest update in the shown loss and speed


def is_terminal(stream: TextIO | None) -> bool:
    """Whether it can draw again what it shows."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


class Reporter:
    """Prints lines to `stream`: one now and then, one an epoch, samples. Made `with`, so that a view is put away.

    Losses come in nats a token; `rate` is tokens per character, from which bits per character follow.
    """

    def __init__(
        self, epochs: int, updates: int, tokens_an_update: int, stream: TextIO | None = None,
        *, level: str = "char", rate: float = 1.0,
    ) -> None:  # fmt: skip
        self._stream = cast(TextIO, ForgivingStream(stream or sys.stdout))
        self._epochs, self._updates, self._tokens = epochs, updates, tokens_an_update
        self._loss = self._seconds = math.nan
        self._shown = self._last = time.monotonic()
        self._level, self._rate, self._held_out_rate = level, rate, rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def history(self, rows: Sequence[dict[str, float]], update: int) -> None:
        """The epochs that a resumed run has behind it, up to an update."""
        for row in rows[-1:]:
            self._held_out_rate = row.get("held_out_rate", 1.0)

    def update(
        self, epoch: int, update: int, loss: float, best: float | None, learning_rate: float | None = None
    ) -> None:
        """Call after each update, `update` counted from 1; `loss` and `best` in nats a token."""
        self._smooth_in(loss)
        if self._last - self._shown >= LOG_SECONDS:
            self._shown = self._last
            self.note("  ".join(self._figures(epoch, update, best)))

    def pause(self) -> None:
        """Restart the clock, after something that is not training."""
        self._last = time.monotonic()

    def note(self, line: str) -> None:
        """A line that stays; nothing in it acts on a terminal."""
        self._show(visible(line) + "\n")

    def epoch(self, row: dict[str, float], is_best: bool) -> None:
        """The line that an epoch leaves behind."""
        self._held_out_rate = row.get("held_out_rate", 1.0)
        self.note(
            f"epoch {int(row['epoch']) + 1}/{self._epochs}: training {row['training_nats']:.4f}, "
            f"held out {self.describe_loss(row['held_out_nats'], self._held_out_rate)}, "
            f"after {duration(row['seconds'])}{', the best so far' if is_best else ''}"
        )

    def describe_loss(self, nats: float, rate: float) -> str:
        """A loss in nats a token, and what it is in bits a character at so many tokens a character."""
        if self._level == "char":
            return f"{nats:.4f} nats/char = {nats / LN2:.3f} bits/char"
        return f"{nats:.4f} nats/token = {nats * rate / LN2:.3f} bits/char, perplexity {perplexity(nats):.2f}"

    def sample(self, text: str, temperature: float | None = None) -> None:
        """What the model writes by now, set off from the log; no control character reaches a terminal."""
        head = "" if temperature is None else f"    at temperature {temperature:g}:\n"
        shown = "".join(letter for letter in text if letter in "\t\n" or unicodedata.category(letter) != "Cc")
        self.note(head + "\n".join(f"    | {line}" for line in self._wrapped(shown.strip().splitlines())))

    def _wrapped(self, lines: Iterable[str]) -> Iterable[str]:
        """A sample's lines as they fit; a log has no width."""
        return lines

    def _smooth_in(self, loss: float) -> None:
        """Add an update's loss and time to the smoothed ones."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._loss = _smooth(self._loss, loss)
        self._seconds = _smooth(self._seconds, took)

    def _figures(self, epoch: int, update: int, best: float | None) -> list[str]:
        """The figures of this moment, in the order in which they are shown."""
        figures = [
            f"epoch {epoch + 1}/{self._epochs}", f"loss {self._loss:.3f}",
            f"{self._loss * self._rate / LN2:.3f} bits/char",
            f"{self._tokens / self._rate / max(1e-9, self._seconds):,.0f} chars/s",
            f"{duration((self._updates - update) * self._seconds)} left",
        ]  # fmt: skip
        return figures if best is None else [*figures, f"best {best * self._held_out_rate / LN2:.3f}"]

    def _show(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class ForgivingStream(io.TextIOBase):
    """A stream whose writes never fail: a closed pipe or a character it cannot encode must not end a long run."""

    def __init__(self, stream: TextIO | None) -> None:
        """None where standard output is closed."""
        self._stream = stream or io.StringIO()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            return self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


class ReadingLine:
    """One line on a terminal that tells how far the reading of text is; nothing elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_live = self._stream is not None and self._stream.isatty()
        self._shown, self._width = -math.inf, 0

    def tell(self, what: str, characters: int, seconds: float) -> None:
        """Show what is being done, and how many characters it was done to so far."""
        rate = f", {characters / 1e6 / seconds:.0f} M a second" if seconds > 1 else ""
        self.show(f"{what}: {characters:,} characters{rate}")

    def show(self, line: str) -> None:
        """Show this line, unless another was shown just now."""
        now = time.monotonic()
        if not self._is_live or now - self._shown < LIVE_SECONDS:
            return
        self._shown = now
        self._draw(line[: min(MAX_LINE, shutil.get_terminal_size().columns - 1)])

    def say(self, line: str) -> None:
        """Show something else."""
        if self._is_live:
            self._draw(line)

    def _draw(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write("\r" + visible(line).ljust(self._width))
            self._stream.flush()
        self._width = len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            self._draw("")
            with contextlib.suppress(OSError):
                self._stream.write("\r")


def _smooth(old: float, new: float) -> float:
    return new if math.isnan(old) else (1 - SMOOTHING) * old + SMOOTHING * new
