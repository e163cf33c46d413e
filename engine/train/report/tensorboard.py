"""A run for TensorBoard: losses, rate and speed as scalars, samples as text, in TensorFlow's event files.

Events are held back until the checkpoint that includes them is on disk, so a resumed run writes no step twice,
however it ended. Needs no TensorBoard: the plugins' names and TensorFlow's own writer are enough.
"""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path
from typing import Any

import tensorflow as tf

from engine.train.quantities import LN2, bits_of

POINTS = 1000  # of the training loss over a whole run
SCALARS, TEXT = "scalars", "text"  # the plugins that show them


class TensorBoard:
    """Adds event files to `folder`; `rate` is tokens per character."""

    def __init__(self, folder: Path, updates: int, tokens_an_update: int, rate: float) -> None:
        self._folder, self._rate = folder, rate
        self._characters = tokens_an_update / rate  # of an update
        self._every = max(1, updates // POINTS)
        self._losses: list[float] = []
        self._began: float | None = None  # the seconds of training at the last point
        self._timed = 0  # updates since
        self._held: deque[tuple[str, int, str, Any]] = deque()
        self._writer: Any = None

    def update(self, update: int, loss: float, learning_rate: float, seconds: float) -> None:
        """An update, counted from 1, with the seconds of training so far; the means of some make a point."""
        if self._began is None:  # the first update of a process has an unknown duration
            self._began = seconds
        else:
            self._timed += 1
        self._losses.append(loss)
        if update % self._every:
            return
        mean = sum(self._losses) / len(self._losses)
        self._hold_scalar("training/nats", update, mean)
        self._hold_scalar("training/bits_per_character", update, mean * self._rate / LN2)
        self._hold_scalar("learning_rate", update, learning_rate)
        if seconds > self._began:
            speed = self._characters * self._timed / (seconds - self._began)
            self._hold_scalar("characters_per_second", update, speed)
        self._losses, self._began, self._timed = [], seconds, 0

    def epoch(self, update: int, row: dict[str, float]) -> None:
        """The held-out score of an epoch, at the update that ended it."""
        self._hold_scalar("held_out/nats", update, row["held_out_nats"])
        self._hold_scalar("held_out/bits_per_character", update, bits_of(row, "held_out"))

    def sample(self, update: int, temperature: float, text: str) -> None:
        """What the model writes by now."""
        indented = "\n".join(f"    {line}" for line in text.splitlines())  # as Markdown leaves it alone
        self._held.append((f"sample/{temperature:g}", update, TEXT, tf.constant([indented])))

    def flush(self) -> None:
        """Write what was held back. Raises `OSError` where the disk does not take it."""
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(os.fsencode(self._folder))  # of any name
            with self._writer.as_default():
                while self._held:
                    tag, step, plugin, value = self._held.popleft()
                    kind = 1 if plugin == SCALARS else 2  # DATA_CLASS_SCALAR, DATA_CLASS_TENSOR
                    metadata = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": plugin}, data_class=kind)
                    tf.summary.write(tag, value, step=step, metadata=metadata)
            self._writer.flush()
        except tf.errors.OpError as error:
            raise OSError(re.sub(r"{{.*?}} | \[Op:.*", "", error.message)) from None

    def _hold_scalar(self, tag: str, step: int, value: float) -> None:
        self._held.append((tag, step, SCALARS, tf.constant(value, tf.float32)))
