from __future__ import annotations

from engine import Sampling, Turn
from engine.conversation.outline import first_words, last_words, outline
from engine.serving.engine import Engine


def test_only_branches_are_indented(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=Sampling(seed=1, length=3))
    talk.say("one")
    talk.say("two")
    talk.undo(2)
    talk.say("three")
    talk.goto(4)
    talk.retry()
    shown = [turn.text for turn in talk.tree]
    assert outline(talk.tree, talk.present, 80) == [
        "0 (start)",
        "1 > one",
        f"2 {first_words(shown[1], 70)}",
        "|-- 3 > two",
        f"|   |-- 4 {first_words(shown[3], 70)}",
        f"|   `-- 7 {first_words(shown[6], 70)}  <- here",
        "`-- 5 > three",
        f"    6 {first_words(shown[5], 70)}",
    ]


def test_no_line_is_wider_than_the_terminal(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=Sampling(seed=1, length=100))
    talk.say("a beginning that is rather long for so narrow a terminal")
    talk.retry()
    assert talk.text
    lines: list[str] = outline(talk.tree, talk.present, 40)
    assert max(map(len, lines)) <= 40


def test_an_empty_story_and_a_very_long_one(tiny: Engine) -> None:
    assert outline([], 0, 80) == ["0 (start)  <- here"]
    one = tiny.conversation(sampling=Sampling(length=0))
    one.say("a")
    turn = one.tree[0]
    chain = [Turn(n, "prompt", "x", (), n - 1, turn.checkpoint) for n in range(1, 5001)]
    assert len(outline(chain, 5000, 80)) == 5001


def test_words_are_cut_at_the_right_end() -> None:
    assert first_words("  one\n two  three ", 40) == "one two three"
    assert first_words("one two three", 10) == "one two..."
    assert last_words("one two three", 10) == "...o three"
    assert last_words("one\ntwo", 10) == "one\ntwo"
