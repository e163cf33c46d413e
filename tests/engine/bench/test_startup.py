"""The time from a program's start to its first character."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import startup
from engine.errors import EngineError


def test_a_start_is_measured_in_fresh_processes(keras_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "STARTS", 2)
    figures = startup.measure(str(keras_model_dir))
    assert 0 < figures["seconds_median"] <= figures["seconds_max"] < 60
    assert figures["peak_megabytes"] > 10


def test_a_start_that_fails_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "STARTS", 2)
    with pytest.raises(EngineError, match="no such model; give a directory"):
        startup.measure("no such model")
