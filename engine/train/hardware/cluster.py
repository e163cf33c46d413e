"""Finds what a process trains on: one device, all GPUs here, or several machines by `TF_CONFIG` or Slurm.

Waits for the other machines, and joins them. Knows neither text nor networks.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

import tensorflow as tf

from engine.errors import TrainingError
from engine.program import quiet_stderr
from engine.train.hardware.distributed import MultiReplica, SingleReplica

JOIN_SECONDS = 600.0  # for which a machine waits for the others
SLURM_PORTS = 20_000, 10_000  # the first, and after how many jobs it is taken again
ROLES = ("chief", "worker")


def find() -> SingleReplica:
    """The devices that this process trains on. Call it before anything else is done with TensorFlow.

    Several machines if `TF_CONFIG` or a Slurm step with several tasks says so; else all GPUs here. Waits for the
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
    """The cluster of `TF_CONFIG`; None if there is none, or only this machine in it."""
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
    """The cluster of a Slurm step; None if there is none, or this is its only task.

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
    """The replicas of a cluster, once all machines have come."""
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

    Each listens on TensorFlow's port, and connects to the others until each has answered once.
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
    """Listens on all addresses of this machine, since a name may mean any; on loopback only if that is named."""
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
