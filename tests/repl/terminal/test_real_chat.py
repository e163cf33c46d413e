"""A chat in a real pseudo-terminal, as wide as a phone, a window and a wall."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.repl.screens import Screen, shows


@pytest.fixture
def chatty(model: str, tmp_path: Path) -> str:
    """A model that was trained on a chat, as its folder says."""
    folder = tmp_path / "chatty"
    folder.mkdir()
    for name in ("model.keras", "vocabulary.json"):
        (folder / name).symlink_to(Path(model) / name)
    (folder / "settings.json").write_text(json.dumps({"speakers": ["bob: the second", "דנה", "\x1b[31mred"]}))
    return str(folder)


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_a_model_of_a_chat_opens_one(chatty: str, columns: int) -> None:
    screen = Screen(columns, chatty, "--seed", "3", "--length", "12")
    screen.wait(lambda text: "'/chatoff'leaves" in "".join(text.split()))
    screen.child.send("hello\r")
    name = "bob..." if columns == 20 else "bob: the second"
    screen.wait(lambda text: "דנה: hello\n" in text and f"\n{name}: " in text)
    screen.child.send("/chat off\r")
    screen.wait(lambda text: "> " in text and "the chat is over" in text)
    assert screen.close() == 0


def test_the_names_are_dim_or_the_prompt_and_are_completed(chatty: str) -> None:
    screen = Screen(80, chatty, "--seed", "3", "--length", "12", "--chat", "eve:")
    screen.wait(shows("you are eve, the model is bob: the second"))
    screen.child.send("hello\r")
    screen.wait(shows("eve: hello\nbob: the second: "))
    assert re.search(rb"\x1b\[0;2mbob: the second: \x1b\[0", screen.raw)
    screen.child.send("/chat me:b\t")
    screen.wait(shows(r"/chat me:bob\: the second"))
    screen.child.send("\x03/me d\x7f\t")
    screen.wait(shows("speaks in the chat"))
    assert b"\x1b[31mred" not in screen.raw
    screen.child.send("\x03")
    assert screen.close() == 0


def test_a_dumb_terminal_has_chats_too(chatty: str) -> None:
    screen = Screen(80, chatty, "--seed", "3", "--length", "12", TERM="dumb")
    screen.wait(shows(">"))
    screen.child.send("hello\r")
    screen.wait(lambda text: re.search(r"bob: the second: .+\n", text) is not None)
    assert screen.close() == 0
