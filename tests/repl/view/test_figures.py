"""Bars, names of tokens, styles of surprisals."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from repl.view.figures import EIGHTHS, bar, heat_style, token_name


@given(st.floats(-1, 2), st.integers(1, 40))
def test_a_bar_has_its_width_and_its_length(share: float, width: int) -> None:
    drawn = bar(share, width)
    assert len(drawn) == width
    eighths = sum(EIGHTHS.index(cell) for cell in drawn)
    assert eighths == round(min(1.0, max(0.0, share)) * width * 8)


def test_a_token_is_told_from_others_and_acts_on_nothing() -> None:
    assert [token_name(token) for token in (" ", "a", " the", "\n", "\x1b", "\u202e")] == [
        "space", "a", " the", r"\n", r"\x1b", r"\u202e",
    ]  # fmt: skip


def test_the_hotter_the_more_surprising() -> None:
    assert [heat_style(bits) for bits in (0, 1, 3.9, 4, 100)] == ["heat0", "heat1", "heat2", "heat3", "heat4"]
