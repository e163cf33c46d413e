"""Places in stories: beside each other, by a text, by a name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.serving.engine import Engine
from repl.session.places import Match, Target, choice_before, matches, position, read_marks, siblings


def branched(tiny: Engine) -> engine.Conversation:
    """0 - 1 ab - (2, 3, 4 replies), and 4 - 5 cd - 6 reply; a remembered 7 beside 5."""
    story = tiny.conversation(sampling=engine.Sampling(seed=1, length=5))
    story.say("ab").result()
    story.retry().result()
    story.retry().result()
    story.say("cd").result()
    story.goto(4)
    story.remember("the cat sat")
    story.goto(6)
    return story


def test_replies_at_one_place_and_the_choice_before_it(tiny: Engine) -> None:
    turns = branched(tiny).tree
    assert [turn.kind for turn in turns] == ["prompt", "reply", "reply", "reply", "prompt", "reply", "memory"]
    assert siblings(turns, 3) == [2, 3, 4]
    assert siblings(turns, 1) == [2, 3, 4]  # nothing else was written there, so what comes after it
    assert siblings(turns, 6) == []
    assert siblings(turns, 5) == [6]  # what is remembered beside it is no reply
    assert siblings(turns, 0) == [1]
    assert [position(turns, here) for here in (2, 4, 1, 6, 0)] == ["1 of 3", "3 of 3", "", "", ""]
    assert choice_before(turns, 6) == 4
    assert choice_before(turns, 4) is None
    assert choice_before(turns, 0) is None


def texts(*turns: tuple[int, int, str, str]) -> engine.Texts:
    return engine.Texts.from_turns(((id, parent, kind, text) for id, parent, kind, text in turns), 0)


def test_a_text_is_found_where_it_is_completed_in_any_case() -> None:
    story = texts(
        (1, 0, "prompt", "Once upon a ti"),
        (2, 1, "reply", "me there was ONCE"),
        (3, 1, "reply", "ger was there"),
        (4, 2, "memory", "a tiger, once"),
        (5, 4, "prompt", " more"),
    )
    assert [match.turn for match in matches(story, "a time")] == [2]
    assert [match.turn for match in matches(story, "once")] == [1, 2, 4]
    assert [match.turn for match in matches(story, "A TIGER")] == [3, 4]
    assert [match.turn for match in matches(story, "once more")] == [5]  # over what was remembered in between
    assert [match.turn for match in matches(story, "e.t")] == []
    assert [match.turn for match in matches(texts((1, 0, "prompt", "caf\u00e9")), "CAFE\u0301")] == [1]


@given(st.text("ab \n", max_size=60), st.text("abc", min_size=1, max_size=5), st.integers(4, 80))
def test_a_snippet_fits_and_shows_what_was_looked_for(around: str, wanted: str, width: int) -> None:
    begin = len(around) // 2
    words = around[:begin] + wanted + around[begin:]
    snippet = Match(1, words, begin, begin + len(wanted)).snippet(width)
    assert len(snippet) <= width
    if width >= 30:
        assert wanted in snippet


def test_marks_are_read_and_what_is_none_is_left_out() -> None:
    noted = {"here": ["main", 3], "odd": 7, "short": ["main"], "wrong": ["main", "3"], "x": [1, 2]}
    assert read_marks(noted) == {"here": Target("main", 3)}
    assert read_marks(None) == read_marks([1]) == {}
