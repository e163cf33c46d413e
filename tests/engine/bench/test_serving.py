"""What measures many people at once, on a few."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import serving
from engine.serving.engine import Engine


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("LONG_REPLIES", 3), ("SHORT_REQUESTS", 4), ("REQUESTS", 20), ("OWNERS", 4), ("REQUEST_LENGTH", 5),
        ("IDLE_CONVERSATIONS", 20), ("SAVES", 3), ("STORED", 20), ("OPENED", 5),
    ):  # fmt: skip
        monkeypatch.setattr(serving, name, value)


def test_all_figures_are_there_and_are_shown(tiny: Engine) -> None:
    figures = serving.measure(tiny)
    for name in ("first_piece", "save", "open"):
        assert 0 < figures[f"{name}_ms"] <= figures[f"{name}_ms_99"]
    assert figures["slowest_owner_to_fair_share"] >= 1
    assert figures["idle_conversation_bytes"] > 0
    assert 0 <= figures["idle_processor_share"] < 1
    assert len(serving.show(figures)) == 4
