"""What a run keeps when it is stopped, spoiled or refused a place to write, and how it is gone on with."""

from __future__ import annotations

import io
import json
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.evaluate import main as evaluate
from engine.model.directory import CHECKPOINT, NETWORK, VOCABULARY, write_json
from engine.program import import_tensorflow
from engine.train import History, checkpoint, fit
from engine.train.__main__ import main

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.folder import RunFolder  # noqa: E402
from engine.train.network import scoring  # noqa: E402
from engine.train.run import Run  # noqa: E402

SMALL: dict[str, Any] = {
    "units": 16, "layers": 1, "embedding": 8, "batch": 8, "steps": 16, "rate": 0.01, "warmup": 10, "epochs": 2,
    "sample_every": 0, "precision": "float32",
}  # fmt: skip


def weights(out: Path) -> list[np.ndarray[Any, Any]]:
    return checkpoint.load(out).arrays["weights"]


def figures(history: History) -> list[float]:
    return [row["held_out_nats"] for row in history]


def first_time(action: Callable[[], object], then: Callable[..., Any]) -> Callable[..., Any]:
    """What does something else before it does what it should, once."""
    calls = list[int]()

    def either(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            action()
        return then(*arguments, **named)

    return either


def full_disk() -> None:
    raise OSError(28, "No space left on device")


def test_a_run_that_was_stopped_while_it_scored_goes_on_exactly(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = fit(plain_text, tmp_path / "straight", **SMALL)
    interrupt = first_time(lambda: signal.raise_signal(signal.SIGINT), scoring.scoring_lanes)
    monkeypatch.setattr(scoring, "scoring_lanes", interrupt)
    out = tmp_path / "out"
    assert fit(plain_text, out, **SMALL).rows == ()
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
    assert not fit(plain_text, out, **SMALL).is_done
    assert "held out, whole" not in capsys.readouterr().out
    assert fit((), out, resume=True).is_done
    assert "held out, whole" in capsys.readouterr().out


def test_a_time_that_is_up_in_the_last_epoch_may_be_made_longer(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part of the epoch is scored, and the run goes on to the very weights of one that had the time."""
    straight = fit(plain_text, tmp_path / "straight", **SMALL)
    out, is_late = tmp_path / "out", Run._is_late
    monkeypatch.setattr(Run, "_is_late", lambda run: run._trainer.progress.update >= len(straight) * 40)
    short = fit(plain_text, out, **SMALL)
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
        trainer.twin.variables[0].assign(np.full(trainer.twin.variables[0].shape, np.nan, np.float32))

    fit(plain_text, out := tmp_path / "out", **SMALL | {"epochs": 1})
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


def test_a_model_without_a_checkpoint_is_begun_from(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a disk leaves it that takes the model and never the checkpoint, which is larger."""
    out = tmp_path / "out"
    arguments = ["--data", str(plain_text), "--out", str(out)]
    small = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    monkeypatch.setattr(checkpoint, "save", lambda *_: full_disk())
    assert main([*arguments, *small]) == 1
    assert f"make room, then begin from the model with --from {out}" in capsys.readouterr().err
    monkeypatch.undo()
    assert (out / NETWORK).exists()
    assert main([*arguments, "--resume"]) == 1
    assert f"no checkpoint; begin from that with --from {out}" in capsys.readouterr().err
    assert main([*arguments, *small]) == 1
    assert f"choose another --out, or begin from it with --from {out}" in capsys.readouterr().err


def test_what_killed_writers_have_left_is_removed_and_does_not_matter(plain_text: Path, tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    write_json(out / VOCABULARY, {})
    halves = [out / ".model.4711.keras", out / ".checkpoint.4711.npz"]
    for path in (*halves, kept := out / ".model.mine.keras"):
        path.touch()
    assert fit(plain_text, out, **SMALL | {"epochs": 1}).is_done
    assert not any(path.exists() for path in halves)
    assert kept.exists()


def test_a_vocabulary_that_could_not_be_written_is_tried_again(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RunFolder, "_write_vocabulary", first_time(full_disk, RunFolder._write_vocabulary))
    assert fit(plain_text, tmp_path / "out", **SMALL).is_done
    assert "could not save the vocabulary" in (told := capsys.readouterr().out)
    assert "held out, whole" in told


def test_a_run_from_a_model_needs_the_vocabulary_that_it_began_with(plain_text: Path, tmp_path: Path) -> None:
    fit(plain_text, tmp_path / "one", **SMALL)
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
    assert not fit("-", out, **SMALL).is_done
    assert f"'python -m engine.train --data - --out '{out}' --resume'" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", Terminal(io.BytesIO()))
    assert main(["--out", str(out), "--resume"]) == 1
    assert "this run read standard input: pipe the same text into" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(plain_text.read_bytes())))
    assert fit("-", out, resume=True).is_done


def test_the_cards_command_measures_what_the_card_says(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test.txt").write_text("the cat sat on the log.\n" * 40)
    monkeypatch.chdir(tmp_path)
    fit(plain_text.name, "mine", test="test.txt", **SMALL)
    card = Path("mine/README.md").read_text()
    assert "| data | plain.txt: 8,640 characters to learn from |" in card
    assert "over 960 characters of test.txt |" in card
    (line,) = [line for line in card.splitlines() if "engine.evaluate" in line]
    capsys.readouterr()
    words = shlex.split(line.split("`")[1])[3:]
    assert evaluate([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert f"perplexity {figures['perplexity']:.3f}, over the last 960 characters" in card


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
