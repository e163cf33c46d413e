"""Which machines train together: told by TF_CONFIG or Slurm, and waited for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()

from engine.train.hardware import cluster  # noqa: E402
from tests.engine.train.common.ports import free_ports  # noqa: E402


@pytest.mark.parametrize(
    "config",
    [
        "{", "[]", '{"cluster": {}}', '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)  # fmt: skip
def test_a_wrong_tf_config_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(TrainingError, match="TF_CONFIG is none that can be used"):
        cluster.find()


def test_one_machine_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}')
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert cluster.find().count == 1


def test_slurm_tells_who_is_where(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"PROCID": "2", "STEP_NUM_TASKS": "3", "STEP_NODELIST": "node[1-2]", "STEP_TASKS_PER_NODE": "2,1"}
    for name, value in {**told, "JOB_ID": "10017"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    resolver = cluster._by_slurm()
    assert resolver.cluster_spec().as_dict() == {"worker": ["node1:20017", "node1:20018", "node2:20017"]}
    assert (resolver.task_type, resolver.task_id) == ("worker", 2)
    monkeypatch.setenv("SLURM_STEP_NODELIST", "")
    with pytest.raises(TrainingError, match="set TF_CONFIG"):
        cluster._by_slurm()


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_machines_that_do_not_come_are_not_waited_for_for_ever(
    plain_text: Path, tmp_path: Path, is_interrupted: bool
) -> None:
    code = (
        "import sys; from engine.program import import_tensorflow; import_tensorflow()\n"
        f"from engine.train.hardware import cluster; cluster.JOIN_SECONDS = {99.0 if is_interrupted else 1.0}\n"
        "from engine.train.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    told = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}
    command = [sys.executable, "-c", code, "--data", str(plain_text), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        command, env={**os.environ, "TF_CONFIG": json.dumps(told)}, stderr=subprocess.PIPE, text=True
    ) as process:
        if is_interrupted:
            while not _listens(workers[0]):
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if is_interrupted else 1), errors
    assert errors.count("\n") == 1
    assert is_interrupted or f"{workers[1]} did not answer within 1 s: start it, too" in errors


def _listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as one:
        return one.connect_ex((host, int(port))) == 0
