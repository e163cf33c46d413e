"""All that may stand after --data: where text comes from, what it is packed in, what is made of it, what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from tests.engine.train.common.texts import read, refused

TEXT = "Call me Ishmaël.\nSome years ago — never mind how long.\n"


def test_what_is_no_text_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"abc\n" * 600_000 + "é".encode() + "é".encode("latin-1") + b"\n")
    assert f"{path} is UTF-8 up to byte 2,400,002, and is broken there" in refused(path)
    path.write_bytes(b"a" * (1 << 20) + b"\0")
    assert "NUL bytes, the first at 1,048,576" in refused(path)
    path.write_bytes(b"abc\xc3\xc3\xc3\n")
    assert "byte 3" in refused(path)


def export(messages: list[dict[str, Any]]) -> str:
    return json.dumps(
        {"guild": {"name": "g"}, "channel": {"messages": "no"}, "messages": messages, "messageCount": 9}, indent=2
    )


def message(content: str, name: str = "ada", **more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "type": "Default",
        "content": content,
        "author": {"name": name, "nickname": name.upper()},
        **more,
    }


def test_discord_exports_as_json(tmp_path: Path) -> None:
    said = [
        message('hello ]}\n"there"'),
        message("Ada joined.", type="GuildMemberJoin"),
        message("", type="Reply"),
        message("bye", "bob"),
    ]
    (path := tmp_path / "chat.json").write_text(export(said))
    assert read(path) == 'hello ]}\n"there"\nbye\n'
    assert read(path, names=True) == 'ADA: hello ]}\nADA: "there"\nBOB: bye\n'
    many = [message(f"message {n} " + "x" * (n % 3000)) for n in range(3000)]
    path.write_text(export(many))
    assert read(path) == "".join(f"{m['content']}\n" for m in many)
    path.write_text(export(many)[:-2_000_000])
    assert "breaks off" in refused(path)
    for wrong in ("[]", "{}", '{"messages": [1]}', "", '{"messages": [' + "[" * 100_000):
        path.write_text(wrong)
        assert str(path) in refused(path)


def test_discord_exports_as_csv(tmp_path: Path) -> None:
    with (path := tmp_path / "chat.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [["AuthorID", "Author", "Date", "Content"], [1, "ada", "x", 'two\nlines, "so"'], [2, "bob", "y", ""]]
        )
    assert read(path) == 'two\nlines, "so"\n'
    assert read(path, names=True) == 'ada: two\nada: lines, "so"\n'
    assert read(path, field="Author") == "ada\nbob\n"
    assert "no column 'text'" in refused(path, field="text")
