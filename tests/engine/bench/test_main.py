"""The benchmark's command line."""

from __future__ import annotations

import pytest

from engine.bench import __main__ as bench
from engine.program import import_tensorflow

import_tensorflow()
from engine.bench import training as training  # noqa: E402


def test_training_takes_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(["models/shakespeare", "--train"])
    assert "leave the model out" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["no such model"]) == 1
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
