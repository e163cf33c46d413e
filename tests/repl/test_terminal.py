"""The prompt: through prompt_toolkit's pipe input for what it does, and once in a real terminal for how it looks."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

import engine
from engine.engine import Engine
from repl.history import open_history
from repl.session import Session
from repl.terminal import Terminal

SAMPLING = engine.Sampling(seed=4, length=30, temperature=1.0)


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made


def sit(tiny: Engine, pipe: PipeInput, keys: str, sampling: engine.Sampling = SAMPLING) -> tuple[Session, str]:
    """Type `keys` into a new session; returns it and all that was written to the terminal."""
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(rows=24, columns=80), term="dumb")
    session = Session(tiny, sampling)
    typing = threading.Thread(target=pipe.send_text, args=[keys])  # a pipe holds 64 kB
    typing.start()
    Terminal(session, pipe, output).run()
    typing.join()
    return session, stream.getvalue()


def test_lines_are_continued_until_ctrl_d(tiny: Engine, pipe: PipeInput) -> None:
    session, shown = sit(tiny, pipe, "the cat\r\r/undo\r\x04")
    assert [turn.kind for turn in session.story.turns] == ["prompt", "reply"]
    straight = tiny.conversation(sampling=SAMPLING)
    assert session.story.text == "the cat" + straight.say("the cat").text
    for line in straight.text[len("the cat") :].splitlines():
        assert line in shown


def test_ctrl_c_at_the_prompt_clears_the_line(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = sit(tiny, pipe, "wrong\x03right\r\x04")
    assert session.story.turns[0].text == "right"


def test_quit_leaves_and_alt_enter_makes_a_new_line(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = sit(tiny, pipe, "one\x1b\rtwo\r/quit\rnever\r")
    assert session.story.turns[0].text == "one\ntwo"
    assert len(session.story.turns) == 2


def test_tab_completes_commands(tiny: Engine, pipe: PipeInput) -> None:
    later = threading.Timer(1.0, pipe.send_text, ["\r\x04"])  # completion runs beside the reading of keys
    later.start()
    session, _ = sit(tiny, pipe, "abc\r/ret\t")
    assert [turn.kind for turn in session.story.tree] == ["prompt", "reply", "reply"]


def test_a_paste_of_100_kb_is_one_prompt(tiny: Engine, pipe: PipeInput) -> None:
    text = "the quick brown fox jumps. " * 4000
    session, _ = sit(tiny, pipe, f"\x1b[200~{text}\x1b[201~\r\x04")
    assert session.story.turns[0].text == text


def test_ctrl_c_while_it_writes_keeps_what_was_written(tiny: Engine, pipe: PipeInput) -> None:
    def interrupt() -> None:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    thread.start()
    session, shown = sit(tiny, pipe, "the cat\r/tree\r\x04", endless)
    thread.join()
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert len(session.story.turns[-1].text) > 10
    assert "stopped; Enter goes on from here" in shown


def test_history_is_kept_across_runs_and_private(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    sit(tiny, pipe, "remember me\r\x04")
    session, _ = sit(tiny, pipe, "\x1b[A\r\x04")
    assert session.story.turns[0].text == "remember me"
    assert (tmp_path / "textrepl" / "history").stat().st_mode & 0o077 == 0


def test_a_history_that_cannot_be_written_ends_nothing(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "textrepl").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session, _ = sit(tiny, pipe, "still here\r\x04")
    assert session.story.turns[0].text == "still here"
    assert "will not be remembered" in capsys.readouterr().err
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    history = open_history()
    (tmp_path / "other" / "textrepl" / "history").unlink()
    (tmp_path / "other" / "textrepl" / "history").mkdir()
    history.store_string("a disk that takes nothing")


def test_control_characters_of_a_text_do_not_reach_the_terminal(pipe: PipeInput) -> None:
    from engine.steps.onnx import OnnxStep
    from engine.vocabulary import Vocabulary
    from tests.networks import LETTERS, tiny_network

    hostile = Vocabulary(("\x1b", "\x07", *LETTERS[2:]))
    with Engine("hostile", OnnxStep(tiny_network()), hostile, "onnx", 4) as model:
        session, shown = sit(model, pipe, "ab\r\x04", engine.Sampling(seed=1, length=300, temperature=3.0))
    assert "\x1b" in session.story.text
    assert "\x07" not in shown
    assert "�" in shown


class Screen:
    """A real terminal, as a person sees it."""

    def __init__(self, columns: int, *arguments: str, **environment: str) -> None:
        self._screen, self._columns = pyte.Screen(columns, 30), columns
        self._stream = pyte.ByteStream(self._screen)
        self.child = pexpect.spawn(
            sys.executable, ["-m", "repl", *arguments], dimensions=(30, columns), timeout=30,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )  # fmt: skip

    def wait(self, is_there: Callable[[str], bool], seconds: float = 15) -> str:
        """Read until the screen shows it."""
        self._screen.write_process_input = self.child.send  # it answers where the cursor is, as terminals do
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
                self._stream.feed(self.child.read_nonblocking(65536, timeout=0.1))
            text = "\n".join(line.rstrip() for line in self._screen.display)
            if is_there(text):
                return text
        raise AssertionError(f"the screen shows\n{text}")


@pytest.mark.parametrize("columns", [80, 20])
def test_a_session_in_a_real_terminal(columns: int, keras_model_dir: Path) -> None:
    screen = Screen(columns, str(keras_model_dir), "--seed", "3", "--length", "40")
    screen.wait(lambda text: "tiny-keras  temper" in text)
    screen.child.send("the cat\r")
    screen.wait(lambda text: "the cat" in text and ("chars/s" in text.replace("\n", "") or columns == 20))
    screen.child.send("/set length 100000000\r")
    screen.wait(lambda text: "100000000" in text.replace("\n", ""))
    screen.child.send("go on\r")
    screen.wait(lambda text: len(text.split("go on")[-1]) > 8 * columns)
    screen.child.sendintr()
    screen.wait(lambda text: "stopped" in text)
    screen.child.send("/undo\r")
    screen.wait(lambda text: "go on" in text)
    screen.child.send("wrong\x03")
    screen.child.sendeof()
    screen.child.expect(pexpect.EOF)
    screen.child.close()
    assert screen.child.exitstatus == 0
