"""The prompt: through prompt_toolkit's pipe input for what it does, and once in a real terminal for how it looks."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

import engine
from engine.serving.engine import Engine
from repl.config import Config
from repl.session.answers import Answer
from repl.session.session import Session
from repl.terminal.editor import edit_text
from repl.terminal.history import open_history
from repl.terminal.terminal import Terminal
from tests.repl.screens import Screen

SAMPLING = engine.Sampling(seed=4, length=30, temperature=1.0)


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made


def run_terminal(
    tiny: Engine, pipe: PipeInput, keys: str, sampling: engine.Sampling = SAMPLING, *, interrupt_at: str = "",
    after: float = 0.0,
) -> tuple[Session, str]:  # fmt: skip
    """Type `keys` into a new session; returns it and all that was written to the terminal.

    So many seconds `after` the text `interrupt_at` is there, Ctrl-C comes as a signal.
    """
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(rows=24, columns=80), term="dumb")
    session = Session(tiny, sampling)

    def type_keys() -> None:
        pipe.send_text(keys)  # in a thread, for a pipe holds 64 kB
        if interrupt_at:
            until = time.monotonic() + 60
            while interrupt_at not in stream.getvalue() and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(after)
            os.kill(os.getpid(), signal.SIGINT)

    typing = threading.Thread(target=type_keys)
    typing.start()
    Terminal(session, pipe, output).run()
    typing.join()
    return session, stream.getvalue()


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


def test_quit_leaves_and_alt_enter_makes_a_new_line(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = run_terminal(tiny, pipe, "one\x1b\rtwo\r/quit\rnever\r")
    assert session.story.turns[0].text == "one\ntwo"
    assert len(session.story.turns) == 2


def test_tab_completes_commands(tiny: Engine, pipe: PipeInput) -> None:
    later = threading.Timer(1.0, pipe.send_text, ["\r\x04"])  # completion runs beside the reading of keys
    later.start()
    session, _ = run_terminal(tiny, pipe, "abc\r/ret\t")
    assert [turn.kind for turn in session.story.tree] == ["prompt", "reply", "reply"]


def test_a_paste_of_100_kb_is_one_prompt(tiny: Engine, pipe: PipeInput) -> None:
    text = "the quick brown fox jumps. " * 4000
    session, _ = run_terminal(tiny, pipe, f"\x1b[200~{text}\x1b[201~\r\x04")
    assert session.story.turns[0].text == text


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


def test_history_is_kept_across_runs_and_private(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run_terminal(tiny, pipe, "remember me\r\x04")
    session, _ = run_terminal(tiny, pipe, "\x1b[A\r\x04")
    assert session.story.turns[0].text == "remember me"
    assert (tmp_path / "textrepl" / "history").stat().st_mode & 0o077 == 0


def test_a_history_that_cannot_be_written_ends_nothing(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "textrepl").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session, _ = run_terminal(tiny, pipe, "still here\r\x04")
    assert session.story.turns[0].text == "still here"
    assert "will not be remembered" in capsys.readouterr().err
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    history = open_history()
    (tmp_path / "other" / "textrepl" / "history").unlink()
    (tmp_path / "other" / "textrepl" / "history").mkdir()
    history.store_string("a disk that takes nothing")


def test_control_characters_of_a_text_do_not_reach_the_terminal(pipe: PipeInput) -> None:
    from engine.model.onnx_step import OnnxStep
    from engine.text.vocabulary import Vocabulary
    from tests.networks import LETTERS, tiny_network

    hostile = Vocabulary(("\x1b", "\x07", *LETTERS[2:]))
    with Engine("hostile", OnnxStep(tiny_network()), hostile, "onnx", 4) as model:
        session, shown = run_terminal(model, pipe, "ab\r\x04", engine.Sampling(seed=1, length=300, temperature=3.0))
    assert "\x1b" in session.story.text
    assert "\x07" not in shown
    assert "�" in shown


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop"])
def test_a_history_that_is_no_file_holds_nothing_up(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "textrepl" / "history"
    path.parent.mkdir()
    make: dict[str, Callable[[], object]] = {
        "pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
    }  # fmt: skip
    make[kind]()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session, _ = run_terminal(tiny, pipe, "still here\r\x04")
    assert session.story.turns[0].text == "still here"
    assert "will not be remembered" in capsys.readouterr().err


def test_a_line_of_bytes_that_are_no_text_is_read_as_far_as_it_goes(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    pipe.send_bytes(b"the c\xe9t\r/nosuch\xe9\r\x04")
    session, shown = run_terminal(tiny, pipe, "")
    assert session.story.turns[0].text == "the c\ufffdt"
    assert "no command /nosuch\ufffd" in shown


@pytest.mark.parametrize("columns", [80, 20])
def test_a_session_in_a_real_terminal(columns: int, keras_model_dir: Path) -> None:
    screen = Screen(columns, str(keras_model_dir), "--seed", "3", "--length", "40")
    screen.wait(lambda text: "tiny-keras  temper" in text)
    screen.child.send("the cat\r")
    screen.wait(lambda text: "the cat" in text and ("chars/s" in text.replace("\n", "") or columns == 20))
    screen.child.send("/set length 100000000\r")
    screen.wait(lambda text: "100000000" in text.replace("\n", ""))
    screen.child.send("go on\r")
    screen.wait(lambda text: "writing" in text and len(text) > 8 * columns)
    screen.child.sendintr()
    screen.wait(lambda text: "stopped" in text)
    screen.child.send("/undo\r")
    screen.wait(lambda text: "go on" in text)
    screen.child.send("wrong\x03")
    screen.child.sendeof()
    screen.child.expect(pexpect.EOF)
    screen.child.close()
    assert screen.child.exitstatus == 0


def test_lines_typed_ahead_are_done_in_order(tiny: Engine, pipe: PipeInput) -> None:
    session, shown = run_terminal(tiny, pipe, "one\rtwo\r/cut 3\r\r\x04")
    replies = [len(turn.text) for turn in session.story.turns if turn.kind == "reply"]
    assert [turn.text for turn in session.story.turns][::2][:2] == ["one", "two"]
    assert replies[0] == replies[-1] == 30
    assert shown.index("> one") < shown.index("> two") < shown.index("> /cut 3")


def test_ctrl_c_twice_at_an_empty_prompt_leaves(tiny: Engine, pipe: PipeInput) -> None:
    session, _ = run_terminal(tiny, pipe, "\x03\x03never\r")
    assert session.story.tree == []


def test_a_line_that_is_cleared_can_be_fetched_again(tiny: Engine, pipe: PipeInput) -> None:
    threading.Timer(1.5, pipe.send_text, ["\x1b[A\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "precious words\x03")
    assert session.story.turns[0].text == "precious words"


def test_escape_stops_the_writing(tiny: Engine, pipe: PipeInput) -> None:
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    later = threading.Timer(0.5, pipe.send_text, ["\x1b"])
    leave = threading.Timer(1.0, pipe.send_text, ["\x04"])
    later.start()
    leave.start()
    session, shown = run_terminal(tiny, pipe, "the cat\r", endless)
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert "stopped; Enter goes on from here" in shown


def test_what_is_stopped_goes_on_as_if_it_had_not_been(tiny: Engine, pipe: PipeInput) -> None:
    later = threading.Timer(0.4, pipe.send_text, ["\x03"])
    leave = threading.Timer(0.8, pipe.send_text, ["/set length 50\r\r\x04"])
    later.start()
    leave.start()
    session, _ = run_terminal(tiny, pipe, "the cat\r", engine.Sampling(seed=4, length=10**9, temperature=1.0))
    text = session.story.text
    straight = tiny.conversation(sampling=engine.Sampling(seed=4, length=len(text) - 7, temperature=1.0))
    assert "the cat" + straight.say("the cat").text == text


def test_a_suggestion_comes_after_a_pause_and_right_takes_it(tiny: Engine, pipe: PipeInput) -> None:
    expected = Session(tiny, SAMPLING).suggest("the cat").text
    assert expected
    threading.Timer(1.2, pipe.send_text, ["\x1b[C\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "the cat")
    assert session.story.turns[0].text == "the cat" + expected


def test_alt_right_takes_one_word_of_a_suggestion(tiny: Engine, pipe: PipeInput) -> None:
    from repl.terminal.suggestions import first_word

    expected = Session(tiny, SAMPLING).suggest("the dog").text
    threading.Timer(1.2, pipe.send_text, ["\x1b[1;3C\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "the dog")
    assert session.story.turns[0].text == "the dog" + first_word(expected)
    assert first_word("  two words") == "  two"
    assert first_word(" ") == " "


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


def test_the_editor_changes_the_last_turn(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "my editor"
    editor.write_text("#!/bin/sh\nprintf 'the dog\\n' > \"$1\"\n")
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", f"'{editor}'")
    threading.Timer(1.0, pipe.send_text, ["\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "the cat\r/edit prompt\r")
    assert session.story.turns[0].text == "the dog"
    assert session.story.turns[1].kind == "reply"
    monkeypatch.setenv("VISUAL", "false")
    with pytest.raises(ValueError, match=r"of VISUAL has failed \(code 1\); nothing was changed"):
        edit_text("kept")
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    with pytest.raises(ValueError, match="'/no/such/editor' of VISUAL cannot be used"):
        edit_text("kept")
    monkeypatch.setenv("VISUAL", "vi '")
    with pytest.raises(ValueError, match="No closing quotation"):
        edit_text("kept")
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="there is no editor here: set EDITOR"):
        edit_text("kept")


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 3", "failed (code 3)"), ("printf 'caf\\351' > \"$1\"", "as UTF-8"), (None, "No such file")],
)
def test_an_editor_that_fails_is_named(
    tiny: Engine, pipe: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, words: str
) -> None:
    editor = tmp_path / "editor"
    if script is not None:
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    threading.Timer(1.5, pipe.send_text, ["\x04"]).start()
    session, shown = run_terminal(tiny, pipe, "the cat\r/edit\r")
    assert len(session.story.tree) == 2
    assert words in " ".join(shown.split())


def test_a_typewriter_writes_so_many_characters_a_second(tiny: Engine, pipe: PipeInput) -> None:
    started = time.monotonic()
    session, _ = run_terminal(tiny, pipe, "/set speed 30\r/set length 45\rab\r\x04")
    assert 1.2 < time.monotonic() - started < 6
    assert len(session.story.turns[-1].text) == 45


def test_a_typewriter_that_is_stopped_has_not_written_far_ahead(tiny: Engine, pipe: PipeInput) -> None:
    keys = "/set speed 20\r/set length 100000\rab\r\x04"
    session, _ = run_terminal(tiny, pipe, keys, interrupt_at="leaving once this is done", after=1.0)
    assert session.story.turns[-1].finish_reason == "cancelled"
    assert len(session.story.text) < 3000


def test_after_ctrl_d_it_says_that_it_leaves_and_takes_no_more_lines(tiny: Engine, pipe: PipeInput) -> None:
    endless = engine.Sampling(seed=4, length=10**9, temperature=1.0)
    session, _ = run_terminal(tiny, pipe, "ab\r\x04never\r", endless, interrupt_at="leaving once this is done", after=0.3)
    assert [turn.text for turn in session.story.turns if turn.kind == "prompt"] == ["ab"]


def test_a_model_that_cannot_be_loaded_ends_it_with_the_reason(pipe: PipeInput) -> None:
    from prompt_toolkit.output import DummyOutput

    def prepare() -> Session:
        raise engine.ModelLoadError("no such model")

    with pytest.raises(engine.ModelLoadError, match="no such model"):
        Terminal(prepare, pipe, DummyOutput()).run()


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


def test_ten_thousand_turns_are_no_burden(tiny: Engine, pipe: PipeInput) -> None:
    from engine.conversation.conversation import Conversation
    from engine.conversation.tree import Snapshot

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
