"""Chats as WhatsApp exports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.train.reading import chats
from tests.engine.train.common.texts import read_with_omissions as read
from tests.engine.train.common.texts import written


@pytest.mark.parametrize(
    ("name", "dates"),
    [
        ("_chat.txt", ("[01.02.24, 12:00:01] ", "[01.02.24, 12:03:00] ")),
        ("WhatsApp Chat with Ada.txt", ("2/1/24, 3:04\u202fPM - ", "2/1/24, 3:05 PM - ")),
        ("WhatsApp-Chat mit Ada.txt", ("01.02.24, 12:00 - ", "01.02.24, 12:03 - ")),
        ("Chat de WhatsApp con Ada.txt", ("2024-02-01 9:04 p. m. - ", "1/2/2024, 21:04 - ")),
    ],
)
def test_whatsapps_exports(tmp_path: Path, name: str, dates: tuple[str, str]) -> None:
    one, two = dates
    lines = [f"{one}Messages are encrypted.", f"{two}Ada: Hi: there", "and on", f"{two}Bob: <Media omitted>"]
    lines += [f"{two}Bob: \u200eimage omitted", f"{one}Bob: Bye \u200e<This message was edited>", ""]
    path = written(tmp_path / name, "\n".join(lines))
    assert read(path) == ("Hi: there\nand on\nBye\n", {chats.SYSTEM: 1, chats.WORDLESS: 2})
    assert read(path, is_named_speech=True)[0] == "Ada: Hi: there\nAda: and on\nBob: Bye\n"
    written(path, "No chat: only words\n")
    assert read(path)[0] == "No chat: only words\n"


def test_blank_lines_before_a_chat_are_no_message(tmp_path: Path) -> None:
    for blank in ("", "\n", "\n \r\n\n"):
        path = written(tmp_path / "_chat.txt", f"{blank}[01.02.24, 12:00:01] Ada: Hi\n")
        assert read(path) == ("Hi\n", {})
