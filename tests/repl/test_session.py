from __future__ import annotations

import pytest

import engine
from engine.engine import Engine
from repl.session import COMMANDS, Quit, Session


@pytest.fixture
def session(tiny: Engine) -> Session:
    return Session(tiny, engine.Sampling(seed=4, length=20, temperature=1.0))


def write(session: Session, line: str) -> str:
    """What the model writes after a line."""
    reply = session.enter(line).reply
    assert reply is not None
    return reply.text


def said(session: Session, line: str) -> str:
    answer = session.enter(line)
    assert answer.reply is None
    return answer.message


def test_a_line_is_added_to_the_letter_and_enter_goes_on(session: Session) -> None:
    first, second = write(session, "the cat"), write(session, "")
    assert session.story.text == "the cat" + first + second
    third = write(session, "//slash")
    assert session.story.text.endswith("/slash" + third)


def test_every_command_of_the_table_is_in_the_help(session: Session) -> None:
    text = said(session, "/help")
    assert all(f"/{name}" in text for name in COMMANDS)


def test_retry_undo_redo_and_goto(session: Session) -> None:
    first = write(session, "ab")
    second = write(session, "/retry")
    assert first != second
    assert said(session, "/undo") == "ab"
    assert said(session, "/redo") == "ab" + second
    assert said(session, "/goto 2") == "ab" + first
    assert said(session, "/undo 2") == "(the story is empty)"
    assert "there are 0 turns to take back" in said(session, "/undo")
    assert "bring back" in said(session, "/redo 9")
    assert "give a number" in said(session, "/undo x")
    assert "give a number" in said(session, "/undo \u00b2")
    assert "no such turn" in said(session, "/goto 99")
    assert "give a turn's number" in said(session, "/goto nowhere")


def test_a_fork_leaves_the_story_alone(session: Session) -> None:
    write(session, "ab")
    before = session.story.text
    assert "'fork2'" in said(session, "/fork")
    write(session, "cd")
    assert "[fork2]" in said(session, "/tree")
    assert said(session, "/goto main") == before
    assert "is taken" in said(session, "/fork main")
    assert "is taken" in said(session, "/fork 12")
    said(session, "/fork other")
    assert session.name == "other"


def test_settings_are_shown_and_changed(session: Session) -> None:
    shown = said(session, "/set")
    assert all(
        name in shown for name in ("temperature = 1.0 (0 to 100)", "top_k = 0 (0 or more)", "seed = 4", "stop = none")
    )
    assert said(session, "/set temperature 0").startswith("temperature = 0.0")
    assert session.sampling.temperature == 0
    said(session, "/set top-k 5")
    assert session.sampling.top_k == 5
    said(session, r"/set stop \n\n")
    assert session.sampling.stop == ("\n\n",)
    said(session, "/set stop \u00e9\u2014\\")
    assert session.sampling.stop == ("\u00e9\u2014\\",)
    said(session, "/set stop none")
    said(session, "/set seed none")
    assert not session.sampling.stop
    assert session.sampling.seed is None
    said(session, "/set length 3")
    assert len(write(session, "ab")) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/set temperatur 1", ["temperatur", "did you mean 'temperature'"]),
        ("/set top_p 3", ["top_p 3", "0.0 to 1.0"]),
        ("/set top_k much", ["top_k 'much'", "number"]), ("/set zzz 1", ["no setting 'zzz'"]),
        ("/udno", ["/udno", "did you mean /undo?"]), ("/xyzzy", ["/xyzzy", "/help"]), ("/", ["/help"]),
        ("/retry", ["nothing to retry"]),
        ("/set stop ", ["stop = none"]),
    ],
)  # fmt: skip
def test_mistakes_are_answered_and_change_nothing(session: Session, line: str, words: list[str]) -> None:
    before = session.sampling
    message = said(session, line)
    assert all(word in message for word in words), message
    assert session.sampling == before


def test_unseen_characters_are_told_once(session: Session) -> None:
    assert "'é' as 'e'" in session.enter("é").message
    assert session.enter("é").message == ""
    message = session.enter("é漢").message
    assert "漢" in message
    assert "é" not in message


def test_a_seed_set_in_the_middle_begins_its_numbers_anew(session: Session, tiny: Engine) -> None:
    write(session, "ab")
    said(session, "/undo 2")
    said(session, "/set seed 9")
    text = write(session, "ab")
    assert text == tiny.conversation(sampling=engine.Sampling(seed=9, length=20, temperature=1.0)).say("ab").text


def test_quitting(session: Session) -> None:
    with pytest.raises(Quit):
        session.enter("/quit")


def test_a_closed_engine_is_a_message_and_not_the_end() -> None:
    from tests.networks import tiny_engine

    model = tiny_engine()
    session = Session(model, engine.Sampling())
    model.close()
    assert "closed" in session.enter("ab").message
