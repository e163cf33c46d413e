"""A run's directory: what killed writers left, and what the disk did not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.directory import VOCABULARY, write_json
from engine.program import import_tensorflow
from engine.train import fit

import_tensorflow()

from engine.train.folder import RunFolder  # noqa: E402
from tests.engine.train.common.small_runs import FLAGS, first_time, full_disk  # noqa: E402


def test_what_killed_writers_have_left_is_removed_and_does_not_matter(plain_text: Path, tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    write_json(out / VOCABULARY, {})
    halves = [out / ".model.4711.keras", out / ".checkpoint.4711.npz"]
    for path in (*halves, kept := out / ".model.mine.keras"):
        path.touch()
    assert fit(plain_text, out, **FLAGS | {"epochs": 1}).is_done
    assert not any(path.exists() for path in halves)
    assert kept.exists()


def test_a_vocabulary_that_could_not_be_written_is_tried_again(
    plain_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(RunFolder, "_write_vocabulary", first_time(full_disk, RunFolder._write_vocabulary))
    assert fit(plain_text, tmp_path / "out", **FLAGS).is_done
    assert "could not save the vocabulary" in (told := capsys.readouterr().out)
    assert "held out, whole" in told
