"""The list of commands, in a real terminal and key by key."""

from __future__ import annotations

from functools import partial

import pytest
from prompt_toolkit.buffer import Buffer

from repl.commands.dispatch import COMMANDS
from repl.editing.completion import commands_for
from repl.editing.palette import list_while_typing, open_list
from tests.repl.screens import Screen, shows


def listed(buffer: Buffer) -> list[str]:
    state = buffer.complete_state
    return [] if state is None else [one.text for one in state.completions]


def test_the_list_follows_what_is_typed() -> None:
    buffer = Buffer()
    list_while_typing(buffer)
    buffer.insert_text("/")
    assert listed(buffer) == [*COMMANDS]
    buffer.insert_text("re")
    assert set(listed(buffer)) == {name for name in COMMANDS if name.startswith("re")}
    buffer.insert_text("m")
    assert listed(buffer) == ["remember"]
    buffer.insert_text(" ")
    assert listed(buffer) == []
    for text in ("//", "x/", "a line\n/"):  # of a story, and no command
        buffer.reset()
        for character in text:
            buffer.insert_text(character)
        assert listed(buffer) == []


def test_commands_are_found_by_what_they_do_where_no_name_begins_so() -> None:
    assert commands_for("retr") == ["retry"]
    assert "undo" in commands_for("take back")
    assert commands_for("EXPORTED") == ["import"]
    assert commands_for("zzz") == []


def test_a_line_that_was_begun_is_called_back() -> None:
    buffer = Buffer()
    buffer.insert_text("the cat")
    open_list(buffer)
    assert (buffer.text, listed(buffer)) == ("/", [*COMMANDS])
    assert buffer.history.get_strings() == ["the cat"]
    open_list(buffer)
    assert buffer.text == "/"


def ends_with(line: str, text: str) -> bool:
    """Whether that stands behind the latest answer."""
    return line in text.rpartition("take back")[2]


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_it_is_chosen_from_with_the_arrows_and_enter(model: str, columns: int) -> None:
    screen = Screen(columns, model, "--seed", "3")
    screen.wait(shows("Type a beginning", "tiny-keras  temper"))
    screen.child.send("the cat\x10")
    screen.wait(shows("> /", "/retry", "/alt [N]", "/undo [N]"))
    screen.child.send("zz\x7f\x7fund")
    shown = screen.wait(lambda text: "/undo [N]" in text and "/retry" not in text)
    assert max(map(len, shown.splitlines())) <= columns
    screen.child.send("\x1b[B\r")
    screen.wait(shows("> /undo", "undo 1: there are 0"))
    screen.child.send("/")
    screen.wait(shows("/retry"))
    screen.child.send("\x1b")
    screen.wait(lambda text: "/retry" not in text)
    screen.child.send("\x03")
    screen.wait(lambda text: not ends_with("> /", text))
    for line in ("> /", "> /undo", "> the cat"):
        screen.child.send("\x1b[A")
        screen.wait(partial(ends_with, line))
    screen.child.send("\x03")
    assert screen.close() == 0
