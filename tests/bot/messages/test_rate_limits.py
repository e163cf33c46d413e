"""How fast one may talk to Discord, with a clock that the test sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.rate_limits import FIRST_INTERVAL, MARGIN, MAX_KEYS, MIN_INTERVAL, Cooldown, Pace


def test_the_first_edit_goes_out_at_once_and_the_next_keeps_its_distance() -> None:
    pace = Pace()
    assert pace.wait(100.0) == 0
    pace.sent(100.0)
    assert pace.wait(100.25) == FIRST_INTERVAL - 0.25
    assert pace.wait(100.25, is_last=True) == 0


def test_headers_set_the_distance() -> None:
    pace = Pace()
    pace.sent(0.0)
    pace.answered(0.1, 4, 1.9)
    assert pace.wait(0.1) == pytest.approx((1.9 + MARGIN) / 3 - 0.1)
    pace.answered(0.1, 100, 1.0)
    assert pace.wait(0.0) == MIN_INTERVAL


def test_the_last_request_of_a_window_is_kept_for_the_last_edit() -> None:
    pace = Pace()
    pace.answered(10.0, 1, 3.0)
    assert pace.wait(10.0) == pytest.approx(3.0 + MARGIN)
    assert pace.wait(10.0, is_last=True) == 0
    pace.answered(10.0, 0, 3.0)
    assert pace.wait(10.0, is_last=True) == pytest.approx(3.0 + MARGIN)


def test_refusals_slow_down_and_answers_speed_up_again() -> None:
    pace = Pace()
    pace.refused(0.0, 2.5)
    assert pace.wait(0.0, is_last=True) == 2.5
    pace.sent(3.0)
    slow = pace.wait(3.0)
    assert slow == 2 * FIRST_INTERVAL
    for _ in range(20):
        pace.answered(3.0, 50, 5.0)
    assert pace.wait(3.0) == MIN_INTERVAL


@given(st.integers(1, 10), st.floats(0.5, 10), st.floats(0.001, 0.3))
def test_edits_stay_within_any_allowance_that_is_told(limit: int, per: float, latency: float) -> None:
    """Discord's fixed windows: at most `limit` in `per` seconds from the first of them."""
    pace, now, window, used = Pace(), 0.0, -100.0, 0
    for _ in range(60):
        now += pace.wait(now)
        if now >= window + per:
            window, used = now, 0
        used += 1
        assert used <= limit
        pace.sent(now)
        pace.answered(now + latency, limit - used, max(0.0, window + per - now - latency))
        now += latency


def test_a_cooldown_allows_a_burst_and_then_the_long_run() -> None:
    cooldown = Cooldown(3.0, 2)
    assert [cooldown.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 3.0]
    assert cooldown.wait("b", 0.0) == 0.0
    assert cooldown.wait("a", 3.0) == 0.0
    assert cooldown.wait("a", 3.0) == 3.0
    assert Cooldown(0.0, 1).wait("a", 0.0) == Cooldown(0.0, 1).wait("a", 0.0) == 0.0


def test_a_cooldown_remembers_only_so_many() -> None:
    cooldown = Cooldown(1000.0, 1)
    for key in range(MAX_KEYS + 10):
        cooldown.wait(key, 0.0)
    assert cooldown.wait(0, 1.0) == 0.0
    assert cooldown.wait(MAX_KEYS + 9, 1.0) > 0
