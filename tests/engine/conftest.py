"""An engine for each level."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.serving.engine import Engine
from engine.text.vocabulary import LEVELS
from tests.networks import level_engine


@pytest.fixture(scope="module", params=LEVELS)
def model(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with level_engine(request.param) as made:
        yield made
