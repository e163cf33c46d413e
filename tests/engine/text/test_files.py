from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.text.files import read_lines, read_text, split_point


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"), (b" \n\n", "is empty"), (b"abc\0def", "NUL bytes"),
        ("caf\u00e9\u00e9\u00e9".encode("cp437"), "byte 3"), (None, "No such file"), (b"%PDF-1.4\n", "is a PDF"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_its_name(tmp_path: Path, content: bytes | None, word: str) -> None:
    path = tmp_path / "x.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=word) as caught:
        read_text(path)
    assert str(path) in str(caught.value)


def test_what_is_no_utf_8_is_read_and_told(tmp_path: Path) -> None:
    path, told = tmp_path / "x.txt", list[str]()
    for encoding, name in (("latin-1", "Windows-1252"), ("utf-16", "UTF-16")):
        path.write_bytes("the caf\u00e9\n".encode(encoding))
        assert read_text(path, told.append) == "the caf\u00e9\n"
        assert told.pop() == f"{path} was read as {name}"
    path.write_bytes("caf\u00e9 caf\u00e9".encode()[:-1])
    assert read_text(path, told.append) == "caf\u00e9 caf"
    assert told == [f"{path} breaks off within a letter: its last byte was left out"]


def test_lines_come_one_by_one_up_to_what_is_no_text() -> None:
    told: list[str] = []
    for data in (b"\xef\xbb\xbfa\r\n\nb", "a\r\n\nb".encode("utf-16"), b"a\n\nb\n"):
        assert list(read_lines(io.BytesIO(data), "it", told.append)) == ["a", "", "b"]
    assert len(told) == 1
    assert list(read_lines(io.BytesIO(b""), "it")) == []
    lines = read_lines(io.BytesIO("é\nb\n".encode() + b"\xff\xff\nc\n"), "it")
    assert [next(lines), next(lines)] == ["é", "b"]
    with pytest.raises(EngineError, match="it is UTF-8 up to byte 5, and is broken there: mend that place"):
        next(lines)


def test_lines_are_not_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as other:
        lines = read_lines(stream, "it")
        for line in ("one", "two"):
            other.write(f"{line}\n".encode())
            assert next(lines) == line


def test_a_text_in_place_of_a_name_is_told(tmp_path: Path) -> None:
    text = "It was a dark night.\n"
    for name in (text * 20, text + "and nobody knew where the dog was"):
        with pytest.raises(EngineError, match="if that is the text itself, write it into a file") as caught:
            read_text(name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


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


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_empty_is_called_so(name: str) -> None:
    with pytest.raises(EngineError, match="is empty: give a file"):
        read_text(name)
