"""Token files on disk: found again, made anew where they are damaged, swept away."""

from __future__ import annotations

import gzip
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.train.data import cache
from tests.engine.train.data.books import CHAPTERS, read, text_of


def test_token_files_are_found_again_and_made_anew_where_they_are_damaged(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    first = read(folder, book)
    assert len(list(folder.glob("*"))) == 1

    def no_encoding(*_: object) -> None:
        raise AssertionError("the text is encoded again")

    with monkeypatch.context() as patch:
        patch.setattr("engine.train.data.encode.write_tokens", no_encoding)
        again = read(folder, book)
        assert (again.training == first.training).all()
        (packed := tmp_path / "same.txt.gz").write_bytes(gzip.compress("".join(CHAPTERS).encode()))
        assert read(folder, packed).digest == first.digest  # the same text from elsewhere
        with pytest.raises(AssertionError, match="again"):
            read(folder, book, lower=True)
        with pytest.raises(AssertionError, match="again"):
            read(folder, book, level="word")
    for name in (cache.TOKENS, cache.ENTRY):
        for damage in (b"", b"\x07" * 200, None):
            (path := next(folder.glob(f"*/{name}"))).unlink()
            if damage is not None:
                path.write_bytes(damage)
            whole = read(folder, book)
            assert (whole.training == first.training).all()
            assert (text_of(whole, "held_out")) == text_of(first, "held_out")
    flipped = bytearray((path := next(folder.glob(f"*/{cache.TOKENS}"))).read_bytes())
    flipped[5] ^= 1
    path.write_bytes(flipped)
    assert text_of(read(folder, book), "training") == text_of(first, "training")


def test_only_the_entries_used_last_are_kept(tmp_path: Path) -> None:
    for number in range(cache.KEPT + 3):
        (path := tmp_path / "x.txt").write_text(f"text {number}\n" * 20)
        read(tmp_path / "cache", path)
    assert len(list((tmp_path / "cache").iterdir())) == cache.KEPT


def test_a_folder_that_cannot_be_written_is_named(book: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"cannot write token files in .*--cache"):
        read(tmp_path / "file" / "cache", book)


def test_what_was_killed_on_the_way_is_swept_away(book: Path, tmp_path: Path) -> None:
    (old := tmp_path / "cache" / f"{cache.NEW}old").mkdir(parents=True)
    (new := tmp_path / "cache" / f"{cache.NEW}new").mkdir()
    (old / "training").write_text("half a text")
    os.utime(old, (0, 0))
    read(tmp_path / "cache", book)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_cache_touches_nothing_that_is_not_its_own(book: Path, tmp_path: Path) -> None:
    mine = [tmp_path / "cache" / name for name in (".git", ".venv", "notes", "0" * 31)]
    for folder in mine:
        folder.mkdir(parents=True)
        (folder / cache.ENTRY).write_text("{}")
        os.utime(folder, (0, 0))
    for number in range(cache.KEPT + 2):
        read(tmp_path / "cache", book / f"{number + 1:02}.txt")
    assert all(folder.exists() for folder in mine)
    assert len([path for path in (tmp_path / "cache").iterdir() if len(path.name) == 32]) == cache.KEPT


@pytest.mark.parametrize("name", ["vocabulary", "parts", "files", "unseen"])
def test_an_entry_that_was_changed_by_hand_is_made_anew(book: Path, tmp_path: Path, name: str) -> None:
    good = read(tmp_path / "cache", book)
    (path,) = (tmp_path / "cache").glob(f"*/{cache.ENTRY}")
    entry = json.loads(path.read_text())
    entry[name] = {"vocabulary": {}, "parts": {"training": [0, 9, 9]}, "files": None, "unseen": 5}[name]
    path.write_text(json.dumps(entry))
    again = read(tmp_path / "cache", book)
    assert again.vocabulary.tokens == good.vocabulary.tokens
    assert text_of(again, "training") == text_of(good, "training")
    assert again.unseen == 0


def test_many_may_read_the_same_new_text_at_once(book: Path, tmp_path: Path) -> None:
    for number in range(5):
        begin = threading.Barrier(4)

        def work(number: int = number, begin: threading.Barrier = begin) -> int:
            begin.wait()
            return read(tmp_path / "cache", book, min_count=number + 1).training_characters

        with ThreadPoolExecutor(4) as pool:
            assert len({working.result() for working in [pool.submit(work) for _ in range(4)]}) == 1
