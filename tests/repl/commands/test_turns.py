from __future__ import annotations

import pytest

from repl.commands.dispatch import enter, enter_edited
from repl.session.session import Session
from tests.repl.session.lines import said, write


def test_retry_undo_redo_and_goto(session: Session) -> None:
    first = write(session, "ab")
    second = write(session, "/retry")
    assert first != second
    assert said(session, "/undo") == "ab"
    assert said(session, "/redo") == "ab" + second
    assert said(session, "/goto 2") == "ab" + first
    assert said(session, "/undo 2") == "(the story is empty)"
    assert "there are 0 turns to take back" in said(session, "/undo")
    assert "redo 9: there are 2 turns to bring back" in said(session, "/redo 9")
    said(session, "/redo")
    assert "undo 2: there is 1 turn to take back" in said(session, "/undo 2")
    assert "redo 2: there is 1 turn to bring back" in said(session, "/redo 2")
    said(session, "/undo")
    assert "bring back" in said(session, "/redo 9")
    assert "give a number" in said(session, "/undo x")
    assert "give a number" in said(session, "/undo \u00b2")
    assert "no such turn" in said(session, "/goto 99")
    assert "give a turn's number" in said(session, "/goto nowhere")


@pytest.mark.parametrize(
    ("name", "words"),
    [("main", "is taken"), ("3", "not all of them digits"), ("a\nb", "in a line"), ("z" * 101, "1 to 100 characters")],
)
def test_names_that_no_story_may_have(session: Session, name: str, words: str) -> None:
    assert words in said(session, f"/fork {name}")
    assert list(session.stories) == ["main"]


def test_a_fork_leaves_the_story_alone(session: Session) -> None:
    write(session, "ab")
    before = session.story.text
    assert "'fork2'" in said(session, "/fork")
    write(session, "cd")
    assert "[fork2]" in said(session, "/tree")
    assert said(session, "/goto main") == before
    assert "is taken" in said(session, "/fork main")
    assert "not all of them digits" in said(session, "/fork 12")
    said(session, "/fork other")
    assert session.name == "other"


def test_alternatives_are_chosen_by_number(session: Session) -> None:
    write(session, "ab")
    before = session.story.text
    answer = enter(session, "/alt 3")
    texts = [reply.text for reply in answer.replies]
    shown = session.finish(answer).message
    assert "1 to 3 chooses" in shown
    assert all(f"--- {number}" in shown for number in (1, 2, 3))
    assert session.story.text == before
    enter(session, "2")
    assert session.story.text == before + texts[1]
    assert "'2'" in enter(session, "2").message  # a text again, with a character that this model never saw


@pytest.mark.parametrize("number", [1, 5, 20, 21, 24])
def test_cut_takes_back_characters_and_the_state_is_that_of_the_text(session: Session, number: int) -> None:
    write(session, "the cat")
    whole = session.story.text
    said(session, f"/cut {number}")
    assert session.story.text == whole[:-number]
    afresh = session.model.conversation()
    afresh.say(whole[:-number], length=0).result()
    assert session.story.next_tokens(5) == afresh.next_tokens(5)
    session.story.goto(2)
    assert session.story.text == whole


def test_cut_to_nothing_and_beyond(session: Session) -> None:
    write(session, "ab")
    assert "the story has 22 characters" in said(session, "/cut 23")
    assert said(session, "/cut 22") == "(the story is empty)"
    assert "give a number" in said(session, "/cut x")


def test_editing_changes_the_last_turn_and_goes_on(session: Session) -> None:
    assert "nothing to edit" in said(session, "/edit")
    write(session, "ab")
    reply = session.story.turns[-1].text
    edit = enter(session, "/edit").edit
    assert edit is not None
    assert edit.text == reply
    assert "nothing was changed" in enter_edited(session, edit, reply).message
    answer = enter_edited(session, edit, "changed")
    assert answer.reply is not None
    assert session.story.text == "abchanged" + answer.reply.text
    edit = enter(session, "/edit prompt").edit
    assert edit is not None
    assert edit.text == "changed"
    assert "edit 'x'" in said(session, "/edit x")
