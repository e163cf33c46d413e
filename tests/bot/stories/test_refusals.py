"""Errors of the engine and the store, as refusals."""

from __future__ import annotations

import pytest

import engine
from bot.stories.refusals import STORE_FAILED, Busy, EngineFailed, Impossible, NoStory, Refusal, StoreFailed, refusal_of


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (engine.EngineClosed("the engine was closed"), EngineFailed, "the engine was closed"),
        (engine.EngineError("no memory"), EngineFailed, "no memory"),
        (engine.EngineBusy("64 wait already", 2.5), Busy, "64 wait already"),
        (engine.StoreError("password: secret"), StoreFailed, STORE_FAILED),
        (engine.OtherWeights("other weights"), StoreFailed, STORE_FAILED),
        (ValueError("length -1: at least 0"), Impossible, "length -1: at least 0"),
    ],
)
def test_each_error_has_its_refusal(error: engine.EngineError | ValueError, kind: type[Refusal], words: str) -> None:
    refusal = refusal_of(error)
    assert type(refusal) is kind
    assert str(refusal) == words


def test_a_busy_engine_says_when_to_come_back() -> None:
    refusal = refusal_of(engine.EngineBusy("full", 2.5))
    assert isinstance(refusal, Busy)
    assert refusal.seconds == 2.5


def test_another_try_is_of_no_use_only_where_the_story_forbids_it() -> None:
    assert issubclass(NoStory, Impossible)
    assert not any(issubclass(kind, Impossible) for kind in (Busy, EngineFailed, StoreFailed))
