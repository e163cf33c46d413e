from __future__ import annotations

import threading
import time
from dataclasses import replace

from prompt_toolkit.input import PipeInput

import engine
from engine.serving.engine import Engine
from repl.commands.dispatch import enter
from repl.config import Config
from repl.session.session import Session
from repl.terminal.terminal import Terminal
from tests.repl.screens import Screen, settled, shows
from tests.repl.terminal.keyboard import SAMPLING, run_terminal


def test_vi_keys(tiny: Engine, pipe: PipeInput) -> None:
    from prompt_toolkit.output import DummyOutput

    session = Session(tiny, SAMPLING)
    threading.Timer(0.5, pipe.send_text, ["0x\r\x04"]).start()
    pipe.send_text("xthe cat\x1b")
    Terminal(session, pipe, DummyOutput(), Config(keys="vi", has_suggestions=False)).run()
    assert session.story.turns[0].text == "the cat"


def test_keys_of_ones_own(tiny: Engine, pipe: PipeInput) -> None:
    from prompt_toolkit.output import DummyOutput

    expected = Session(tiny, SAMPLING).suggest("the\ncat").text
    own = {"newline": "ctrl-o", "accept-ghost": "f2", "accept-word": "ctrl-right", "stop": "ctrl-s"}
    session = Session(tiny, replace(SAMPLING, length=10**9))
    threading.Timer(1.2, pipe.send_text, ["\x1b[C\x1bOQ\r"]).start()  # Right takes nothing now; F2 takes it
    threading.Timer(1.8, pipe.send_text, ["\x1b"]).start()
    threading.Timer(2.4, pipe.send_text, ["\x13"]).start()
    threading.Timer(2.8, pipe.send_text, ["\x04"]).start()
    pipe.send_text("the\x0fcat")
    started = time.monotonic()
    Terminal(session, pipe, DummyOutput(), Config(bindings=own)).run()
    assert session.story.turns[0].text == "the\ncat" + expected
    assert session.story.turns[1].finish_reason == "cancelled"
    assert time.monotonic() - started > 2.3
    assert "Ctrl-O: a new line. F2: take the dim suggestion (Ctrl-Right: a word)" in enter(session, "/help").message


def test_quit_leaves_and_alt_enter_makes_a_new_line(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = run_terminal(tiny, pipe, "one\x1b\rtwo\r/quit\rnever\r")
    assert session.story.turns[0].text == "one\ntwo"
    assert len(session.story.turns) == 2


def test_escape_stops_the_writing(tiny: Engine, pipe: PipeInput) -> None:
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    later = threading.Timer(0.5, pipe.send_text, ["\x1b"])
    leave = threading.Timer(1.0, pipe.send_text, ["\x04"])
    later.start()
    leave.start()
    session, shown = run_terminal(tiny, pipe, "the cat\r", endless)
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert "stopped; Enter goes on from here" in shown


def test_alt_with_an_arrow_turns_over_replies_at_an_empty_prompt_alone(model: str) -> None:
    screen = Screen(80, model, "--seed", "3", "--length", "30")
    screen.wait(shows("Type a beginning"))
    screen.child.send("the cat\r")
    screen.wait(settled("main:2"))
    screen.child.send("/retry\r")
    screen.wait(settled(r"main:3 \(2 of 2\)"))
    screen.child.send("\x1b[1;3D")
    screen.wait(settled(r"main:2 \(1 of 2\)"))
    assert "> /previous" not in screen.text
    screen.child.send("more\r")
    screen.wait(settled("main:5 "))
    screen.child.send("\x1b[1;3A")
    screen.wait(settled(r"main:2 \(1 of 2\)"))
    screen.child.send("a word\x1b[1;3D\x1b[1;3Cs")  # in a line they are what they were
    screen.wait(shows("> a words"))
    assert "main:2 (1 of 2)" in screen.text
    screen.child.send("\x03\x1b[1;3C")
    screen.wait(settled(r"main:3 \(2 of 2\)"))
    assert screen.close() == 0
