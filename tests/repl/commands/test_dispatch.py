from __future__ import annotations

import time
from dataclasses import replace

import pytest
from prompt_toolkit.input import PipeInput

import engine
from engine.conversation.conversation import Conversation
from engine.conversation.tree import Snapshot
from engine.serving.engine import Engine
from repl.commands.dispatch import COMMANDS, Quit, enter
from repl.session.session import Session
from tests.networks import tiny_engine
from tests.repl.session.lines import SAMPLING, said, write


def test_a_line_is_added_verbatim_and_enter_goes_on(session: Session) -> None:
    first, second = write(session, "the cat"), write(session, "")
    assert session.story.text == "the cat" + first + second
    third = write(session, "//slash")
    assert session.story.text.endswith("/slash" + third)


def test_every_command_of_the_table_is_in_the_help(session: Session) -> None:
    text = said(session, "/help")
    assert all(f"/{name}" in text for name in COMMANDS)


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


def test_quitting(session: Session) -> None:
    with pytest.raises(Quit):
        enter(session, "/quit")


def test_a_closed_engine_is_a_message_and_not_the_end() -> None:
    model = tiny_engine()
    session = Session(model, engine.Sampling())
    model.close()
    assert "closed" in enter(session, "ab").message


def test_a_line_after_alternatives_that_is_no_number_is_a_text(session: Session) -> None:
    write(session, "ab")
    session.finish(enter(session, "/alt"))
    assert write(session, "cd")
    assert session.story.turns[-2].text == "cd"
    session.finish(enter(session, "/alt"))
    digits = "1" * 5000  # more than Python takes for a number
    assert write(session, digits)
    assert session.story.turns[-2].text == digits
    assert "there is no such turn" in said(session, f"/goto {digits}")
    assert "at most 16" in said(session, "/alt 99")
    assert "nothing to go on from" in enter(Session(session.model, session.sampling), "/alt").message


def test_the_help_fits_one_screen_and_tells_of_each_command(session: Session) -> None:
    import textwrap

    lines = [row for line in said(session, "/help").splitlines() for row in textwrap.wrap(line, 80)]
    assert len(lines) <= 22
    for name, command in COMMANDS.items():
        assert command.help in said(session, f"/help {name}")
    assert "did you mean /retry" in said(session, "/help rety")


def test_ten_thousand_turns_are_no_burden(tiny: Engine, pipe: PipeInput) -> None:

    session = Session(tiny, SAMPLING)
    session.story.say("ab").result()
    start, first, reply = session.story.snapshot().turns
    turns = [start, first, reply]
    turns += [replace(reply, id=number, parent=number - 1) for number in range(3, 10_001)]
    forward = {number: number + 1 for number in range(10_000)}
    session.stories["main"] = Conversation.restored(tiny, Snapshot(SAMPLING, tuple(turns), 10_000, forward))
    started = time.perf_counter()
    assert enter(session, "/undo 5000").message
    assert enter(session, "/redo 5000").message
    answer = enter(session, "on")
    assert answer.reply is not None
    answer.reply.result()
    session.finish(answer)
    assert len(enter(session, "/tree").message.splitlines()) == 10_003
    assert time.perf_counter() - started < 2
