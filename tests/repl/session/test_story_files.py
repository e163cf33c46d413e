from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from repl.session.story_files import as_markdown, check_export, create, read_story, write_new


def test_what_the_writer_typed_is_bold_and_marks_are_escaped(tiny: Engine) -> None:
    story = tiny.conversation(sampling=engine.Sampling(length=0))
    story.say("a *star*\n  and\n\nmore").result()
    text = as_markdown(story.turns, "my_novel", "tiny")
    assert text.startswith("# my\\_novel\n\n")
    assert "**a \\*star\\***  \n  **and**\n\n**more**" in text
    assert text.endswith("\n\n*Written with tiny.*\n")


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    create(path, "one\r\n")
    assert path.read_bytes() == b"one\r\n"
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ValueError, match="is there already"):
        write_new(path, "two")
    assert read_story(path).splitlines() == ["one"]


def test_an_export_of_ours_is_one(tiny: Engine) -> None:
    story = tiny.conversation(sampling=engine.Sampling(length=5, seed=1))
    story.say("ab").result()
    check_export(story.export(), "story.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "in too many layers"), ("{}", "an object with nothing in it"), ("7", "a mere 7"),
        ('{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}', "an object with 'a', 'b', 'c', 'd' ..."), ("{", "is no JSON"),
    ],
)  # fmt: skip
def test_what_is_none_is_described(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"story\.json is no") as caught:
        check_export(text, "story.json")
    assert words in str(caught.value)
