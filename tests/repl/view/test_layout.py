from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from repl.view.layout import Live, Pace, folded, rows, side_by_side

TEXTS = st.text(st.sampled_from("ab \n漢字e\u0301é🙂"), max_size=200)


@given(TEXTS, st.integers(2, 40))
def test_rows_hold_the_text_and_no_more_than_the_width(text: str, columns: int) -> None:
    made = rows(text, columns)
    assert "".join(made) == text.replace("\n", "")
    assert all(sum(map(get_cwidth, row)) <= columns for row in made)


@given(TEXTS, st.integers(2, 40))
def test_a_text_is_broken_between_words(text: str, columns: int) -> None:
    made = folded(text, columns)
    assert all(get_cwidth(row) <= columns for row in made)
    assert "".join("".join(made).split()) == "".join(text.split())
    assert folded("one two three", 9) == ["one two", "three"]
    assert folded("  one\n\ntwo", 9) == ["  one", "", "two"]


@given(st.lists(TEXTS, max_size=20), st.integers(2, 40), st.integers(2, 10))
def test_no_character_of_a_stream_is_lost_or_moved(pieces: list[str], columns: int, height: int) -> None:
    live, shown = Live(), ""
    for piece in pieces:
        live.add(piece)
        shown += live.settle(columns, height)
        assert len(rows(live.text, columns)) <= height
    shown += live.finish()
    assert shown.replace("\n", "") == "".join(pieces).replace("\n", "")
    assert live.text == ""


def test_whole_lines_settle_as_they_are() -> None:
    live = Live()
    live.add("one\ntwo\nthr")
    assert live.settle(80, 10) == "one\ntwo\n"
    live.add("ee")
    assert live.settle(80, 10) == ""
    assert live.finish() == "three\n"
    assert live.finish() == ""


def test_a_pace_lets_so_many_pass_a_second() -> None:
    pace, shown = Pace(40, 0.0), 0
    for frame in range(1, 301):
        shown += pace.allow(1000, frame / 30)
    assert abs(shown - 400) <= 12
    assert Pace(0, 0.0).allow(1000, 0.0) == 1000


@pytest.mark.parametrize("columns", [20, 80, 300])
def test_texts_stand_side_by_side_where_they_fit(columns: int) -> None:
    texts = ["one two three four five six seven eight nine ten", "\nb\n", "c"]
    drawn = "\n".join(side_by_side(texts, columns))
    assert ("|" in drawn) == (columns >= 80)
    assert all(word in drawn for word in texts[0].split())
    assert max(map(len, drawn.splitlines())) <= columns


@given(st.lists(TEXTS, min_size=1, max_size=16), st.integers(20, 300), st.integers(2, 30))
def test_texts_that_are_being_written_fit_the_screen(texts: list[str], columns: int, height: int) -> None:
    drawn = side_by_side(texts, columns, height)
    assert len(drawn) <= height
    assert max(map(get_cwidth, drawn)) <= columns
    whole = side_by_side(texts, columns)
    assert max(map(get_cwidth, whole)) <= columns
    bars = {
        tuple(get_cwidth(part) for part in row.split(" | ")[:-1]) for row in whole if row.count(" | ") == len(texts) - 1
    }
    assert len(bars) <= 1  # the columns stand below each other, however wide their characters are
