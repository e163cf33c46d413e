"""The configuration: every key is in the example, and every mistake is named with its line."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

import engine
from bot.settings import Settings, example, parse, read


def test_the_example_is_the_defaults_and_explains_every_key() -> None:
    text = example()
    assert parse(text, "example") == Settings()
    lines = text.splitlines()
    for table, keys in tomllib.loads(text).items():
        assert f"[{table}]" in lines
        for key in keys:
            number = next(n for n, line in enumerate(lines) if line.startswith(f"{key} ="))
            assert lines[number - 1].startswith("# ")
            assert len(lines[number - 1]) > 10
    assert "DISCORD_TOKEN" in text
    assert not any("token" in item.name for table in dataclasses.fields(Settings) for item in
                   dataclasses.fields(table.default_factory))  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[writing]\nlength = 0\n", 2, "from 1 to 4000"),
        ("[writing]\n\n# a remark\ntemprature = 1\n", 4, "no key 'temprature'"),
        ("[limits]\nrunning = 3\n[writing]\nlength = '9'\n", 4, "must be like"),
        ("[service]\nlog_level = 'loud'\n", 2, "debug or info"),
        ("[engine]\nmodels = []\n", 2, "at least one"),
        ("[engine]\nmodels = [1]\n", 2, "names"),
        ("[discord]\nguilds = ['x']\n", 2, "numbers"),
        ("[service]\nlog_texts = 1\n", 2, "must be like false"),
        ("[writing]\ntop_p = true\n", 2, "must be like"),
        ("\n[wrting]\nlength = 9\n", 2, "no table [wrting]"),
        ("token = 'secret'\n", 1, "no table [token]"),
        ("[writing\n", 1, "line 1"),
        ("# first\n\nlimits.running = 0\n", 3, "from 1"),
        ("# first\nlimits = {running = 0}\n", 2, "from 1"),
        ("[limits]\n'running' = 0\n", 2, "from 1"),
        ("\n[[limits]]\nrunning = 1\n", 2, "must be a table"),
        ("[discord]\nguilds = [-5]\n", 2, "numbers"),
        ("[engine]\nmodels = ['']\n", 2, "names"),
        ("[discord]\nshard_ids = [0]\n", 2, "needs shard_count"),
        ("[discord]\nshard_count = 2\nshard_ids = [2]\n", 3, "from 0 to 1"),
        ("[writing]\nlength = 500\nmax_length = 400\n", 3, "below length"),
        ("[writing]\nmemory = 'all'\nmax_memory = 'mine'\n", 3, "below memory"),
        ("[writing]\nban = ['']\n", 2, 'like ["the end"]'),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(engine.ConfigError) as caught:
        parse(text, "my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml")
    assert f"line {line}" in message
    assert words in message
    assert "secret" not in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert read(None) == Settings()
    with pytest.raises(engine.ConfigError, match=r"none\.toml cannot be read"):
        read(tmp_path / "none.toml")
    (path := tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(engine.ConfigError, match="UTF-8"):
        read(path)
    path.write_text("[writing]\nlength = 77\ntemperature = 1\n", encoding="utf-8")
    assert (read(path).writing.length, read(path).writing.temperature) == (77, 1.0)


@pytest.mark.parametrize("text", ["", "[writing]\r\nlength = 77\r\n", "# mine\n[writing]\nlength = 77\n"])
def test_a_byte_order_mark_is_no_mistake(text: str, tmp_path: Path) -> None:
    (path := tmp_path / "bot.toml").write_text(text, encoding="utf-8-sig", newline="")
    assert read(path).writing.length == (77 if text else 300)
