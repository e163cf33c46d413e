"""What a run keeps when it is stopped, spoiled or refused a place to write, and how it is gone on with."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.model.directory import CHECKPOINT
from engine.program import import_tensorflow
from engine.train import History, checkpoint, fit
from engine.train.__main__ import main

import_tensorflow()

from engine.train.network import scoring  # noqa: E402
from engine.train.run import Run  # noqa: E402
from tests.engine.train.common.small_runs import FLAGS, first_time  # noqa: E402


def weights(out: Path) -> list[np.ndarray[Any, Any]]:
    return checkpoint.load(out).arrays["weights"]


def figures(history: History) -> list[float]:
    return [row["held_out_nats"] for row in history]


def test_a_run_that_was_stopped_while_it_scored_goes_on_exactly(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = fit(plain_text, tmp_path / "straight", **FLAGS)
    interrupt = first_time(lambda: signal.raise_signal(signal.SIGINT), scoring.scoring_lanes)
    monkeypatch.setattr(scoring, "scoring_lanes", interrupt)
    out = tmp_path / "out"
    assert fit(plain_text, out, **FLAGS).rows == ()
    kept = checkpoint.load(out).progress
    assert kept.epoch == 0
    assert kept.chunk == kept.update > 0  # all of the first epoch was read
    assert figures(fit((), out, resume=True)) == figures(straight)
    assert all((a == b).all() for a, b in zip(weights(out), weights(tmp_path / "straight"), strict=True))


def test_a_run_may_be_stopped_while_its_model_is_scored_whole(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("engine.serving.engine.TELL_SECONDS", 0.0)
    monkeypatch.setattr(Run, "_go_on", first_time(lambda: signal.raise_signal(signal.SIGINT), Run._go_on))
    assert not fit(plain_text, out, **FLAGS).is_done
    assert "held out, whole" not in capsys.readouterr().out
    assert fit((), out, resume=True).is_done
    assert "held out, whole" in capsys.readouterr().out


def test_what_a_run_began_from_is_the_first_score(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = fit(plain_text, tmp_path / "old", **FLAGS)
    capsys.readouterr()
    better = fit(plain_text, tmp_path / "better", start=tmp_path / "old", **FLAGS)
    told = capsys.readouterr().out
    assert f"old as it is: held out {min(figures(old)):.4f} nats/char" in told
    assert min(figures(better)) < min(figures(old))
    assert "no epoch predicts" not in told
    (other := tmp_path / "other.txt").write_text("tam eht no tas tac eht.\ngol eht no tas god eht.\n" * 200)
    fit(other, tmp_path / "worse", validation=plain_text, start=tmp_path / "old", **{**FLAGS, "epochs": 1})
    assert (
        "no epoch predicts the held-out text better than old as it is: write with that one" in capsys.readouterr().out
    )
    card = (tmp_path / "worse" / "README.md").read_text(encoding="utf-8")
    assert " bits a character held out, as it was |" in card
    assert fit((), tmp_path / "worse", resume=True, epochs=2).is_done
    assert "old as it is: held out" not in capsys.readouterr().out  # that was before the first update


def test_the_counts_of_the_text_are_left_where_they_help(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(plain_text, tmp_path / "kept", **FLAGS)
    card = (tmp_path / "kept" / "README.md").read_text(encoding="utf-8")
    assert "what followed what in the training text is kept" in capsys.readouterr().out
    assert "| `counts.npz` | what followed what in the training text: " in card
    with engine.load(tmp_path / "kept") as model:
        assert model.training_counts is not None
        lengths = [len(order.keys) > 0 for order in model.training_counts.orders]
    assert lengths == [False] * 3 + [True] * 4
    fit(plain_text, tmp_path / "unwanted", **FLAGS, counts=False)
    monkeypatch.setattr("engine.train.run.LEAST_GAIN", 99.0)
    fit(plain_text, tmp_path / "useless", **FLAGS)
    fit((), tmp_path / "kept", resume=True, epochs=3)  # what was left by an earlier run goes, too
    for name in ("unwanted", "useless", "kept"):
        assert not (tmp_path / name / "counts.npz").exists()
        assert "counts.npz" not in (tmp_path / name / "README.md").read_text(encoding="utf-8")


def test_a_time_that_is_up_in_the_last_epoch_may_be_made_longer(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part of the epoch is scored, and the run goes on to the very weights of one that had the time."""
    straight = fit(plain_text, tmp_path / "straight", **FLAGS)
    out, is_late = tmp_path / "out", Run._is_late
    monkeypatch.setattr(Run, "_is_late", lambda run: run._trainer.progress.update >= len(straight) * 40)
    short = fit(plain_text, out, **FLAGS)
    assert short.is_done
    assert len(short) == 2
    kept = checkpoint.load(out).progress
    assert (kept.epoch, kept.update) == (1, 80)
    assert kept.chunk
    monkeypatch.setattr(Run, "_is_late", is_late)
    longer = fit((), out, resume=True)
    assert figures(longer) == figures(straight)
    assert figures(longer)[1] < figures(short)[1]
    assert all((a == b).all() for a, b in zip(weights(out), weights(tmp_path / "straight"), strict=True))


def test_a_useless_loss_leaves_a_checkpoint_to_go_on_from_with_a_lower_rate(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last update spoils the weights, though its loss, of the weights before it, is well."""
    from engine.train.trainer import Trainer

    updates = Trainer.updates

    def spoiled(trainer: Trainer) -> Iterator[float]:
        yield from updates(trainer)
        trainer.network.variables[0].assign(np.full(trainer.network.variables[0].shape, np.nan, np.float32))

    fit(plain_text, out := tmp_path / "out", **FLAGS | {"epochs": 1})
    before = (out / CHECKPOINT).read_bytes()
    monkeypatch.setattr(Trainer, "updates", spoiled)
    assert main(["--out", str(out), "--resume", "--epochs", "2"]) == 1
    assert "a weight became nan at update" in (told := capsys.readouterr().err)
    assert "by --resume" in told
    assert (out / CHECKPOINT).read_bytes() == before
    monkeypatch.undo()
    assert main(["--out", str(out), "--resume", "--epochs", "2", "--rate", "0.001", "--clip", "0.5"]) == 0
    kept = checkpoint.load(out)
    assert (kept.settings.rate, kept.settings.clip, len(kept.progress.history)) == (0.001, 0.5, 2)
