"""Where mistakes in TOML are."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.text.toml import Toml


@pytest.mark.parametrize(
    ("text", "table", "key", "line"),
    [
        ("a = 1", "", "a", 1), ("# a = 2\n\n'a' = 1", "", "a", 3), ("[t]\na = 1\n[u]\na = 2", "u", "a", 4),
        ("\n[t]\n", "", "t", 2), ("[[t]]\na = 1", "", "t", 1), ("[ t . u ]\na = 1", "t.u", "a", 2),
        ("[t.u]\na = 1", "", "t", 1), ("x = 1\n[t]\nu.a = 1", "t.u", "a", 3), ('[t."u"]\na = 1', "t", "u", 1),
        ("x = 1\nt = {b = 2, a = 1}", "t", "a", 2), ("t.a = 1", "t", "a", 1),
        ("[tt]\na = 1\n[t]\naa = 1\na = 2", "t", "a", 5),
        ('x = "\u2028\x85"\r\n[t]\r\na = 1\r\n', "t", "a", 3),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, table: str, key: str, line: int) -> None:
    assert str(Toml(name="my.toml", text=text, values={}).mistake(table, key, "no")) == f"my.toml, line {line}: no"


def test_what_cannot_be_found_is_named_without_a_line() -> None:
    assert str(Toml.parse("a = 1", "my.toml").mistake("t", "b", "no")) == "my.toml: no"


def test_what_is_no_toml_is_refused_in_one_line() -> None:
    assert Toml.parse("[t]\na = 1", "x").values == {"t": {"a": 1}}
    for text, words in (("a = 1\nb = \n", "line 2"), ("a = " + "[" * 5000, "my.toml")):
        with pytest.raises(ConfigError, match=words) as caught:
            Toml.parse(text, "my.toml")
        assert "\n" not in str(caught.value)


def test_a_file_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    assert Toml.read(path) is None
    path.write_text("a = 'é'", encoding="utf-8-sig")
    assert (read := Toml.read(path)) is not None
    assert (read.name, read.values) == (str(path), {"a": "é"})
    path.write_text("a = 'é'", encoding="latin-1")
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        Toml.read(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Toml.read(tmp_path)
