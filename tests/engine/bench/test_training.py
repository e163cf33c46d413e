"""What measures training and reading, on next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bench import __main__ as bench
from engine.bench import reading
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


def test_training_takes_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["models/shakespeare", "--train"])
    assert "leave the model out" in capsys.readouterr().err


def test_the_benchmark_alone_needs_no_tensorflow() -> None:
    code = "import sys, engine.bench, engine.bench.reading; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reading_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "text.txt").write_text("One word, and another one.\n" * 40_000)
    assert reading.main([str(path), "--level", "word"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["megabytes_a_second"] > 0
    assert figures["peak_megabytes"] > 10
    assert reading.main([str(tmp_path / "none.txt")]) == 1
    assert "none.txt: No such file" in capsys.readouterr().err
