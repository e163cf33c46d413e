"""What a person sees of a training run: one live line, a line an epoch, samples. Plain text, no TensorFlow."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import Self, TextIO

LN2 = math.log(2)
LIVE_SECONDS = 0.25  # between two redrawings of the live line on a terminal
LOG_SECONDS = 30.0  # between two lines where output is no terminal
MAX_LINE = 79
SMOOTHING = 0.05  # weight of the newest update in the shown loss and speed


def duration(seconds: float) -> str:
    """As in "7 s", "3:05" and "2:03:05"."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def perplexity(nats: float) -> float:
    """Of a loss a token; infinite where the loss is beyond all use."""
    return math.exp(nats) if nats < 700 else math.inf


class Watch:
    """Prints to `stream`: redraws one line on a terminal, writes now and then a line elsewhere.

    Losses come in nats a token; `rate` is the tokens a character, by which bits a character are told.
    """

    def __init__(
        self, epochs: int, updates: int, tokens_an_update: int, stream: TextIO | None = None,
        *, level: str = "char", rate: float = 1.0,
    ) -> None:  # fmt: skip
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._epochs, self._updates, self._tokens = epochs, updates, tokens_an_update
        self._loss = self._seconds = math.nan
        self._shown = self._last = time.monotonic()
        self._width = 0
        self._level, self._rate = level, rate

    def update(self, epoch: int, update: int, loss: float, best: float | None) -> None:
        """Call after each update, `update` counted from 1; `loss` and `best` in nats a token."""
        now = time.monotonic()
        took, self._last = now - self._last, now
        self._loss = _smooth(self._loss, loss)
        self._seconds = _smooth(self._seconds, took)
        if now - self._shown < (LIVE_SECONDS if self._live else LOG_SECONDS):
            return
        self._shown = now
        line = (
            f"epoch {epoch + 1}/{self._epochs}  loss {self._loss:.3f}  {self._loss * self._rate / LN2:.3f} bits/char  "
            f"{self._tokens / self._rate / self._seconds:,.0f} chars/s  "
            f"{duration((self._updates - update) * self._seconds)} left"
        )
        if best is not None:
            line += f"  best {best * self._rate / LN2:.3f}"
        self._write(line)

    def pause(self) -> None:
        """What follows took time that is no training: begin the clock anew after it."""
        self._last = time.monotonic()

    def note(self, line: str) -> None:
        """A line that stays."""
        if self._live and self._width:
            line = "\r" + " " * self._width + "\r" + line
            self._width = 0
        self._show(line + "\n")

    def epoch(self, row: dict[str, float], is_best: bool) -> None:
        """The line that an epoch leaves behind."""
        self.note(
            f"epoch {int(row['epoch']) + 1}/{self._epochs}: training {row['training_nats']:.4f}, "
            f"held out {self.told(row['held_out_nats'], row.get('held_out_rate', 1.0))}, "
            f"after {duration(row['seconds'])}{', the best so far' if is_best else ''}"
        )

    def told(self, nats: float, rate: float) -> str:
        """A loss in nats a token, and what it is in bits a character at so many tokens a character."""
        if self._level == "char":
            return f"{nats:.4f} nats/char = {nats / LN2:.3f} bits/char"
        return f"{nats:.4f} nats/token = {nats * rate / LN2:.3f} bits/char, perplexity {perplexity(nats):.2f}"

    def sample(self, text: str) -> None:
        """What the model writes by now, set off from the log."""
        self.note("".join(f"    | {line}\n" for line in text.strip().splitlines()).rstrip("\n"))

    def _write(self, line: str) -> None:
        if not self._live:
            self.note(line)
            return
        self._show("\r" + line.ljust(self._width))
        self._width = len(line)

    def _show(self, text: str) -> None:
        """A reader that went away, or a full disk under a log, must not end a run of hours."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


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
        self._draw(line[:MAX_LINE])

    def _draw(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write("\r" + line.ljust(self._width))
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
