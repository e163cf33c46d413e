from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repl.view import pictures


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.floats(0, 20)), max_size=50))
def test_heat_keeps_the_text(pairs: list[tuple[str, float]]) -> None:
    pieces = pictures.heat([token for token, _ in pairs], [bits for _, bits in pairs])
    assert "".join(text for _, text in pieces) == "".join(token for token, _ in pairs)
    assert all(a[0] != b[0] for a, b in itertools.pairwise(pieces))


def test_heat_grows_with_surprisal() -> None:
    styles = [style for style, _ in pictures.heat("abcde", [0.5, 1.5, 3, 5, 9])]
    assert styles == ["heat0", "heat1", "heat2", "heat3", "heat4"]


@pytest.mark.parametrize("units", [1, 13, 512, 5000])
@pytest.mark.parametrize("columns", [20, 80, 300])
@pytest.mark.parametrize("has_color", [True, False])
def test_a_state_of_any_size_fits_any_width(units: int, columns: int, has_color: bool) -> None:
    values = np.linspace(-1, 1, units, dtype=np.float32)
    drawn = "".join(text for _, text in pictures.state_picture([values], columns, has_color))
    title, *rows = drawn.splitlines()
    assert f"{units} units" in title
    assert rows
    assert max(map(len, rows)) <= columns


def test_the_state_is_blue_below_zero_and_red_above() -> None:
    (_, (style, _), *_) = pictures.state_picture([np.array([1.0] * 8 + [-1.0] * 8, np.float32)], 10, True)
    front, back = style.split(" bg:")
    assert int(front[1:3], 16) > int(front[5:7], 16)
    assert int(back[1:3], 16) < int(back[5:7], 16)


def test_a_curve_falls_as_the_losses_do() -> None:
    drawn = pictures.curve([(2.0 / epoch, 2.2 / epoch) for epoch in range(1, 31)], 80).splitlines()
    assert drawn[0].strip().startswith("2.200")
    assert drawn[0].index("*") < drawn[4].index("*") < drawn[7].index("*")
    assert pictures.curve([(1.0, 1.0)], 80) == ""
    assert "nan" not in pictures.curve([(float("nan"), 1.0), (1.0, 0.5)], 80)


def test_chances_name_what_cannot_be_seen() -> None:
    after = {"with the memory": {"\n": 0.6, " ": 0.3, "a": 0.1}, "with top_k 2": {"\n": 0.7, " ": 0.3}}
    drawn = pictures.chances([("\n", 0.5), (" ", 0.3), ("a", 0.2)], after, 80)
    assert all(len(line) <= 80 for line in drawn.splitlines())
    assert drawn.splitlines()[0].split("  ")[-1] == "with top_k 2"
    assert "\\n" in drawn
    assert "space" in drawn
    assert drawn.splitlines()[-1].endswith("-")
