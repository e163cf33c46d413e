"""One device, or several devices and machines that train one model together, through `tf.distribute`.

The lanes of a batch are divided evenly over the replicas: each carries the states of its own lanes. Losses and
gradients are averaged over all of them, so that the run is that of one device but for rounding. A process holds its
weights as it would alone, on its first device, and takes the averaged gradient there; all processes begin with the same
weights and take the same gradients. Only collectives go over the network.

Knows neither text nor networks. Of the processes one is the chief: it alone writes and prints.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.program import quiet_stderr

Rank = tuple[Any, int] | None  # a replica's number and how many there are; None for one alone
JOIN_SECONDS = 600.0  # that a machine waits for the others
SLURM_PORTS = 20_000, 10_000  # the first, and how many jobs later it is taken again
ROLES = ("chief", "worker")
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
        """How many lanes there are, where the text fills `batch` of those that were asked for."""
        return batch

    def share(self, array: NDArray[Any], axis: int) -> Any:
        """What each replica gets of an array whose `axis` is that of the lanes."""
        return tf.constant(array)

    def share_all(self, arrays: Iterable[NDArray[Any] | None], axis: int = 1) -> list[Any]:
        """What each replica gets of several arrays; None stays None."""
        return [None if array is None else self.share(array, axis) for array in arrays]

    def gather(self, values: list[Any]) -> list[NDArray[Any]]:
        """The whole of what was shared along the first axis. All processes must ask at the same time."""
        return [np.asarray(value) for value in values]

    def mean(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, list[Any], Any]:
        """`function(rank, *arguments)` of each replica: a number and gradients, averaged, and what it keeps."""
        number, gradients, kept = function(None, *arguments)
        return number, gradients, kept

    def sum(self, function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
        """`function(*arguments)` of each replica: a number, summed, and what it keeps."""
        number, kept = function(*arguments)
        return number, kept

    def average(self, number: Any) -> Any:
        """The mean of a number over all replicas; for use inside the function of `mean`."""
        return number

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag that any process has set. All processes must ask at the same time."""
        return flags

    def decide(self, wishes: Decision) -> Decision:
        """What all processes do. All must ask at the same time."""
        return Decision(*self.agree(*dataclasses.astuple(wishes)))

    def compare(self, *things: Any) -> None:
        """Raise `TrainingError` unless all processes have the same."""

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
        """Numbers `[N]` of each replica, `[R, N]`."""
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


def find() -> SingleReplica:
    """What this process has to train on, to be called before anything else is done with TensorFlow.

    Several machines by `TF_CONFIG` or in a step of Slurm's with several tasks; else all GPUs here. Waits for the
    other machines. Raises `TrainingError` if they do not come, or if the environment is wrong.
    """
    resolver = _by_tf_config() or _by_slurm()
    if resolver is not None:
        return _joined(resolver)
    gpus = tf.config.get_visible_devices("GPU")
    if len(gpus) > 1:
        with quiet_stderr():
            return MultiReplica(tf.distribute.MirroredStrategy())
    return SingleReplica()


def _by_tf_config() -> Any:
    """The cluster of `TF_CONFIG`; None if there is none, or this machine is all of it."""
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = {role: list(cluster.get(role, [])) for role in ROLES}
        if set(cluster) - set(ROLES) or not 0 <= int(task["index"]) < len(addresses[task["type"]]):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise TrainingError(
            'TF_CONFIG is none that can be used: give it as {"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, '
            '"task": {"type": "worker", "index": 0}}, with its own index on each machine'
        ) from None
    if sum(map(len, addresses.values())) < 2:
        return None
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _by_slurm() -> Any:
    """The cluster of a step of Slurm's; None if there is none, or its only task is this.

    Slurm itself gives each task its GPUs (--gpus-per-task); the resolver would set CUDA_VISIBLE_DEVICES, too late.
    """
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "")
    if "SLURM_PROCID" not in os.environ or not tasks.isdigit() or int(tasks) < 2:
        return None
    first, count = SLURM_PORTS
    resolvers, gpus = tf.distribute.cluster_resolver, len(tf.config.get_visible_devices("GPU"))
    try:
        slurm = resolvers.SlurmClusterResolver(
            port_base=first + int(os.environ.get("SLURM_JOB_ID", "0")) % count,
            gpus_per_node=int(tasks), gpus_per_task=1, auto_set_gpu=False,
        )  # fmt: skip  # its own count of GPUs fails where there are none
        cluster, (kind, number) = slurm.cluster_spec(), slurm.get_task_info()
        return resolvers.SimpleClusterResolver(
            cluster, task_type=kind, task_id=number, num_accelerators={"GPU": gpus}, rpc_layer="grpc"
        )
    except (RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(f"Slurm's environment cannot be read ({error}): set TF_CONFIG in its place") from None


def _joined(resolver: Any) -> SingleReplica:
    """The strategy of a cluster, once all of it is there."""
    cluster = resolver.cluster_spec()
    role, number, roles = resolver.task_type, resolver.task_id, cluster.as_dict()
    own = cluster.task_address(role, number)
    addresses = [address for role in roles.values() for address in role]
    _meet(own, [address for address in addresses if address != own])
    try:
        with quiet_stderr():
            strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise TrainingError(f"the {len(addresses)} machines cannot be joined ({reason}): start them again") from None
    is_chief = role == "chief" or ("chief" not in roles and number == 0)
    return MultiReplica(strategy, len(addresses), is_chief=is_chief)


def _meet(own: str, others: list[str]) -> None:
    """Wait until all other machines answer; TensorFlow would wait forever, and ignore Ctrl-C.

    Each listens where TensorFlow will and knocks at the others until they answered once, this way or TensorFlow's.
    """
    try:
        listener = _listener(*_host_and_port(own))
    except (OSError, OverflowError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise TrainingError(f"cannot listen at {own} ({why}): name another port, the same on all machines") from None
    with listener:
        began = time.monotonic()
        while others := [other for other in others if not _answers(other)]:
            if time.monotonic() - began > JOIN_SECONDS:
                raise TrainingError(f"{others[0]} did not answer within {JOIN_SECONDS:.0f} s: start it, too")
            time.sleep(0.2)


def _listener(host: str, port: int) -> socket.socket:
    """On all of this machine's addresses, as a name may stand for any; on the loopback alone where that is named."""
    if host.startswith("127.") or host == "localhost":
        return socket.create_server(("127.0.0.1", port))
    dual = socket.has_dualstack_ipv6()
    return socket.create_server(("", port), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual)


def _answers(address: str) -> bool:
    try:
        socket.create_connection(_host_and_port(address), timeout=2.0).close()
    except (OSError, OverflowError, ValueError):
        return False
    return True


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
