"""`--time`: measures this machine with real updates on the text itself, then chooses a network and a schedule.

The choice is by rules of thumb, given here; what was measured is only how long updates take. What a person has set
stays as it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import TrainingError
from engine.train.data.batches import make_sequences, of_batch
from engine.train.data.corpus import Corpus
from engine.train.hardware import devices, memory
from engine.train.network.pretrained import Pretrained
from engine.train.quantities import duration
from engine.train.settings import TrainSettings, as_text
from engine.train.trainer import Trainer

SIZES = (  # layers, units, embedding: from small to large
    (1, 64, 32), (1, 128, 64), (1, 256, 128), (2, 256, 128), (2, 384, 192), (2, 512, 256), (2, 768, 384),
    (2, 1024, 512),
)  # fmt: skip
TOKENS_A_PARAMETER = 8  # that a network must have read to be worth its size
PARAMETERS_A_TOKEN = 3  # of the text: larger networks only memorize it
MOST_EPOCHS, PATIENT_SHARE = 40, 4  # passes over a small text; an n-th of them without a better score ends a run
LEAST_UPDATES = 16  # an epoch, for which small texts are read in fewer lanes
LEAST_SECONDS = 15.0  # for the smallest network; the search begins a size higher for each doubling
STARTS = 2.0  # times that an update is prepared: to train, to score, to write
SPARE = 0.85  # of what is left of the time is planned with
EPOCH_SECONDS = 1.0  # to write a model and its card, and to show samples
SCORING_SPEED = 2.5  # times that of training
MOST_SCORING = 0.25  # of the time
MEASURED_SECONDS, MEASURED_SHARE = 1.5, 0.15  # of one size; of the time, for all of them


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen, and how long it will take."""

    settings: TrainSettings
    updates: int
    seconds: float

    def describe(self) -> str:
        """The network and the schedule, in half a line."""
        settings = self.settings
        return (
            f"chosen for this machine: {settings.cell.upper()} {_size(settings)}, {settings.epochs} "
            f"epoch{'s' * (settings.epochs > 1)} ({self.updates:,} updates), about {duration(self.seconds)}"
        )


def _size(settings: TrainSettings) -> str:
    if isinstance(settings.units, tuple):
        return as_text(settings.units)
    return f"{settings.layers}x{settings.units}"


def choose(
    settings: TrainSettings, given: dict[str, Any], corpus: Corpus, seconds: float, teachers: Sequence[Pretrained] = ()
) -> Plan:
    """The largest network that can read enough in `seconds`, with a schedule that ends in time.

    `given` are the settings that stay. Raises `TrainingError` where the time is too short to learn anything.
    """
    began = time.monotonic()
    wanted = [_candidate(settings, given, corpus, *size) for size in SIZES]
    candidates = [item for index, item in enumerate(wanted) if item not in wanted[:index]]
    most = PARAMETERS_A_TOKEN * len(corpus.training)
    candidates = [item for item in candidates if parameters(item, corpus) <= most] or candidates[:1]
    candidates = _within_memory(candidates, corpus, teachers)

    measured: dict[int, tuple[float, float]] = {}

    def measure(index: int) -> float:
        measured[index] = seconds_an_update(candidates[index], corpus, teachers)
        return measured[index][1]

    def left() -> float:
        start = min((start for start, _ in measured.values()), default=0.0)
        return seconds - (time.monotonic() - began) - STARTS * start

    def fits(settings: TrainSettings, cost: float) -> bool:
        if "epochs" in given or "updates" in given:
            updates = settings.updates or _updates_in(settings, corpus) * settings.epochs
            return cost * updates <= SPARE * left()
        tokens = SPARE * left() / cost * len(corpus.training) / _updates_in(settings, corpus)  # without padding
        return tokens >= TOKENS_A_PARAMETER * parameters(settings, corpus)

    index, cost = climb(
        min(len(candidates) - 1, int(math.log2(max(1.0, seconds / LEAST_SECONDS)))),
        len(candidates),
        measure,
        lambda index, cost: fits(candidates[index], cost),
        lambda: time.monotonic() - began < MEASURED_SHARE * seconds,
    )
    if left() < EPOCH_SECONDS:
        raise TrainingError(
            f"--time {settings.time} is too short: to start and to measure this machine takes as long; give more"
        )
    return scheduled(candidates[index], given, corpus, left(), cost)


def _within_memory(
    candidates: list[TrainSettings], corpus: Corpus, teachers: Sequence[Pretrained]
) -> list[TrainSettings]:
    """The candidates that fit into memory. Raises `TrainingError` if none does."""
    free = None if devices.has_gpu() else memory.available()
    sizes = len(corpus.vocabulary), len(corpus.held_out)
    taught = [teacher.shape(candidates[0]) for teacher in teachers]
    memory.check(of_batch(candidates[0], corpus), *sizes, free, teachers=taught)
    return [
        item
        for item in candidates
        if free is None or memory.needed(of_batch(item, corpus), *sizes, teachers=taught) <= free
    ]


def climb(
    index: int,
    count: int,
    measure: Callable[[int], float],
    fits: Callable[[int, float], bool],
    may_go_on: Callable[[], bool],
) -> tuple[int, float]:
    """The last of `count` sizes that fits, with what was measured of it.

    Begins at `index` and measures upwards or downwards. Where no more may be measured, it takes the last one that
    did fit; where none did, the smallest.
    """
    cost = measure(index)
    if fits(index, cost):
        while index + 1 < count and may_go_on():
            next_cost = measure(index + 1)
            if not fits(index + 1, next_cost):
                break
            index, cost = index + 1, next_cost
        return index, cost
    while index > 0 and not fits(index, cost):
        index = index - 1 if may_go_on() else 0
        cost = measure(index)
    return index, cost


def scheduled(settings: TrainSettings, given: dict[str, Any], corpus: Corpus, seconds: float, cost: float) -> Plan:
    """As many updates as fit into `seconds`, at `cost` seconds each, after time for scoring and saving."""
    per_epoch = _updates_in(settings, corpus)
    tokens = make_sequences(settings, corpus).tokens_an_update
    scoring = len(corpus.held_out) * cost / tokens / SCORING_SPEED
    if scoring > MOST_SCORING * seconds:
        raise TrainingError(
            f"scoring the held-out text once would take about {duration(scoring)}: give more --time, or hold out less "
            f"(--held-out, now {settings.held_out:g})"
        )
    usable = SPARE * seconds
    an_epoch = per_epoch * cost + scoring + EPOCH_SECONDS
    epochs = settings.epochs if "epochs" in given else max(1, min(MOST_EPOCHS, int(usable / an_epoch)))
    updates = epochs * per_epoch
    if epochs == 1 and "epochs" not in given:
        updates = max(1, min(per_epoch, int((usable - scoring - EPOCH_SECONDS) / cost)))
    if settings.updates:  # as given
        updates, epochs = settings.updates, -(-settings.updates // per_epoch)
    chosen: dict[str, Any] = {
        "epochs": epochs, "updates": updates if updates < epochs * per_epoch else 0, "warmup": min(100, updates // 10),
        "patience": max(5, epochs // PATIENT_SHARE), "sample_every": max(1, epochs // 10),
        **_dropouts(epochs, parameters(settings, corpus) / len(corpus.training)),
    }  # fmt: skip
    chosen = {name: value for name, value in chosen.items() if name not in given}
    total = updates * cost + epochs * (scoring + EPOCH_SECONDS)
    return Plan(replace(settings, **chosen), updates, total)


def _dropouts(epochs: int, parameters_a_token: float) -> dict[str, float]:
    """Dropout rises with the epochs and with the parameters per token: both let a network memorize its text."""
    share = min(1.0, epochs / 20) * min(1.0, 0.25 + 0.75 * parameters_a_token)
    return {"dropout": round(0.4 * share, 2), "weight_drop": round(0.3 * share, 2)}


def _candidate(
    settings: TrainSettings, given: dict[str, Any], corpus: Corpus, layers: int, units: int, embedding: int
) -> TrainSettings:
    wanted: dict[str, Any] = {"layers": layers, "units": units, "embedding": embedding}
    if isinstance(settings.units, tuple):
        wanted = {"embedding": embedding}
    if settings.tied:
        width = settings.widths[-1] if "units" in given else given.get("embedding", units)
        wanted = {**wanted, "embedding": width, "units": width}
    if settings.input == "one-hot":
        del wanted["embedding"]
    wanted["batch"] = max(2, min(settings.batch, len(corpus.training) // (LEAST_UPDATES * settings.steps)))
    wanted = {name: value for name, value in wanted.items() if name not in given}
    return replace(settings, **wanted)


def parameters(settings: TrainSettings, corpus: Corpus) -> int:
    """About how many parameters such a network has."""
    return memory.weights(settings, len(corpus.vocabulary))


def _updates_in(settings: TrainSettings, corpus: Corpus) -> int:
    return max(1, make_sequences(settings, corpus).count(0))


def seconds_an_update(
    settings: TrainSettings, corpus: Corpus, teachers: Sequence[Pretrained] = ()
) -> tuple[float, float]:
    """The seconds of the first update, which compiles the graph, and of each further one, measured in real training."""
    tried = replace(settings, epochs=1, updates=0, dropout=0.1, weight_drop=0.1)
    trainer = Trainer(tried, corpus, teachers=teachers)
    started = began = time.monotonic()
    count = -1
    while count < 2 or time.monotonic() - began < MEASURED_SECONDS:
        trainer.progress.chunk = 0
        for _ in trainer.updates():
            count += 1
            if count == 0:
                began = time.monotonic()
            elif time.monotonic() - began >= MEASURED_SECONDS:
                break
    return began - started, (time.monotonic() - began) / count
