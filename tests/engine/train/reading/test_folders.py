"""Which files of a folder, a pattern or an archive are read, and what is told of the others."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from tests.engine.train.common.texts import RAIN, account_lines, corpus_refused, written


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
        path.write_text(RAIN)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\0")
    (folder / "scan").write_bytes(b"%PDF-1.4\n\xe2\n")
    (folder / "run.log").write_text(RAIN)
    (folder / "data").write_bytes(bytes(range(256)))
    (folder / "empty.txt").write_text("")
    return folder


def test_of_a_folder_is_told_what_was_read_and_left_out(tmp_path: Path, books: Path) -> None:
    line = account_lines(tmp_path, books)[0]
    assert line.startswith(f"read 6 files, {6 * len(RAIN):,} characters; left out: ")
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
    (elsewhere / "c.txt").write_text(RAIN)
    (books / "link").symlink_to(elsewhere)
    (books / "again").symlink_to(elsewhere)
    (books / "loop").symlink_to(books)
    (elsewhere / "back").symlink_to(books / "below")
    (books / "gone").symlink_to(tmp_path / "nowhere")
    line = account_lines(tmp_path, books)[0]
    assert line.startswith("read 7 files")
    assert "3 folders linked and read already" in line
    assert "1 link to nothing" in line


def test_archives_and_patterns_tell_what_they_leave_out(tmp_path: Path, books: Path) -> None:
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in books.rglob("*"):
            archive.write(file, file.relative_to(books))
    line = account_lines(tmp_path, path)[0]
    assert line.startswith("read 6 files")
    assert "1 picture" in line
    line = account_lines(tmp_path, books / "*")[0]
    assert line.startswith("read 6 files")  # the log, too, for it was asked for; not what lies below
    assert "1 picture" in line
    assert "1 folder that the pattern matches" in line
    (tmp_path / "books" / "below" / "deep").mkdir()
    (tmp_path / "books" / "below" / "deep" / "c.md").write_text(RAIN)
    assert account_lines(tmp_path, f"{books}/**/**/*.md")[0].startswith("read 2 files")  # each once


def test_models_are_left_out_of_folders_and_archives(tmp_path: Path, books: Path) -> None:
    for name in ("rain/model.keras", "rain/README.md", "rain/samples/a.txt", "run/checkpoint.npz", "run/training.csv"):
        (path := books / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RAIN)
    with zipfile.ZipFile(tmp_path / "books.zip", "w") as archive:
        for file in books.rglob("*"):
            archive.write(file, Path("mine") / file.relative_to(books))
    for place in (books, tmp_path / "books.zip"):
        line = account_lines(tmp_path, place)[0]
        assert line.startswith("read 6 files")
        assert "2 folders of models" in line


def test_what_has_no_text_is_left_out_once(tmp_path: Path, books: Path) -> None:
    (books / "app.json").write_text('{"version": 1}')
    (books / "bots.json").write_text('{"messages": [{"type": "Default", "content": "x", "author": {"isBot": true}}]}')
    (books / "chat.html").write_text('<div class="chatlog__message">x</div>')
    for suffix in ("docx", "epub", "odt", "zip", "html", "json"):
        assert "is empty: give a file with " in corpus_refused(tmp_path, written(books / f"none.{suffix}", b""))
    (books / "~$a.docx").write_bytes(b"\5owner")
    with zipfile.ZipFile(books / "pictures.zip", "w") as archive:
        archive.writestr("a.jpg", b"\xff\xd8\xff\xe0")
    line = account_lines(tmp_path, books)[0]
    assert line.startswith("read 6 files")
    for told in (
        "6 empty files", "3 files without texts (.json)", "1 chat as web pages", "2 pictures",
        "1 archive without text files", "2 hidden files",
    ):  # fmt: skip
        assert told in line + ","
    assert account_lines(tmp_path, books / "*")[0].startswith("read 6 files")
    assert "no text files" in corpus_refused(tmp_path, books / "pictures.zip")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_what_may_not_be_read_is_told(tmp_path: Path, books: Path) -> None:
    (books / "a.txt").chmod(0)
    (books / "below").chmod(0)
    try:
        line = account_lines(tmp_path, books)[0]
        assert "1 file that may not be read" in line
        assert "1 folder that may not be read" in line
        assert "cannot read" in corpus_refused(tmp_path, books / "below" / "b.md")
        assert "Permission denied" in corpus_refused(tmp_path, books / "below")
    finally:
        (books / "below").chmod(0o700)
