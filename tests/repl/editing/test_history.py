from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from engine.serving.engine import Engine
from repl.editing.history import open_history
from tests.repl.terminal.keyboard import run_terminal


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


def test_a_line_that_is_cleared_can_be_fetched_again(tiny: Engine, pipe: PipeInput) -> None:
    threading.Timer(1.5, pipe.send_text, ["\x1b[A\r\x04"]).start()
    session, _ = run_terminal(tiny, pipe, "precious words\x03")
    assert session.story.turns[0].text == "precious words"
