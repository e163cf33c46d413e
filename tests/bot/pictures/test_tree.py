"""The tree as a picture: every turn once, branches in lanes, the present branch in color."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import engine
from bot.pictures import canvas
from bot.pictures.canvas import ACCENT, NoPicture
from bot.pictures.tree import MAX_LANES, MAX_ROWS, ROW, Row, draw_tree, rows_of
from engine.serving.engine import Engine


def story(model: engine.Engine) -> engine.Conversation:
    """A prompt with two replies, of which the first goes on."""
    talk = model.conversation(sampling=engine.Sampling(seed=1, length=3))
    talk.say("the cat").result()
    talk.retry().result()
    talk.goto(2)
    talk.say().result()
    return talk


def test_rows_are_the_turns_with_lanes(tiny: Engine) -> None:
    talk = story(tiny)
    rows = rows_of(talk.tree, talk.present)
    assert [(row.turn, row.lane, row.parent) for row in rows] == [
        (0, 0, None), (1, 0, 0), (3, 1, 1), (2, 0, 1), (4, 0, 3),
    ]  # fmt: skip
    assert [row.turn for row in rows if row.is_on_branch] == [0, 1, 2, 4]
    assert [row.turn for row in rows if row.is_present] == [4]
    assert rows[1].label == "> the cat"


@dataclass(frozen=True)
class Turn:
    """What is drawn of a turn."""

    id: int
    parent: int
    kind: str = "reply"
    text: str = "a few words"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 10**6), max_size=200), st.integers(0, 10**6))
def test_every_turn_has_one_row_below_the_turn_before_it(choices: list[int], choice: int) -> None:
    turns = [Turn(number, choice % number) for number, choice in enumerate(choices, 1)]
    present = choice % (len(turns) + 1)
    rows: list[Row] = rows_of(turns, present)  # type: ignore[arg-type]
    assert sorted(row.turn for row in rows) == list(range(len(turns) + 1))
    for number, row in enumerate(rows[1:], 1):
        assert row.parent is not None
        assert row.parent < number
        assert rows[row.parent].turn == turns[row.turn - 1].parent
        assert rows[row.parent].is_on_branch or not row.is_on_branch
        assert row.lane <= MAX_LANES
    picture = Image.open(io.BytesIO(draw_tree(turns, present)))  # type: ignore[arg-type]
    assert picture.height <= ROW * (MAX_ROWS + 2)
    colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20) or []}
    assert tuple(bytes.fromhex(ACCENT[1:])) in colors


def test_what_the_font_lacks_is_no_picture(tiny: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [Turn(1, 0, text="\u0f00" * 30)]
    with pytest.raises(NoPicture, match="font lacks"):
        draw_tree(turns, 1)  # type: ignore[arg-type]
    canvas.font.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(NoPicture, match="not installed"):
        draw_tree([Turn(1, 0)], 1)  # type: ignore[list-item]


def test_a_line_is_cut_where_the_picture_ends() -> None:
    long = canvas.shortened("word " * 100, 200)
    assert long.startswith("word word")
    assert long.endswith("...")
    assert canvas.font().getlength(long) <= 200
    assert canvas.shortened("word", 200) == "word"
