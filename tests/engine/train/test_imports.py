"""The floors of training: a folder or module imports only from its own floor and those below."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_imports import ROOT, imported_modules, sources

FLOORS = [
    {"settings", "quantities", "presets"},
    {"hardware"},
    {"reading"},
    {"data"},
    {"network"},
    {"report"},
    {"checkpoint"},
    {"trainer"},
    {"folder", "run", "time_budget"},
    {"job"},
    {"notebook", "__main__"},
]


@pytest.mark.parametrize("path", sources("engine/train"), ids=str)
def test_training_imports_downwards(path: Path) -> None:
    floors = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    room = path.relative_to(ROOT / "engine" / "train").with_suffix("").parts[0]
    if room == "__init__":
        return
    names = [name.split(".") for name in imported_modules(path) if name.startswith("engine.train.")]
    assert not [name for name in names if floors[name[2]] > floors[room]]
