"""A book of twenty chapters, a file each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.train.data.books import CHAPTERS


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (folder := tmp_path / "book").mkdir()
    for number, text in enumerate(CHAPTERS, 1):
        (folder / f"{number:02}.txt").write_text(text)
    return folder
