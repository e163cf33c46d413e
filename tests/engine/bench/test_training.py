"""What measures training, on next to nothing."""

from __future__ import annotations

import pytest

from engine.program import import_tensorflow

import_tensorflow()
from engine.bench import training as training  # noqa: E402


def test_training_is_measured_beside_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "BATCH", 2)
    monkeypatch.setattr(training, "STEPS", 3)
    shown: list[str] = []
    figures = training.measure_size(4, 1, shown.append, rounds=1)
    assert {"ours_bfloat16", "ours_float32", "keras_fit"} <= figures.keys()
    ratio = figures["ours_float32"] / figures["keras_fit"]
    assert figures["ours_float32_to_keras_fit"] == pytest.approx(ratio)
    assert f"{ratio:.2f} x keras_fit" in "\n".join(shown)
