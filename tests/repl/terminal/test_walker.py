"""A walk in a real terminal, key by key."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.repl.screens import Screen, settled, shows

LEFT, RIGHT, UP, DOWN, HOME = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x1b[H"


def begun(model: str, columns: int, *arguments: str, **environment: str) -> Screen:
    """A session with a reply, and a walk over it."""
    screen = Screen(columns, model, "--seed", "3", "--length", "40", "--end", "any", *arguments, **environment)
    screen.wait(shows("Type a beginning", "tiny-keras  tem"))
    screen.child.send("the cat\r")
    screen.wait(lambda text: "tiny-keras  tem" in text and len("".join(text.partition("> the cat")[2].split())) > 45)
    screen.child.send("\x1bw")
    screen.wait(shows("token 40 of 40"[:columns]))
    return screen


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_a_token_is_taken_and_the_branch_stands_beside_the_reply(model: str, columns: int) -> None:
    screen = begun(model, columns)
    screen.child.send(LEFT * 3)
    screen.wait(shows("token 37 of 40"))
    screen.child.send(HOME + RIGHT)
    screen.wait(shows("token 2 of 40"))
    screen.child.send("\r")  # nothing else is chosen, so nothing is taken
    screen.child.send(DOWN * 2 + UP)
    shown = screen.wait(lambda text: re.search(r"^> \S+ +0\.\d+", text, re.MULTILINE) is not None)
    assert max(map(len, shown.splitlines())) <= columns
    screen.child.send("\r")
    screen.wait(lambda text: "token" not in text and "writing" not in text and "> " in text)
    screen.child.send("/tree\r")
    screen.wait(lambda text: re.search(r"\|-- 2 .*\n`-- 3 .*<-\s*here", text) is not None)
    assert screen.close() == 0


@pytest.mark.parametrize("key", ["\x1b", "q", "\x03", "\x04"])
def test_whoever_leaves_has_changed_nothing_and_can_type_on(model: str, key: str) -> None:
    screen = begun(model, 80)
    screen.child.send(LEFT + DOWN)
    screen.wait(shows("token 39 of 40"))
    screen.child.send(key)
    screen.wait(lambda text: "token" not in text and "main:2" in text)
    screen.child.send("/tree\r")
    assert "3 " not in screen.wait(shows("2 ", "<- here")).partition("(start)")[2].partition("<- here")[0]
    screen.child.send("more\r")
    screen.wait(settled("main:4"))
    assert screen.close() == 0


def test_ctrl_c_as_a_signal_leaves_and_what_was_typed_meanwhile_waits(model: str) -> None:
    screen = begun(model, 80)
    screen.child.kill(signal.SIGINT)
    screen.wait(lambda text: "token" not in text and "main:2" in text)
    screen.child.send("/walk 1\r")
    screen.wait(shows("token 7 of 7"))
    screen.resize(20, 12)
    screen.wait(shows("token 7 of 7"))
    screen.child.send(LEFT)
    screen.wait(shows("token 6 of 7"))
    screen.hang_up()


def test_a_walk_without_colors_shows_its_cursor(model: str) -> None:
    screen = begun(model, 80, NO_COLOR="1")
    screen.child.send(LEFT)
    screen.wait(shows("token 39 of 40"))
    assert re.search(rb"\x1b\[0;4;7m", screen.raw)
    screen.child.send("q")
    screen.wait(lambda text: "token" not in text)
    assert screen.close() == 0


def test_a_terminal_that_can_only_print_says_so(model: str) -> None:
    screen = Screen(80, model, "--seed", "3", "--length", "9", TERM="dumb")
    screen.wait(shows(">"))
    screen.child.send("the cat\r/walk\r")
    screen.wait(shows("a walk needs a terminal that can draw"))
    assert screen.close() == 0


def test_a_key_is_answered_at_once(model: str) -> None:
    screen = begun(model, 80, "--temperature", "0.9")
    times = []
    for number in range(39, 20, -1):
        began = time.perf_counter()
        screen.child.send(LEFT)
        screen.wait(shows(f"token {number} of 40"))
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.1  # as this test reads a screen; `make bench-repl` measures it
    screen.child.send("q")
    screen.wait(lambda text: "token" not in text)
    assert screen.close() == 0
