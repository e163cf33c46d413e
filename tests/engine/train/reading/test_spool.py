"""The text in temporary files: its order, its characters, and what there is to say where nothing is left."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import pytest

from engine.train.reading.spool import Inputs, Spool, read_files
from engine.train.settings import TrainSettings
from tests.engine.train.common.texts import RAIN, account_lines, corpus_refused


def test_what_the_filters_and_line_ends_take_is_told(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_bytes(RAIN.replace("\n", "\r\n").encode())
    assert account_lines(tmp_path, path)[0] == (
        f"read 1 file, {len(RAIN) + 20:,} characters; left out: 20 carriage returns and separate accents"
    )
    path.write_text(RAIN.replace("harbor", "hárbor漢"))
    assert "left out: 20 characters by --ascii" in account_lines(tmp_path, path, ascii=True)[0]
    assert "characters by --ascii and --keep" in account_lines(tmp_path, path, ascii=True, keep="a-z")[0]


def test_ctrl_c_just_as_the_folder_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, mkdir = list[Path](), Path.mkdir

    def interrupted(path: Path, *arguments: Any, **named: Any) -> None:
        mkdir(path, *arguments, **named)
        made.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_files(str(tmp_path / "text.txt"))
    assert made
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_thing_is_called_empty(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "x").mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_bytes(content)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(content))
    for settings in ({}, {"ascii": True}, {"keep": "a-z"}, {"held_out_every": 2}):
        assert corpus_refused(tmp_path, folder / "a.txt", **settings).endswith(
            "a.txt is empty: give a file with text in it"
        )
        assert "is empty" in corpus_refused(tmp_path, tmp_path / "c.txt.gz", **settings)
        assert "no text is in it (left out: 2 empty files)" in corpus_refused(tmp_path, folder, **settings)
    with (folder / "a.txt").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert "standard input is empty" in corpus_refused(tmp_path, "-")


def test_filters_are_blamed_where_they_left_nothing(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("привет\n" * 50)
    assert "nothing left by --ascii: " in corpus_refused(tmp_path, path, ascii=True)
    assert "nothing left by --keep: " in corpus_refused(tmp_path, path, keep="xyz")
    (tmp_path / "x").mkdir()
    path.rename(tmp_path / "x" / "x.txt")
    assert "1 file with nothing left by --keep" in corpus_refused(tmp_path, tmp_path / "x", keep="xyz")


def test_files_are_read_in_order_and_normalized(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\n")
    (tmp_path / "b").write_bytes("e\u0301".encode())
    spool = Spool(tmp_path)
    spool.fill(Inputs((str(tmp_path / "a"), str(tmp_path / "b"))), TrainSettings(), lambda *_: None)
    assert "".join(spool.texts("training")) == "one\n\u00e9"


@pytest.mark.parametrize("every", [0, 2])
def test_the_words_of_two_files_are_never_one(tmp_path: Path, every: int) -> None:
    """A file without a line end at its end gets one before the next file of its part."""
    for number, words in enumerate(["to the sea", "and on\n", "to the", "end"]):
        (tmp_path / f"{number}.txt").write_text(words)
    spool = Spool(tmp_path)
    paths = tuple(str(tmp_path / f"{number}.txt") for number in range(4))
    spool.fill(Inputs(paths), TrainSettings(held_out_every=every), lambda *_: None)
    texts = {part: ["".join(pieces) for pieces in spool.texts_by_file(part)] for part in ("training", "held_out")}
    if every:
        assert texts == {"training": ["to the sea\n", "to the"], "held_out": ["and on\n", "end"]}
    else:
        assert texts == {"training": ["to the sea\n", "and on\n", "to the\n", "end"], "held_out": []}
