from __future__ import annotations

import threading
import time

from prompt_toolkit.input import PipeInput

from engine.serving.engine import Engine
from tests.repl.screens import Screen, shows
from tests.repl.terminal.keyboard import run_terminal


def test_tab_completes_commands(tiny: Engine, pipe: PipeInput) -> None:
    later = threading.Timer(1.0, pipe.send_text, ["\r\x04"])  # completion runs beside the reading of keys
    later.start()
    session, _ = run_terminal(tiny, pipe, "abc\r/ret\t")
    assert [turn.kind for turn in session.story.tree] == ["prompt", "reply", "reply"]


def test_completion_shows_what_there_is(model: str) -> None:
    screen = Screen(80, model)
    screen.wait(shows("Type a beginning"))
    screen.child.send("/re\t")
    screen.wait(shows("/retry", "/redo", "/rename", "another reply in place"))
    screen.child.send("\x03/set temp\t")
    screen.wait(shows("/set temperature"))
    screen.child.send("\x03/set theme li")
    time.sleep(0.2)
    screen.child.send("\t")
    screen.wait(shows("/set theme light-"))
    screen.child.send("\x03/preset w\t")
    screen.wait(shows("/preset wild"))
    screen.child.send("\x03")
    assert screen.close() == 0
