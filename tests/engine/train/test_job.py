"""What is asked for, checked before anything is made; how a run is gone on with."""

from __future__ import annotations

import io
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.model.directory import NETWORK, VOCABULARY
from engine.program import import_tensorflow
from engine.train import checkpoint, fit
from engine.train.__main__ import main

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.job import Job  # noqa: E402
from engine.train.network import scoring  # noqa: E402
from engine.train.reading.spool import Inputs  # noqa: E402
from engine.train.run import Run  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from tests.engine.train.common.small_runs import FLAGS, first_time, full_disk  # noqa: E402


def test_a_model_without_a_checkpoint_is_begun_from(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a disk leaves it that takes the model and never the checkpoint, which is larger."""
    out = tmp_path / "out"
    arguments = ["--data", str(plain_text), "--out", str(out)]
    small = [f"--{name.replace('_', '-')}={value}" for name, value in FLAGS.items()]
    monkeypatch.setattr(checkpoint, "save", lambda *_: full_disk())
    assert main([*arguments, *small]) == 1
    assert f"make room, then begin from the model with --from {out}" in capsys.readouterr().err
    monkeypatch.undo()
    assert (out / NETWORK).exists()
    assert main([*arguments, "--resume"]) == 1
    assert f"no checkpoint; begin from that with --from {out}" in capsys.readouterr().err
    assert main([*arguments, *small]) == 1
    assert f"choose another --out, or begin from it with --from {out}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["README.md", "counts.npz"])
def test_nothing_of_anybody_elses_is_written_over(
    name: str, plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept := tmp_path / name).write_text("mine")
    assert main(["--data", str(plain_text), "--out", str(tmp_path)]) == 1
    assert f"{kept} is there already, and no run's: choose another --out" in capsys.readouterr().err
    assert kept.read_text() == "mine"


def test_a_run_from_a_model_needs_the_vocabulary_that_it_began_with(plain_text: Path, tmp_path: Path) -> None:
    fit(plain_text, tmp_path / "one", **FLAGS)
    (other := tmp_path / "other.txt").write_text("quite another text\n" * 200)
    fit(other, out := tmp_path / "two", start=tmp_path / "one", epochs=1, batch=8, steps=16, sample_every=0)
    (out / VOCABULARY).unlink()
    with pytest.raises(Exception, match=r"vocabulary.json is not there"):
        fit((), out, resume=True, epochs=2)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_run_of_piped_text_is_not_gone_on_with_by_waiting_for_a_terminal(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my model"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(plain_text.read_bytes())))
    interrupt = first_time(lambda: signal.raise_signal(signal.SIGINT), scoring.scoring_lanes)
    monkeypatch.setattr(scoring, "scoring_lanes", interrupt)
    assert not fit("-", out, **FLAGS).is_done
    assert f"'python -m engine.train --data - --out '{out}' --resume'" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", Terminal(io.BytesIO()))
    assert main(["--out", str(out), "--resume"]) == 1
    assert "this run read standard input: pipe the same text into" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(plain_text.read_bytes())))
    assert fit("-", out, resume=True).is_done


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (("a.txt", "-"), "--data a.txt -"),
        (("a.txt", "--validation", "-"), "--validation -"),
        (("my notes.txt", "-", "--test", "b.txt"), "--data 'my notes.txt' -"),
        (("a.txt", "--validation", "b.txt", "--test", "-"), "--test -"),
    ],
)
def test_the_command_that_goes_on_names_what_was_piped_and_no_more(
    data: tuple[str, ...], flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    checkpoint.save(tmp_path, checkpoint.RunState(TrainSettings(), data, "", checkpoint.Progress(), {}))
    monkeypatch.setattr("sys.stdin", Terminal(io.BytesIO()))
    assert main(["--out", str(tmp_path), "--resume"]) == 1
    assert f"'python -m engine.train {flags} --out {tmp_path} --resume'" in capsys.readouterr().err


def test_a_device_that_is_too_small_is_told_in_a_line(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_much(run: Run) -> bool:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Run, "train", too_much)
    assert main(["--data", str(plain_text), "--out", str(tmp_path / "out"), "--units", "8"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("engine.train: the device that trains has too little memory: lower --batch")
    assert told.count("\n") == 1


@pytest.mark.parametrize("widths", [(64, 32), (64, 64, 64)])
def test_widths_are_as_many_layers_whatever_the_preset_has(widths: tuple[int, ...], tmp_path: Path) -> None:
    given: dict[str, Any] = {"preset": "tutorial", "units": widths}
    asked = Job(tmp_path / "mine", Inputs(("x.txt",)), given).configure()
    assert asked.settings.widths == widths
    assert asked.given["layers"] == len(widths)  # so that --time leaves them, too
    with pytest.raises(ValueError, match="--layers 1: --units"):
        Job(tmp_path / "mine", Inputs(("x.txt",)), {**given, "layers": 1}).configure()
