"""What measures reading, on next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bench import reading
from engine.program import import_tensorflow

import_tensorflow()
from engine.bench import training as training  # noqa: E402


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
