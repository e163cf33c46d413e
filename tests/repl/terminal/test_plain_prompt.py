from __future__ import annotations

import signal
import time

import engine
from repl.session.session_store import SessionStore
from repl.terminal.plain_prompt import marked
from tests.repl.screens import Screen, shows


def test_a_terminal_without_colors_has_marks_below_what_is_hot() -> None:
    picture = (("heat0", "ab"), ("heat2", "c\nd"), ("heat4", "ef"), ("note", "g"))
    assert marked(picture, 80) == "abc\n  .\ndefg\n.##"
    assert marked(picture, 2) == "ab\nc\n.\nde\n.#\nfg\n#"
    assert marked((("", "a\n\nb\n"),), 80) == "a\n\nb\n"


def test_a_dumb_terminal_gets_plain_text(model: str) -> None:
    screen = Screen(80, model, "--seed", "3", "--length", "30", TERM="dumb")
    screen.wait(shows(">"))
    screen.child.send("the cat\r/alt 2\r1\r/set length 1000000000\r/state\r\r")
    screen.wait(lambda text: len(screen.raw) > 5000)
    screen.child.sendintr()
    screen.wait(shows("stopped; Enter goes on"))
    assert b"\x1b" not in screen.raw
    assert screen.close() == 0


def test_a_dumb_terminal_keeps_a_reply_that_a_kill_cuts_off(model: str) -> None:
    screen = Screen(80, model, "--session", "novel", "--seed", "3", "--length", "1000000000", TERM="dumb")
    screen.wait(shows(">"))
    screen.child.send("the cat\r")
    until = time.monotonic() + 2.5  # how far it is is noted every second
    screen.wait(lambda text: len(screen.raw) > 2000 and time.monotonic() > until)
    screen.child.kill(signal.SIGKILL)
    screen.child.close(force=True)
    with engine.load(model) as loaded:
        store = SessionStore(None, "novel")
        stories, _ = store.open(loaded, "novel")
        assert len(stories["main"].text) > 100
        store.close()
