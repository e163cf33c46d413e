"""What a run tells of its text: how much was read, what was left out and why, what is empty, what cannot be read."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine import evaluate
from engine.errors import TrainingError
from engine.train.data.corpus import read_corpus
from engine.train.settings import TrainSettings

TEXT = "It rained on the harbor all night, and nobody came.\n" * 20


def account(tmp_path: Path, *names: str | Path, **settings: Any) -> list[str]:
    corpus = read_corpus(list(names), 0.1, 16, TrainSettings(**settings), folder=tmp_path / ".cache")
    return corpus.account.lines()


def refused(tmp_path: Path, *names: str | Path, **settings: Any) -> str:
    with pytest.raises(TrainingError) as caught:
        account(tmp_path, *names, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    for name in (
        "a.txt",
        "11.txt.utf-8",
        "notes",
        "St. John",
        "old.txt.iso-8859-1",
        "below/b.md",
        ".git/x.txt",
        ".hid",
    ):
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\0")
    (folder / "scan").write_bytes(b"%PDF-1.4\n\xe2\n")
    (folder / "run.log").write_text(TEXT)
    (folder / "data").write_bytes(bytes(range(256)))
    (folder / "empty.txt").write_text("")
    return folder


def test_of_a_folder_is_told_what_was_read_and_left_out(tmp_path: Path, books: Path) -> None:
    line = account(tmp_path, books)[0]
    assert line.startswith(f"read 6 files, {6 * len(TEXT):,} characters; left out: ")
    for told in (
        "1 picture",
        "1 PDF file",
        "1 .log file",
        "1 file that is no text",
        "1 hidden file",
        "1 hidden folder",
    ):
        assert told.replace("that is", "that are") in line
    assert "1 empty file" in line


def test_linked_folders_are_read_once(tmp_path: Path, books: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "c.txt").write_text(TEXT)
    (books / "link").symlink_to(elsewhere)
    (books / "again").symlink_to(elsewhere)
    (books / "loop").symlink_to(books)
    (elsewhere / "back").symlink_to(books / "below")
    (books / "gone").symlink_to(tmp_path / "nowhere")
    line = account(tmp_path, books)[0]
    assert line.startswith("read 7 files")
    assert "3 folders linked and read already" in line
    assert "1 link to nothing" in line


def test_archives_and_patterns_tell_what_they_leave_out(tmp_path: Path, books: Path) -> None:
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in books.rglob("*"):
            archive.write(file, file.relative_to(books))
    line = account(tmp_path, path)[0]
    assert line.startswith("read 6 files")
    assert "1 picture" in line
    line = account(tmp_path, books / "*")[0]
    assert line.startswith("read 6 files")  # the log, too, for it was asked for; not what lies below
    assert "1 picture" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_what_may_not_be_read_is_told(tmp_path: Path, books: Path) -> None:
    (books / "a.txt").chmod(0)
    (books / "below").chmod(0)
    try:
        line = account(tmp_path, books)[0]
        assert "1 file that may not be read" in line
        assert "1 folder that may not be read" in line
        assert "cannot read" in refused(tmp_path, books / "below" / "b.md")
        assert "Permission denied" in refused(tmp_path, books / "below")
    finally:
        (books / "below").chmod(0o700)


def test_what_the_filters_and_line_ends_take_is_told(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert account(tmp_path, path)[0] == (
        f"read 1 file, {len(TEXT) + 20:,} characters; left out: 20 carriage returns and separate accents"
    )
    path.write_text(TEXT.replace("harbor", "hárbor漢"))
    assert "left out: 20 characters by --ascii" in account(tmp_path, path, ascii=True)[0]
    assert "characters by --ascii and --keep" in account(tmp_path, path, ascii=True, keep="a-z")[0]


def test_how_a_text_was_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for number in range(8):
        (tmp_path / "x" / f"{number}.txt").write_bytes((TEXT + "The café.\n").encode("latin-1"))
    lines = account(tmp_path, tmp_path / "x")
    assert lines[1] == f"{tmp_path}/x/0.txt was read as Windows-1252"
    assert lines[-1] == "and 3 more such files"
    (path := tmp_path / "y.csv.utf-16").write_bytes(("Content\n" + TEXT).encode("utf-16"))
    assert account(tmp_path, path)[1].endswith("was read as UTF-16")


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_thing_is_called_empty(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "x").mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_bytes(content)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(content))
    for settings in ({}, {"ascii": True}, {"keep": "a-z"}, {"held_out_every": 2}):
        assert refused(tmp_path, folder / "a.txt", **settings).endswith("a.txt is empty: give a file with text in it")
        assert "is empty" in refused(tmp_path, tmp_path / "c.txt.gz", **settings)
        assert "no text is in it (left out: 2 empty files)" in refused(tmp_path, folder, **settings)
    with (folder / "a.txt").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert "standard input is empty" in refused(tmp_path, "-")


def test_filters_are_blamed_where_they_left_nothing(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("привет\n" * 50)
    assert "nothing left by --ascii: " in refused(tmp_path, path, ascii=True)
    assert "nothing left by --keep: " in refused(tmp_path, path, keep="xyz")
    (tmp_path / "x").mkdir()
    path.rename(tmp_path / "x" / "x.txt")
    assert "1 file with nothing left by --keep" in refused(tmp_path, tmp_path / "x", keep="xyz")


@pytest.mark.parametrize("name", [TEXT, TEXT[:200], "Was it you? " * 30, "Was it you? No, it was the dog that came."])
def test_a_text_in_place_of_a_name_is_told(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(tmp_path, name)
    assert "if that is the text itself, write it into a file and name that" in message
    assert "cache" not in message.removeprefix(f"cannot read {name}")
    assert len(message) < 250
    assert evaluate.main(["--data", name]) == 1
    assert "cannot keep" not in capsys.readouterr().err
