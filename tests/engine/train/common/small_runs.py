"""Settings of runs that take seconds, and what may go wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.train.settings import TrainSettings

if TYPE_CHECKING:
    from engine.train.trainer import Trainer

FLAGS: dict[str, Any] = {
    "units": 16, "layers": 1, "embedding": 8, "batch": 8, "steps": 16, "rate": 0.01, "warmup": 10, "epochs": 2,
    "sample_every": 0, "precision": "float32",
}  # fmt: skip
SETTINGS = TrainSettings(
    units=32, layers=2, embedding=12, batch=8, steps=16, epochs=2, rate=1e-2, warmup=10, precision="float32"
)


def train(trainer: Trainer, updates: int = 10**9) -> list[float]:
    """Train until the end, or for some updates; the losses."""
    losses: list[float] = []
    while trainer.progress.epoch < trainer.settings.epochs:
        for loss in trainer.updates():
            losses.append(loss)
            if len(losses) == updates:
                return losses
        trainer.end_epoch()
    return losses


def first_time(action: Callable[[], object], then: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does something else before it does what it should, once."""
    calls = list[int]()

    def either(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            action()
        return then(*arguments, **named)

    return either


def full_disk() -> None:
    """What a disk without room raises."""
    raise OSError(28, "No space left on device")
