"""A walked turn as it is drawn: nothing of the text is lost, and it fits."""

from __future__ import annotations

import time

import pytest
from prompt_toolkit.utils import get_cwidth

import engine
from engine.serving.engine import Engine
from repl.view.style import STYLES, Fragments
from repl.view.walk import CURSOR, PART, View, drawn
from tests.networks import level_engine


def walked(model: Engine, text: str, length: int = 60) -> tuple[engine.Place, ...]:
    story = model.conversation(sampling=engine.Sampling(seed=3, length=length))
    story.say(text).result()
    return story.walk(story.present, 9)


def lines(fragments: Fragments) -> list[str]:
    return "".join(text for _, text in fragments).split("\n")


def at_cursor(fragments: Fragments) -> str:
    return "".join(text for style, text in fragments if style == CURSOR)


@pytest.mark.parametrize("columns", [8, 20, 80, 200])
@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_it_fits_the_screen_wherever_the_cursor_is(level: str, columns: int) -> None:
    with level_engine(level) as model:
        places = walked(model, "the king")
        for here in range(len(places)):
            for chosen in (0, 1, len(places[here].others)):
                for height in (3, 8, 20):
                    shown = lines(drawn(View(places, here, chosen), columns, height))
                    assert len(shown) <= height
                    assert max(map(get_cwidth, shown)) <= columns
                    assert f"token {here + 1} of"[:columns] in "\n".join(shown)


def test_all_of_a_text_is_there_with_the_token_at_the_cursor_and_its_surprise(tiny: Engine) -> None:
    places = walked(tiny, "the cat")
    text = "".join(place.text for place in places)
    shown = drawn(View(places, 7), 200, 30)
    assert "".join(lines(shown)[: text.count("\n") + 1]).replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert at_cursor(shown).strip() == places[7].text.strip()
    assert f"token 8 of 60, {places[7].surprisal_bits:.1f} bits" in lines(shown)
    styles = {style for style, _ in shown}
    assert styles & {"heat3", "heat4"}
    assert styles <= {*STYLES, CURSOR, "", "note"}


def test_a_chosen_token_stands_in_the_text_and_what_would_be_written_anew_is_dim(tiny: Engine) -> None:
    places = walked(tiny, "the cat")
    shown = drawn(View(places, 7, 2), 200, 30)
    token, share = places[7].others[1]
    assert at_cursor(shown).strip() == token.strip()
    after = shown[[style for style, _ in shown].index(CURSOR) + 1 :]
    assert {style for style, _ in after if style.startswith("heat")} <= {"heat1"}  # of the choices
    (line,) = [line for line in lines(shown) if line.startswith(">")]
    assert f"{share:.3f}" in line


def test_a_storys_first_token_has_no_others(tiny: Engine) -> None:
    story = tiny.conversation()
    story.say("the cat", length=0).result()
    shown = lines(drawn(View(story.walk(1), 0), 80, 20))
    assert shown == ["the cat", "token 1 of 7, nothing comes before it", "> t"]


def test_a_token_that_is_a_part_of_a_character_is_marked() -> None:
    with level_engine("bpe") as model:
        story = model.conversation()
        story.say("吾輩 ", length=0).result()
        places = story.walk(1)
        parts = [index for index, place in enumerate(places) if not place.text]
        if not parts:  # the vocabulary has whole ones: then take it apart
            places = (engine.Place(places[0].token, "", 1.0, ()), *places[1:])
            parts = [0]
        assert at_cursor(drawn(View(places, parts[0]), 80, 20)) == PART


def test_nothing_of_it_acts_on_the_terminal() -> None:
    token = engine.Token("\x1b[2J", 1)
    shown = "".join(lines(drawn(View([engine.Place(token, str(token), 2.0, ((token, 0.5),))], 0, 1), 80, 20)))
    assert "\x1b" not in shown


def test_a_key_is_answered_within_20_milliseconds_in_a_turn_of_10_000_tokens(tiny: Engine) -> None:
    token = engine.Token("ab", 1)
    places = [engine.Place(token, "ab", index % 9, ((token, 0.5),) * 9) for index in range(10_000)]
    taken = []
    for here in range(0, 10_000, 997):
        began = time.perf_counter()
        drawn(View(places, here, 1), 80, 24)
        taken.append(time.perf_counter() - began)
    assert sorted(taken)[len(taken) // 2] < 0.02
