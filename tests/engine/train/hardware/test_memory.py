"""What a run will need of memory: near enough to the truth to warn, and advice that holds."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()

from engine.train.__main__ import main  # noqa: E402
from engine.train.hardware import memory  # noqa: E402
from engine.train.network.build import build_model  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402

GIB = 2**30


@pytest.mark.parametrize(
    "shape",
    [
        {"units": 300, "layers": 3},
        {"units": (200, 300), "cell": "lstm", "normalization": True},
        {"units": 200, "cell": "rnn", "input": "one-hot"},
    ],
)
def test_it_counts_the_weights_that_keras_counts(shape: dict[str, Any]) -> None:
    settings = TrainSettings(**shape)
    assert memory.weights(settings, 90) == pytest.approx(build_model(90, settings).count_params(), rel=0.02)


def test_it_is_near_what_runs_took() -> None:
    """Peak memory beside TensorFlow's own, in MB, as it was measured for two updates on a CPU."""
    took = [
        ({"batch": 64, "steps": 128}, 65, 626), ({"units": 1536, "batch": 2, "steps": 4}, 65, 598),
        ({"units": 64, "layers": 1, "embedding": 64, "batch": 32, "steps": 64}, 10_000, 157),
        ({"cell": "lstm", "batch": 64, "steps": 64}, 65, 473), ({"cell": "rnn"}, 65, 273),
    ]  # fmt: skip
    for given, size, megabytes in took:
        settings = TrainSettings(**given)  # type: ignore[arg-type]
        assert 0.8 * megabytes < memory.needed(settings, size) / 2**20 < 1.05 * megabytes


@pytest.mark.parametrize("free", [1, 2, 4])
def test_what_is_advised_fits_and_what_fits_is_let_through(free: int) -> None:
    settings = TrainSettings(units=(2048, 4096), batch=512, steps=256)
    with pytest.raises(TrainingError, match=rf"needs about [\d.]+ GiB of memory and {free}.0 GiB are free") as caught:
        memory.check(settings, 65, 0, free * GIB)
    flags = dict(re.findall(r"--(\w+) ([\d,]+)", str(caught.value)))
    changed: dict[str, Any] = {name: int(value) for name, value in flags.items() if name != "units"}
    if "units" in flags:
        changed["units"] = tuple(map(int, flags["units"].split(",")))
    assert changed
    advised = dataclasses.replace(settings, **changed)
    memory.check(advised, 65, 0, free * GIB)
    memory.check(settings, 65, 0, memory.needed(settings, 65))
    memory.check(settings, 65, 0, None)  # where nobody tells how much there is


def test_no_advice_that_does_not_help() -> None:
    with pytest.raises(TrainingError, match=r"are free: lower --units or --vocabulary$"):
        memory.check(TrainSettings(level="word"), 10_000_000, 0, GIB)


def test_machines_share_the_lanes_and_not_the_weights() -> None:
    settings = TrainSettings(batch=4096)
    lanes = memory.needed(settings, 65) - memory.needed(TrainSettings(batch=1, steps=1), 65)
    saved = memory.needed(settings, 65) - memory.needed(settings, 65, machines=4)
    assert saved == pytest.approx(0.75 * lanes, rel=0.01)
    with pytest.raises(TrainingError, match="--batch 2048 needs"):
        memory.check(settings, 65, 0, memory.needed(settings, 65) - 1)
    memory.check(settings, 65, 0, memory.needed(settings, 65) - 1, machines=2)


def test_scoring_needs_room_too() -> None:
    settings = TrainSettings(level="word", units=64, batch=1, steps=1)
    assert memory.needed(settings, 10_000, 10**6) - memory.needed(settings, 10_000) > 600 << 20


def test_a_run_that_cannot_fit_ends_in_one_line(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    available = memory.available()
    if available is None:
        pytest.skip("this system does not tell how much memory is free")
    assert available > 1 << 20
    arguments = ["--data", str(plain_text), "--out", str(tmp_path / "out"), "--units", "65536", "--layers", "9"]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert re.fullmatch(r"engine.train: this run needs about [\d,.]+ GiB .* are free: .*\n", told)
