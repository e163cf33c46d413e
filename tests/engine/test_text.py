from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.text import read_text, split_point


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"), (b" \n\n", "is empty"), (b"abc\0def", "NUL bytes"),
        ("caf\u00e9".encode("latin-1"), "byte 3"),
        ("abc".encode("utf-16"), "NUL bytes"), (None, "No such file"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_its_name(tmp_path: Path, content: bytes | None, word: str) -> None:
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=word) as caught:
        read_text(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is a folder"):
        read_text(tmp_path)


def test_the_split_is_that_of_the_published_figures() -> None:
    assert split_point(1_115_394, 0.1) == 1_003_854


def test_where_words_are_the_tokens_none_is_cut() -> None:
    text = "ab cd\nefgh " * 10
    for share in (0.1, 0.25, 0.33, 0.5, 0.9):
        cut = split_point(len(text), share, lambda begin, end: text[begin:end])
        assert 0 <= cut - split_point(len(text), share) <= 4
        assert text[cut].isspace() or text[cut - 1].isspace()
    for share in (0.0, 1.0):
        assert split_point(100, share, lambda begin, end: "x" * (end - begin)) == split_point(100, share)
    assert split_point(1000, 0.5, lambda begin, end: "x" * (end - begin)) == 500
