"""What a process counts, with a real engine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import engine
from bot.statistics import Statistics
from tests.networks import tiny_engine


def test_tokens_of_all_models_are_counted_and_their_speed_is_that_of_the_last_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("bot.statistics.time", SimpleNamespace(monotonic=lambda: now))
    with tiny_engine() as one, tiny_engine() as other:
        statistics = Statistics({"one": one, "other": other})
        assert statistics.tokens_per_second() == 0
        for model, length in ((one, 30), (other, 90)):
            model.conversation(sampling=engine.Sampling(length=length)).say("a").result()
        now += 10
        assert statistics.num_tokens == 120
        assert statistics.tokens_per_second() == pytest.approx(12)
        for _ in range(3):
            now += 61
            statistics.tokens_per_second()
        assert statistics.tokens_per_second() == 0
        assert statistics.seconds_up == 10 + 3 * 61
