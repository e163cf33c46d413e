"""Stories of a tiny model in a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from bot.replies.stories import Stories
from bot.settings import Writing
from engine.serving.engine import Engine


@pytest.fixture
def stories(tiny: Engine, tmp_path: Path) -> Iterator[Stories]:
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        yield Stories(store, {"tiny": tiny}, Writing(length=12))
