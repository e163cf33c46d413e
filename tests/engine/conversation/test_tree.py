"""Moving in the tree: undo, redo, goto and forks."""

from __future__ import annotations

import pytest

import engine
from engine.serving.engine import Engine
from tests.engine.conversations import position

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12)


def test_undo_redo_and_goto_move_one_turn_at_a_time(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    first = talk.say("ab").text
    second = talk.say("cd").text
    whole, end = talk.text, position(talk)
    talk.undo()
    assert talk.text == "ab" + first + "cd"
    talk.undo(2)
    assert talk.text == "ab"
    talk.redo(3)
    assert talk.text == whole == "ab" + first + "cd" + second
    assert position(talk) == end
    talk.goto(0)
    assert talk.text == ""
    talk.goto(3)
    assert talk.text == "ab" + first + "cd"


def test_redo_goes_the_way_last_gone(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    one = talk.say("ab").text
    two = talk.retry().text
    assert one != two
    talk.goto(2)
    talk.undo()
    talk.redo()
    assert talk.text == "ab" + one
    talk.goto(3)
    talk.undo(2)
    talk.redo(2)
    assert talk.text == "ab" + two


def test_forks_do_not_touch_each_other(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("ab")
    branch = talk.fork()
    assert position(branch) == position(talk)
    before = position(talk)
    branch.say("xy")
    assert position(talk) == before
    assert talk.say("cd").text == tiny_again(tiny, "ab", "cd")
    branch.undo(2)
    assert branch.say("cd").text == talk.turns[-1].text


def tiny_again(tiny: Engine, *prompts: str) -> str:
    talk = tiny.conversation(sampling=SAMPLING)
    return [talk.say(prompt).text for prompt in prompts][-1]


def test_a_fork_from_an_earlier_turn_moves_nothing(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=engine.Sampling(seed=3, length=5))
    talk.say("the cat")
    talk.say("sat on")
    talk.retry()
    before = talk.snapshot()
    branch = talk.fork(2)
    assert [turn.id for turn in branch.turns] == [1, 2]
    assert branch.say("sat on").text == next(turn.text for turn in talk.tree if turn.id == 4)
    after = talk.snapshot()
    assert (after.present, after.forward) == (before.present, before.forward)
    with pytest.raises(ValueError, match="turn_id 99"):
        talk.fork(99)
