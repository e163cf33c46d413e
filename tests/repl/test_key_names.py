from __future__ import annotations

import pytest

from repl.key_names import parse_keys, shown_keys


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("right", ("right",)), ("Alt-Enter", ("escape", "c-m")), ("ctrl-x ctrl-e", ("c-x", "c-e")), ("f5", ("f5",)),
        ("shift-tab", ("s-tab",)), ("ctrl-shift-left", ("c-s-left",)), ("control-space", ("c-@",)),
        ("alt-.", ("escape", ".")),
    ],
)  # fmt: skip
def test_keys_are_written_as_people_write_them(written: str, keys: tuple[str, ...]) -> None:
    assert parse_keys(written) == keys
    assert shown_keys({"newline": "ctrl-o"})["newline"] == "Ctrl-O"
