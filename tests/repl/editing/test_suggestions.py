from __future__ import annotations

import threading

from prompt_toolkit.input import PipeInput

from engine.serving.engine import Engine
from repl.session.session import Session
from tests.repl.terminal.keyboard import SAMPLING, run_terminal


def test_a_suggestion_comes_after_a_pause_and_right_takes_it(tiny: Engine, pipe: PipeInput) -> None:
    expected = Session(tiny, SAMPLING).suggest("the cat").text
    assert expected
    threading.Timer(1.2, pipe.send_text, ["\x1b[C\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "the cat")
    assert session.story.turns[0].text == "the cat" + expected


def test_alt_right_takes_one_word_of_a_suggestion(tiny: Engine, pipe: PipeInput) -> None:
    from repl.editing.suggestions import first_word

    expected = Session(tiny, SAMPLING).suggest("the dog").text
    threading.Timer(1.2, pipe.send_text, ["\x1b[1;3C\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "the dog")
    assert session.story.turns[0].text == "the dog" + first_word(expected)
    assert first_word("  two words") == "  two"
    assert first_word(" ") == " "
