"""What --time chooses, with measured figures given; and a run that is done in its time."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()

from engine.text.vocabulary import Vocabulary  # noqa: E402
from engine.train import fit, time_budget  # noqa: E402
from engine.train.data.corpus import Corpus  # noqa: E402
from engine.train.hardware import memory  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402

TOKENS = tuple("abcdefghijklmnopqrstuvwxyz")


def corpus(tokens: int, held_out: float = 0.1) -> Corpus:
    ids = np.zeros(tokens, np.int32)
    held = int(tokens * held_out)
    counts = {"training": tokens - held, "held_out": held, "test": 0}
    return Corpus(Vocabulary(TOKENS), ids[held:], ids[:held], ids[:0], "", counts, 0, np.zeros(0, np.int64))


@pytest.mark.parametrize(
    ("begin", "last_fitting", "measured"),
    [(2, 4, [2, 3, 4, 5]), (2, 8, [2, 3, 4, 5, 6, 7, 8]), (4, 1, [4, 3, 2, 1]), (3, -1, [3, 2, 1, 0]), (0, 0, [0, 1])],
)
def test_the_largest_that_fits_is_found_by_measuring(begin: int, last_fitting: int, measured: list[int]) -> None:
    asked: list[int] = []

    def measure(index: int) -> float:
        asked.append(index)
        return float(index)

    found = time_budget.climb(begin, 9, measure, lambda index, cost: index <= last_fitting, lambda: True)
    assert found == (max(0, last_fitting), float(max(0, last_fitting)))
    assert asked == measured


def test_measuring_itself_has_an_end() -> None:
    assert time_budget.climb(3, 9, float, lambda index, cost: True, lambda: False) == (3, 3.0)
    assert time_budget.climb(3, 9, float, lambda index, cost: False, lambda: False) == (0, 0.0)


@pytest.mark.parametrize("seconds", [20.0, 100.0, 1800.0, 7200.0])
@pytest.mark.parametrize("cost", [0.005, 0.1, 1.0])
@pytest.mark.parametrize("tokens", [20_000, 1_000_000])
def test_the_schedule_ends_in_time(seconds: float, cost: float, tokens: int) -> None:
    text = corpus(tokens)
    found = time_budget.scheduled(TrainSettings(), {}, text, seconds, cost)
    trainer_updates = time_budget._updates_in(found.settings, text)
    assert found.seconds <= seconds or found.updates == 1
    assert found.settings.epochs <= time_budget.MOST_EPOCHS
    assert found.settings.warmup <= found.updates / 10
    if found.settings.updates:
        assert found.settings.updates == found.updates < trainer_updates
    if found.settings.epochs < time_budget.MOST_EPOCHS and found.updates > 1:
        left = 1 if found.settings.epochs > 1 else 0.01  # an epoch, an update
        assert (
            found.seconds
            > (time_budget.SPARE * seconds - cost * trainer_updates - time_budget.EPOCH_SECONDS) * 0.8 * left
        )


def test_what_is_given_stays() -> None:
    given: dict[str, Any] = {"epochs": 7, "dropout": 0.5, "warmup": 3, "units": 100, "patience": 0}
    text = corpus(1_000_000)
    found = time_budget.scheduled(TrainSettings(**given), given, text, 1800, 0.1)
    assert {name: getattr(found.settings, name) for name in given} == given
    assert found.settings.weight_drop != TrainSettings().weight_drop
    long = time_budget.scheduled(TrainSettings(updates=300), {"updates": 300}, text, 1800, 0.1)
    assert (long.updates, long.settings.updates, long.settings.epochs) == (300, 300, 3)
    candidate = time_budget._candidate(TrainSettings(**given), given, text, 1, 64, 32)
    assert (candidate.layers, candidate.units, candidate.embedding) == (1, 100, 32)
    one_hot = [
        time_budget._candidate(TrainSettings(units=100, input="one-hot"), given, text, 1, 64, n) for n in (32, 64)
    ]
    assert one_hot[0] == one_hot[1]  # it has no embedding
    tied = time_budget._candidate(TrainSettings(tied=True, embedding=512), {"tied": True}, text, 1, 64, 32)
    assert (tied.units, tied.embedding) == (64, 64)


def test_a_small_text_read_often_has_dropout_and_few_lanes() -> None:
    text = corpus(20_000)
    candidate = time_budget._candidate(TrainSettings(), {}, text, 1, 128, 64)
    assert candidate.batch == 8  # of 64
    found = time_budget.scheduled(candidate, {}, text, 1800, 0.01)
    assert found.settings.epochs == time_budget.MOST_EPOCHS
    assert found.settings.patience == time_budget.MOST_EPOCHS // 4
    assert found.settings.dropout == pytest.approx(0.4)
    large = time_budget.scheduled(TrainSettings(), {}, corpus(10_000_000), 1800, 0.5)
    assert large.settings.dropout < 0.05


def test_what_does_not_fit_into_memory_is_not_even_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    text, measured = corpus(1_000_000), list[int]()

    def measure(settings: TrainSettings, corpus: Corpus, teachers: object) -> tuple[float, float]:
        measured.append(settings.widths[0])
        return 0.0, 1e-6

    monkeypatch.setattr(time_budget, "seconds_an_update", measure)
    monkeypatch.setattr(memory, "available", lambda: 400 << 20)
    assert time_budget.choose(TrainSettings(), {}, text, 3600).settings.widths[0] == max(measured) == 256
    with pytest.raises(TrainingError, match="of memory"):
        time_budget.choose(TrainSettings(units=4096), {"units": 4096}, text, 3600)
    assert max(measured) == 256


def test_a_text_too_long_to_be_scored_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"scoring the held-out text once would take .*\(--held-out, now 0.1\)"):
        time_budget.scheduled(TrainSettings(), {}, corpus(50_000_000), 60, 0.5)


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(units=48, embedding=24), TrainSettings(units=48, layers=1, cell="lstm"),
        TrainSettings(units=32, layers=3, cell="rnn", input="one-hot"),
        TrainSettings(units=48, embedding=48, tied=True),
    ],
)  # fmt: skip
def test_parameters_are_counted_without_making_them(settings: TrainSettings) -> None:
    text = corpus(5000)
    assert time_budget.parameters(settings, text) == pytest.approx(Trainer(settings, text).parameters, rel=0.05)


def test_a_run_ends_after_its_updates(plain_text: Path, tmp_path: Path) -> None:
    small: dict[str, Any] = {"units": 8, "layers": 1, "embedding": 8, "batch": 8, "steps": 16, "warmup": 5}
    whole = fit(plain_text, tmp_path / "whole", epochs=1, **small)
    part = fit(plain_text, tmp_path / "part", epochs=3, updates=20, **small)
    assert len(part) == 1  # no epoch without an update
    assert part.is_done
    assert part[0]["rate"] == whole[0]["rate"]  # the cosine has ended, too
    assert part[0]["held_out_nats"] > whole[0]["held_out_nats"]


def test_a_run_chooses_ends_in_its_time_and_is_gone_on_with(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned with no idea what time costs, the run is stopped by its time; it still scores and keeps a model."""
    monkeypatch.setattr(time_budget, "seconds_an_update", lambda settings, corpus, teachers: (0.0, 1e-6))
    out = tmp_path / "out"
    history = fit(plain_text, out, time="3s", units=8, embedding=8, batch=8, steps=16, sample_every=0, epochs=100_000)
    assert history.is_done
    shown = capsys.readouterr().out
    assert "chosen for this machine: GRU 2x8, 100000 epochs" in shown or "GRU 1x8" in shown
    assert "the time is up at update" in shown
    assert "go on" not in shown.replace("goes on", "")
    kept = json.loads((out / "settings.json").read_text())["settings"]
    assert "--time" not in json.loads((out / "settings.json").read_text())["command"]  # its choice stands there
    assert (kept["time"], kept["epochs"], kept["patience"]) == ("3s", 100_000, 25_000)
    longer = fit((), out, resume=True, time="1h", epochs=len(history) + 1)
    assert len(longer) == len(history) + 1
    assert dataclasses.asdict(TrainSettings(**kept))["units"] == 8


def test_a_time_that_is_over_at_once_is_told(plain_text: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--time 1s is too short"):
        fit(plain_text, tmp_path / "out", time="1s", units=8, layers=1)
