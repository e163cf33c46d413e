from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from engine.serving.engine import Engine
from repl.editing.editor import edit_text
from tests.repl.terminal.keyboard import run_terminal


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
