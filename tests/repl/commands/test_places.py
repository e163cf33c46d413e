"""Going to places in a session as a writer does."""

from __future__ import annotations

import pytest

from repl.commands.dispatch import enter
from repl.session.session import Session
from tests.repl.session.lines import Sessions, opened, said, write, write_kept


def test_turning_over_the_replies_at_a_place(session: Session) -> None:
    assert "nothing later was written" in said(session, "/next")
    write(session, "ab")
    assert "(1 of" not in session.status()
    assert "nothing earlier was written" in said(session, "/previous")
    write(session, "/retry")
    write(session, "/retry")
    assert "main:4 (3 of 3)" in session.status()
    assert "nothing later" in said(session, "/next")
    assert said(session, "/previous").startswith("(2 of 3)\nab")
    assert session.story.present == 3
    assert "main:3 (2 of 3)" in session.status()
    said(session, "/previous")
    assert "nothing earlier" in said(session, "/previous")
    write(session, "cd")
    write(session, "")
    assert "(1 of 3)" in said(session, "/choice")
    assert session.story.present == 2
    assert "there is no choice before" in said(session, "/choice")


def test_after_undo_the_replies_that_were_written_there_come_back(session: Session) -> None:
    write(session, "ab")
    write(session, "/retry")
    said(session, "/undo")
    said(session, "/next")
    assert session.story.present == 2
    said(session, "/undo")
    said(session, "/previous")
    assert session.story.present == 3


def test_whatever_was_turned_over_goes_on_with_its_own_words(session: Session) -> None:
    write(session, "ab")
    straight = write(session, "cd")
    said(session, "/undo 2")
    write(session, "/retry")
    said(session, "/previous")
    assert write(session, "cd") != ""
    texts = {turn.text for turn in session.story.tree if turn.kind == "reply"}
    assert straight in texts


def test_a_text_is_found_in_all_stories_and_gone_to(session: Session) -> None:
    write(session, "the cat")
    said(session, "/undo 2")
    write(session, "a dog")
    said(session, "/fork other")
    write(session, "no cat")
    shown = said(session, "/find CAT").splitlines()
    assert shown[0].startswith("1   main:1")
    assert "the cat" in shown[0]
    assert shown[1].startswith("2 * other:")
    assert shown[2] == "(1 to 2 goes there; * is on the way to where you are)"
    assert said(session, "1") == "the cat"
    assert (session.name, session.story.present) == ("main", 1)
    assert "stands in no turn" in said(session, "/find zebra")
    assert "give a text" in said(session, "/find")


def test_only_some_of_much_that_is_found_is_listed(session: Session) -> None:
    session.columns = 20
    for _ in range(60):
        session.story.say("the cat.", length=0).result()
    shown = said(session, "/find cat").splitlines()
    assert len(shown) == 82
    assert "and 20 more: look for a longer text" in shown
    assert max(map(len, shown[:80])) <= 20
    assert all("cat" in line for line in shown[1:80:2])


def test_marks_are_kept_and_gone_to(sessions: Sessions) -> None:
    session = sessions.start("novel")
    assert "no marks yet" in said(session, "/mark")
    write_kept(session, "ab")
    assert "main:2 is 'the end' now" in said(session, "/mark the end")
    said(session, "/fork other")
    write_kept(session, "cd")
    again = opened(sessions, "novel")
    assert said(again, "/mark") == "the end: main:2"
    assert again.name == "other"
    said(again, "/goto the end")
    assert (again.name, again.story.present) == ("main", 2)
    assert "is taken" in said(again, "/fork the end")
    assert "that of a story" in said(again, "/mark other")
    assert "give a turn's number from /tree, or the name of a story or mark (main, other, the end)" in said(
        again, "/goto nowhere"
    )
    said(again, "/new")
    assert "no marks yet" in said(again, "/mark")


@pytest.mark.parametrize("name", ["12", "a\nb", "z" * 101])
def test_names_that_no_mark_may_have(session: Session, name: str) -> None:
    assert "1 to 100 characters" in said(session, f"/mark {name}")
    assert session.marks == {}


def test_all_sessions_are_looked_through(sessions: Sessions) -> None:
    first = sessions.start("one")
    write_kept(first, "a white cat")
    said(first, "/fork side")
    write_kept(first, "two cats")
    second = sessions.start("two")
    write_kept(second, "catch me")
    shown = said(second, "/sessions cat").splitlines()
    labels = [" ".join(line.split()[1:3]) for line in shown[:-1]]
    assert sorted(set(labels)) == ["one main:1", "one side:1", "one side:3", "two main:1"]
    number = labels.index("one side:3") + 1
    answer = enter(second, str(number))
    assert answer.message.endswith("two cats")
    assert second.store is not None
    assert (second.store.title, second.name, second.story.present) == ("one", "side", 3)
    assert "in no turn of any session" in said(second, "/sessions zebra")
