"""One device, or several devices and machines that train one model together, through `tf.distribute`.

The lanes of a batch are divided evenly over the replicas, and each replica carries the states of its lanes. Losses and
gradients are averaged over all replicas, so the run equals that of one device, up to rounding. Each process keeps its
weights on its first device and applies the averaged gradients there. All processes begin with the same weights, and
apply the same gradients. Only collectives go over the network.

One process is the chief: it alone writes and prints. Knows neither text nor networks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.errors import TrainingError

Rank = tuple[Any, int] | None  # a replica's number and how many there are; None for one alone
TO_RESUME = "when all are back, start them again with --out DIR --resume"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a run does next, the same on all machines: whatever any of them asks for."""

    must_stop: bool = False  # somebody asked for it
    is_late: bool = False  # the time is up
    is_due: bool = False  # a checkpoint is to be written


class SingleReplica:
    """One device, without communication."""

    count = workers = 1  # replicas in all, and the processes that they are in
    is_chief = True

    def whole(self, batch: int, asked: int) -> int:
        """The number of lanes, if the text fills `batch` of the `asked` ones."""
        return batch

    def share(self, array: NDArray[Any], axis: int) -> Any:
        """What each replica gets of an array whose `axis` is that of the lanes."""
        return tf.constant(array)

    def share_all(self, arrays: Iterable[NDArray[Any] | None], axis: int = 1) -> list[Any]:
        """What each replica gets of several arrays; None stays None."""
        return [None if array is None else self.share(array, axis) for array in arrays]

    def gather(self, values: list[Any]) -> list[NDArray[Any]]:
        """The whole arrays of values that were shared along the first axis. All processes must call it together."""
        return [np.asarray(value) for value in values]

    def mean(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Any], Any]:
        """`function(rank, *arguments)` on each replica: a number and gradients, averaged, and what each keeps."""
        number, gradients, kept = function(None, *arguments)
        return number, gradients, kept

    def sum(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
        """`function(*arguments)` on each replica: a number, summed, and what each replica keeps."""
        number, kept = function(*arguments)
        return number, kept

    def average(self, number: Any) -> Any:
        """The mean of a number over all replicas; for use inside the function of `mean`."""
        return number

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether any process has set it. All processes must call it together."""
        return flags

    def decide(self, wishes: Decision) -> Decision:
        """What all processes do next. All must call it together."""
        return Decision(*self.agree(*dataclasses.astuple(wishes)))

    def compare(self, *things: Any) -> None:
        """Raise `TrainingError` unless these are equal in all processes."""

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """Silence all but the chief, and raise `TrainingError` if another process is lost."""
        yield


class MultiReplica(SingleReplica):
    """The replicas of a strategy, in `workers` processes."""

    def __init__(self, strategy: tf.distribute.Strategy, workers: int = 1, *, is_chief: bool = True) -> None:
        self._strategy, self.workers = strategy, workers
        self.count, self.is_chief = strategy.num_replicas_in_sync, is_chief
        self._gathered = tf.function(self._gather)

    def whole(self, batch: int, asked: int) -> int:
        """Raises `TrainingError` if the lanes cannot be divided evenly."""
        if asked % self.count:
            raise TrainingError(
                f"--batch {asked}: {self.count} devices share its lanes evenly; give a multiple of {self.count}"
            )
        if batch < self.count:
            raise TrainingError(f"the text fills {batch} lanes only: use fewer than {self.count} devices")
        return batch - batch % self.count

    def share(self, array: NDArray[Any], axis: int) -> Any:
        parts = np.split(array, self.count, axis)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def gather(self, values: list[Any]) -> list[NDArray[Any]]:
        return [np.asarray(self._local(whole)) for whole in self._gathered(values)]

    def mean(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Any], Any]:
        def replica(*mine: Any) -> tuple[Any, list[Any], Any]:
            rank = tf.distribute.get_replica_context().replica_id_in_sync_group, self.count
            number, gradients, kept = function(rank, *mine)
            number, *gradients = _all_reduce("MEAN", [number, *gradients])
            return number, gradients, kept

        number, gradients, kept = self._strategy.run(replica, args=arguments)
        return self._local(number), [self._local(gradient) for gradient in gradients], kept

    def sum(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
        def replica(*mine: Any) -> tuple[Any, Any]:
            number, kept = function(*mine)
            return _all_reduce("SUM", [number])[0], kept

        number, kept = self._strategy.run(replica, args=arguments)
        return self._local(number), kept

    def average(self, number: Any) -> Any:
        return _all_reduce("MEAN", [number])[0]

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        if self.workers == 1:
            return flags
        everyones = self._everyones(np.array(flags, np.int32))
        return tuple(bool(column.any()) for column in everyones.T)

    def compare(self, *things: Any) -> None:
        if self.workers == 1:
            return
        digest = hashlib.sha256(repr(things).encode()).digest()
        everyones = self._everyones(np.frombuffer(digest, np.int32))
        if (everyones != everyones[0]).any():
            raise TrainingError(
                "the machines have not the same text, settings and checkpoint: give all of them the same command and "
                "the same files"
            )

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        try:
            with contextlib.ExitStack() as stack:
                if not self.is_chief:
                    stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
                yield
        except tf.errors.OpError as error:
            if self.workers == 1 or not (isinstance(error, LOST) or "ollective" in str(error)):
                raise
            raise TrainingError(f"another machine has stopped or cannot be reached: {TO_RESUME}") from None

    def _everyones(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The numbers `[N]` of all replicas, `[R, N]`."""
        mine = np.tile(numbers, (self.count, 1))
        return self.gather([self.share(mine, 0)])[0]

    def _gather(self, values: list[Any]) -> list[Any]:
        def replica(*mine: Any) -> list[Any]:
            context = tf.distribute.get_replica_context()
            return [context.all_gather(tf.identity(value), axis=0) for value in mine]

        wholes: list[Any] = self._strategy.run(replica, args=tuple(values))
        return wholes

    def _local(self, value: Any) -> Any:
        return self._strategy.experimental_local_results(value)[0]


LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)  # fmt: skip


def _all_reduce(how: str, values: list[Any]) -> list[Any]:
    """Some arrays over all replicas, in one collective."""
    flat = tf.concat([tf.reshape(value, [-1]) for value in values], 0)
    reduced = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp[how], flat)
    parts = tf.split(reduced, [value.shape.num_elements() for value in values])
    return [tf.reshape(part, value.shape) for part, value in zip(parts, values, strict=True)]
