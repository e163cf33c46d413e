"""How much memory a run will need, estimated before it begins. Arithmetic over settings; knows no TensorFlow.

The factors are a little below what runs took on a CPU, so that nothing is refused that fits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import TrainingError
from engine.train.settings import GATES, TrainSettings

FLOAT = 4  # bytes
KEPT = {"gru": 15, "lstm": 19, "rnn": 6}  # floats that an update keeps of a token, a unit
SCORED = 6  # floats of a token and a unit of the widest layer, where no gradient is needed
SLOTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 1}  # what an optimizer keeps of each weight
GRAPH = 50 << 20  # bytes of the compiled program
SCORED_TOKENS = 64 * 256  # at once
CGROUP, MEMINFO = Path("/sys/fs/cgroup/memory.max"), Path("/proc/meminfo")


def available() -> int | None:
    """Bytes of free memory; None where the system does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    limits = [int(found[1]) << 10] if found else []
    if os.access(CGROUP, os.R_OK) and (limit := CGROUP.read_text().strip()).isdigit():
        limits.append(int(limit))
    return min(limits, default=None)


def weights(settings: TrainSettings, vocabulary_size: int) -> int:
    """How many numbers are trained, without biases and normalization."""
    one_hot = settings.input == "one-hot"
    total, inputs = (0, vocabulary_size) if one_hot else (vocabulary_size * settings.embedding, settings.embedding)
    for width in settings.widths:
        total += GATES[settings.cell] * width * (inputs + width)
        inputs = width
    return total + inputs * vocabulary_size


def needed(
    settings: TrainSettings, vocabulary_size: int, held_out: int = 0, machines: int = 1,
    teachers: Sequence[TrainSettings] = (),
) -> int:  # fmt: skip
    """The least bytes that a run needs: weights, gradients, optimizer, and one update or one step of scoring.

    `held_out`: tokens that are scored after each epoch. `machines` share the lanes. `teachers` have their weights, and
    an update their distributions.
    """
    copies = 3 + SLOTS[settings.optimizer] + bool(settings.average)  # weights, gradients, gradients clipped
    tokens = settings.batch * settings.steps // machines
    update = tokens * (KEPT[settings.cell] * sum(settings.widths) + vocabulary_size)
    scored = min(SCORED_TOKENS, held_out) // machines * (SCORED * max(settings.widths) + vocabulary_size)
    taught = sum(weights(teacher, vocabulary_size) for teacher in teachers) + bool(teachers) * tokens * vocabulary_size
    return FLOAT * (copies * weights(settings, vocabulary_size) + max(update, scored) + taught) + GRAPH


def check(
    settings: TrainSettings, vocabulary_size: int, held_out: int, free: int | None, machines: int = 1,
    teachers: Sequence[TrainSettings] = (),
) -> None:  # fmt: skip
    """Raise a `TrainingError` that says what would fit, if `free` bytes are too few."""
    need = needed(settings, vocabulary_size, held_out, machines, teachers)
    if free is None or need <= free:
        return
    for smaller, flags in _smaller(settings):
        if (less := needed(smaller, vocabulary_size, held_out, machines, teachers)) <= free:
            advice = f"{flags} needs {_gigabytes(less)}"
            break
    else:
        advice = "lower --units" if settings.level == "char" else "lower --units or --vocabulary"
        if teachers:
            advice = f"take fewer than {len(teachers)} --teachers, or smaller ones"
    raise TrainingError(f"this run needs about {_gigabytes(need)} of memory and {_gigabytes(free)} are free: {advice}")


def _smaller(settings: TrainSettings) -> Iterator[tuple[TrainSettings, str]]:
    """Settings that need ever less, and their flags: fewer lanes, then fewer steps, then fewer units."""
    batch, steps = settings.batch, settings.steps
    while batch > 1:
        batch //= 2
        yield replace(settings, batch=batch), f"--batch {batch}"
    while steps > 16:
        steps //= 2
        yield replace(settings, batch=1, steps=steps), f"--batch 1 --steps {steps}"
    widths = settings.widths
    while not settings.tied and max(widths) > 1:
        widths = tuple(max(1, width // 2) for width in widths)
        smaller = replace(settings, batch=1, steps=steps, units=widths, layers=len(widths))
        units = smaller.units if isinstance(smaller.units, int) else ",".join(map(str, widths))
        yield smaller, f"--batch 1 --steps {steps} --units {units}"


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
