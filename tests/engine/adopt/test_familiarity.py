"""What is said of a model and a text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.adopt import __main__ as adopt
from engine.program import import_tensorflow
from tests.engine.adopt.models import ROUND, TEXT

import_tensorflow()


def test_a_text_is_known_only_if_a_count_of_it_knows_less(
    models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(name: str, *more: object, data: str = TEXT) -> str:
        Path(text).write_text(data)
        out = tmp_path / f"out{len(os.listdir(tmp_path))}"
        command = [models / f"{name}.keras", "--data", text, "--out", out, *more]
        assert adopt.main([str(part) for part in command]) == 0
        captured = capsys.readouterr()
        assert "knows this text" not in captured.err
        return captured.out if "knows this text" in captured.out else captured.err

    assert "knows this text" in told("plain")
    uneven = "aaaab" * 1000 + ROUND
    assert "knows something of this text" in told("frequencies", data=uneven)
    assert "give --tokens" in told("flat", data=uneven)
    assert "like noise" in told("flat")
    (order := tmp_path / "order.json").write_text(json.dumps(sorted(ROUND, reverse=True)))
    noise = told("plain", "--tokens", order)
    assert f"in another order than in {order}" in noise
    assert "give --tokens" not in noise
    assert "too short" in told("plain", data=ROUND)
