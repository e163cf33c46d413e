"""Several devices and processes that train one model must do what one does; a lost one must end all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train import checkpoint  # noqa: E402
from engine.train.data.corpus import read_corpus  # noqa: E402
from engine.train.hardware import distributed  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.common.ports import free_ports  # noqa: E402

RUN = ["--units", "24", "--embedding", "8", "--batch", "8", "--steps", "16", "--rate", "0.01", "--warmup", "10"]
RUN += ["--sample-every", "0", "--precision", "float32"]
TWO_CPUS = """
import copy, dataclasses, sys
from engine.program import import_tensorflow
import_tensorflow()
import tensorflow as tf
from pathlib import Path
from engine.train.data.corpus import read_corpus
from engine.train.hardware.distributed import MultiReplica, SingleReplica
from engine.train.trainer import Trainer
from engine.train.settings import TrainSettings

tf.config.experimental.enable_op_determinism()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
settings = TrainSettings(
    units=24, layers=1, embedding=8, batch=8, steps=8, epochs=1, rate=1e-2, warmup=5, dropout_input=0.2,
    sequences=sys.argv[2], tar=0.1, precision="float32",
)
corpus = read_corpus([sys.argv[1]], 0.1, settings.steps, settings)
found = {}
for kind in (SingleReplica(), MultiReplica(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))):
    trainer = Trainer(settings, corpus, replicas=kind)
    updates = trainer.updates()
    losses = [next(updates) for _ in range(9)]
    saved = trainer.run_state(())
    again = Trainer(settings, corpus, replicas=kind)
    again.restore(dataclasses.replace(saved, progress=copy.deepcopy(saved.progress)))
    further = again.updates()
    assert [next(updates) for _ in range(2)] == [next(further) for _ in range(2)]
    found[kind.count] = [*losses, trainer.held_out_nats()], saved.arrays["states"]
(one, states_of_one), (two, states_of_two) = found[1], found[2]
assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-5, (one, two)
assert one[0] > one[-1]
for a, b in zip(states_of_one, states_of_two, strict=True):
    assert a.shape == (8, 24) and abs(a - b).max() < 1e-4
"""


@pytest.mark.parametrize("sequences", ["lanes", "lines"])
def test_two_devices_do_what_one_does(plain_text: Path, sequences: str) -> None:
    """In a process of its own, for devices are told apart when TensorFlow starts."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_CPUS, str(plain_text), sequences],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@contextmanager
def two_machines(*arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """`engine.train` in two processes that find each other on this machine, each with its part of the environment."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index in range(2):
        told = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(told)}
        command = [sys.executable, "-m", "engine.train", *arguments]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # its end is seen to below
        processes.append(process)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def wait_for(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def losses(saved: checkpoint.RunState) -> list[float]:
    return [row[name] for row in saved.progress.history for name in ("training_nats", "held_out_nats")]


@pytest.mark.parametrize(("precision", "batch", "most"), [("float32", 8, 1e-5), ("bfloat16", 64, 1e-2)])
def test_two_processes_give_the_losses_of_one(
    plain_text: Path, tmp_path: Path, precision: str, batch: int, most: float
) -> None:
    """With 64 lanes in bfloat16, each process divides its own among the cores."""
    plain_text.write_text(plain_text.read_text()[: 300 * batch])
    settings = TrainSettings(
        units=24, embedding=8, batch=batch, steps=16, rate=0.01, warmup=10, epochs=2, precision=precision
    )
    alone = Trainer(settings, read_corpus([plain_text], 0.1, settings.steps))
    for _ in range(2):
        for _ in alone.updates():
            pass
        alone.end_epoch()
    out = tmp_path / "out"
    further = ["--epochs", "2", "--precision", precision, "--batch", str(batch)]
    with two_machines("--out", str(out), "--data", str(plain_text), *RUN, *further) as (chief, other):
        told = chief.communicate(timeout=120)
        assert other.communicate(timeout=60) == ("", "")
    assert (chief.returncode, other.returncode) == (0, 0), told
    assert losses(checkpoint.load(out)) == pytest.approx(losses(alone.run_state(())), abs=most)


@pytest.mark.slow
def test_two_processes_stop_and_go_on_together(plain_text: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    data = ["--data", str(plain_text), "--epochs", "3"]
    alone = [sys.executable, "-m", "engine.train", "--out", str(one), *data, *RUN]
    subprocess.run(alone, check=True, capture_output=True, timeout=120)
    with two_machines("--out", str(two), *data, *RUN) as (chief, other):
        wait_for(chief, "epoch 1/3:")
        other.send_signal(signal.SIGTERM)  # any of them stops all after the same update, and the chief saves
        told = chief.communicate(timeout=60)
        assert other.communicate(timeout=60) == ("", "")
    assert (chief.returncode, other.returncode) == (130, 130), told
    assert f"go on with 'python -m engine.train --out {two} --resume'" in told[0]
    assert checkpoint.load(two).progress.epoch < 3
    with two_machines("--out", str(two), "--resume") as (chief, other):
        told = chief.communicate(timeout=120)
        assert other.communicate(timeout=60) == ("", "")
    assert (chief.returncode, other.returncode) == (0, 0), told
    assert "done: write with it" in told[0]
    assert losses(checkpoint.load(two)) == pytest.approx(losses(checkpoint.load(one)), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_other_in_one_line(plain_text: Path, tmp_path: Path, lost: int) -> None:
    out = tmp_path / "out"
    with two_machines("--out", str(out), "--data", str(plain_text), "--epochs", "4000", *RUN) as processes:
        wait_for(processes[0], "epoch 2/4000:")  # a checkpoint is kept by then
        began = time.monotonic()
        processes[lost].kill()
        _, errors = processes[1 - lost].communicate(timeout=60)
        assert time.monotonic() - began < 60
    assert processes[1 - lost].returncode == 1
    assert errors.startswith("engine.train: another machine has stopped or cannot be reached")
    assert errors.count("\n") == 1
    assert checkpoint.load(out).progress.epoch >= 1  # and --resume goes on from there


def test_lanes_that_cannot_be_shared_are_refused() -> None:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    together = distributed.MultiReplica(strategy)
    together.count = 3
    with pytest.raises(TrainingError, match="--batch 64: 3 devices share its lanes evenly; give a multiple of 3"):
        together.whole(64, 64)
    with pytest.raises(TrainingError, match="fills 2 lanes only"):
        together.whole(2, 63)
    assert together.whole(62, 63) == 60
