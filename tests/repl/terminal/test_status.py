from __future__ import annotations

import io
import threading
import time

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput
from prompt_toolkit.output.vt100 import Vt100_Output

import engine
from engine.serving.engine import Engine
from repl.session.session import Session
from repl.terminal.terminal import Terminal
from tests.repl.terminal.keyboard import SAMPLING, run_terminal


def test_after_ctrl_d_it_says_that_it_leaves_and_takes_no_more_lines(tiny: Engine, pipe: PipeInput) -> None:
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    session, _ = run_terminal(
        tiny, pipe, "ab\r\x04never\r", endless, interrupt_at="leaving once this is done", after=0.3
    )
    assert [turn.text for turn in session.story.turns if turn.kind == "prompt"] == ["ab"]


def test_what_is_typed_before_the_model_is_there_is_answered_then(tiny: Engine, pipe: PipeInput) -> None:
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(rows=24, columns=80), term="dumb")
    made = Session(tiny, SAMPLING)

    def prepare() -> Session:
        time.sleep(0.5)
        assert "> " in stream.getvalue()
        return made

    pipe.send_text("the cat\r")
    threading.Timer(1.0, pipe.send_text, ["\x04"]).start()
    Terminal(prepare, pipe, output).run()
    assert made.story.turns[0].text == "the cat"
    assert "loading the model" in stream.getvalue()
