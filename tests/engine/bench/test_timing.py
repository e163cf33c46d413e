"""Times, rounds in turn, medians and centiles."""

from __future__ import annotations

import time

import pytest

from engine.bench.timing import centile_99, in_turn, median_ratio, millisecond_figures, timed


def test_a_block_is_timed_in_milliseconds() -> None:
    milliseconds: list[float] = []
    with timed(milliseconds):
        time.sleep(0.02)
    assert len(milliseconds) == 1
    assert 20 <= milliseconds[0] < 2000


def test_each_round_runs_every_way_once() -> None:
    calls: list[str] = []

    def way(name: str) -> float:
        calls.append(name)
        return len(calls)

    figures = in_turn({"a": lambda: way("a"), "b": lambda: way("b")}, 3)
    assert calls == ["a", "b"] * 3
    assert figures == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_a_ratio_is_of_the_same_round() -> None:
    assert median_ratio([10, 100, 6], [5, 10, 2]) == 3  # the medians' own ratio would be 2


def test_figures_have_a_median_and_a_99th_centile() -> None:
    values = [float(value) for value in range(1, 200)]
    assert millisecond_figures("save", values) == {"save_ms": 100, "save_ms_99": pytest.approx(198)}
    assert centile_99([7.0]) == 7
