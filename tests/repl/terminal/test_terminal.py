"""The terminal through prompt_toolkit's pipe input."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

import engine
from engine.serving.engine import Engine
from repl.session.answers import Answer
from repl.session.session import Session
from repl.terminal.terminal import Terminal
from tests.repl.terminal.keyboard import SAMPLING, run_terminal


def test_lines_are_continued_until_ctrl_d(tiny: Engine, pipe: PipeInput) -> None:
    session, shown = run_terminal(tiny, pipe, "the cat\r\r/undo\r\x04")
    assert [turn.kind for turn in session.story.turns] == ["prompt", "reply"]
    straight = tiny.conversation(sampling=SAMPLING)
    assert session.story.text == "the cat" + straight.say("the cat").text
    for line in straight.text[len("the cat") :].splitlines():
        assert line in shown


def test_ctrl_c_at_the_prompt_clears_the_line(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = run_terminal(tiny, pipe, "wrong\x03right\r\x04")
    assert session.story.turns[0].text == "right"


def test_ctrl_c_while_it_writes_keeps_what_was_written(tiny: Engine, pipe: PipeInput) -> None:
    def interrupt() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    thread.start()
    session, shown = run_terminal(tiny, pipe, "the cat\r/tree\r\x04", endless)
    thread.join()
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert len(session.story.turns[-1].text) > 10
    assert "stopped; Enter goes on from here" in shown


def test_a_line_of_bytes_that_are_no_text_is_read_as_far_as_it_goes(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    pipe.send_bytes(b"the c\xe9t\r/nosuch\xe9\r\x04")
    session, shown = run_terminal(tiny, pipe, "")
    assert session.story.turns[0].text == "the c\ufffdt"
    assert "no command /nosuch\ufffd" in shown


def test_lines_typed_ahead_are_done_in_order(tiny: Engine, pipe: PipeInput) -> None:
    session, shown = run_terminal(tiny, pipe, "one\rtwo\r/cut 3\r\r\x04")
    replies = [len(turn.text) for turn in session.story.turns if turn.kind == "reply"]
    assert [turn.text for turn in session.story.turns][::2][:2] == ["one", "two"]
    assert replies[0] == replies[-1] == 30
    assert shown.index("> one") < shown.index("> two") < shown.index("> /cut 3")


def test_ctrl_c_twice_at_an_empty_prompt_leaves(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = run_terminal(tiny, pipe, "\x03\x03never\r")
    assert session.story.tree == []


def test_what_is_stopped_goes_on_as_if_it_had_not_been(tiny: Engine, pipe: PipeInput) -> None:
    later = threading.Timer(0.4, pipe.send_text, ["\x03"])
    leave = threading.Timer(0.8, pipe.send_text, ["/set length 50\r\r\x04"])
    later.start()
    leave.start()
    session, _ = run_terminal(tiny, pipe, "the cat\r", engine.Sampling(seed=4, length=10**9, temperature=1.0))
    text = session.story.text
    straight = tiny.conversation(sampling=engine.Sampling(seed=4, length=len(text) - 7, temperature=1.0))
    assert "the cat" + straight.say("the cat").text == text


def test_a_model_that_cannot_be_loaded_ends_it_with_the_reason(pipe: PipeInput) -> None:
    from prompt_toolkit.output import DummyOutput

    def prepare() -> Session:
        raise engine.ModelLoadError("no such model")

    with pytest.raises(engine.ModelLoadError, match="no such model"):
        Terminal(prepare, pipe, DummyOutput()).run()


def test_ctrl_c_while_the_model_is_loaded_gives_the_lines_back(tiny: Engine, pipe: PipeInput) -> None:
    from prompt_toolkit.output import DummyOutput

    made = Session(tiny, SAMPLING)

    def prepare() -> Session:
        time.sleep(0.6)
        return made

    threading.Timer(0.3, pipe.send_text, ["\x03"]).start()
    threading.Timer(1.0, pipe.send_text, [" and more\r\x04"]).start()
    pipe.send_text("the cat\r")
    Terminal(prepare, pipe, DummyOutput()).run()
    assert made.story.turns[0].text == "the cat and more"


def test_the_end_waits_neither_for_what_takes_long_nor_for_a_reply_that_nobody_has_seen(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prompt_toolkit.output import DummyOutput

    (tmp_path / "long.txt").write_text("the cat sat. " * 100_000, encoding="utf-8")
    session = Session(tiny, replace(SAMPLING, length=10**9))

    session.progress.on_update = lambda words: os.kill(os.getpid(), signal.SIGTERM)
    pipe.send_text(f"/import {tmp_path / 'long.txt'}\r")
    Terminal(session, pipe, DummyOutput()).run()
    assert session.story.text == ""

    def write(kind: str, text: str, sampling: engine.Sampling) -> Answer:
        answer = Session.write(session, kind, text, sampling)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)  # by now the prompt is gone
        return answer

    monkeypatch.setattr(session, "write", write)
    pipe.send_text("the cat\r")
    Terminal(session, pipe, DummyOutput()).run()
    assert [turn.kind for turn in session.story.turns] == ["prompt", "reply"]
    assert session.story.turns[-1].finish_reason == "cancelled"
