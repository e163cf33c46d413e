"""From sources to token files: parts, vocabularies, the cache, and memory that does not grow with the text."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.errors import TrainingError
from engine.train.__main__ import main
from engine.train.data import cache
from engine.train.data.corpus import Corpus, read_corpus
from engine.train.reading.spool import Inputs
from engine.train.settings import TrainSettings

CHAPTERS = [f"chapter {n}\nThe cat sat on the mat {'and sat ' * n}.\n" for n in range(1, 21)]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    (folder := tmp_path / "book").mkdir()
    for number, text in enumerate(CHAPTERS, 1):
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def read(folder: Path, *names: Path | str, held_out: float = 0.1, **settings: Any) -> Corpus:
    inputs = names[0] if isinstance(names[0], Inputs) else Inputs(tuple(map(str, names)))
    return read_corpus(inputs, held_out, 4, TrainSettings(**settings), folder=folder)


def text_of(corpus: Corpus, part: str) -> str:
    return corpus.vocabulary.decode(getattr(corpus, part))


def test_a_folder_is_one_text_with_a_tail_held_out(book: Path, tmp_path: Path) -> None:
    whole = "".join(CHAPTERS)
    corpus = read(tmp_path / "cache", book)
    assert text_of(corpus, "training") + text_of(corpus, "held_out") == whole
    assert corpus.training_characters == int(len(whole) * 0.9)
    assert corpus.training.dtype == np.uint8
    assert len(read(tmp_path / "cache", book, held_out=0.0).held_out) == 0


def test_every_nth_file_is_held_out(book: Path, tmp_path: Path) -> None:
    corpus = read(tmp_path / "cache", book, held_out_every=5)
    assert text_of(corpus, "held_out") == "".join(CHAPTERS[4::5])
    assert text_of(corpus, "training") == "".join(text for n, text in enumerate(CHAPTERS, 1) if n % 5)


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_validation_and_test_files_are_apart(book: Path, tmp_path: Path, level: str) -> None:
    (valid := tmp_path / "v.txt").write_text("The dog sat on the log.\n")
    (test := tmp_path / "t.txt").write_text("The cat ate the zebra.\n")
    inputs = Inputs((str(book),), (str(valid),), (str(test),))
    assert Inputs.from_words(inputs.words()) == inputs
    corpus = read(tmp_path / "cache", inputs, level=level, vocabulary=300)  # type: ignore[arg-type]
    read_as = {"word": ("The <unk> sat on the <unk> .\n", "The cat <unk> the <unk> .\n")}
    valid_read, test_read = read_as.get(level, (valid.read_text(), test.read_text()))
    assert text_of(corpus, "training") == "".join(CHAPTERS)
    assert (text_of(corpus, "held_out"), text_of(corpus, "test")) == (valid_read, test_read)
    assert corpus.characters == {"training": len("".join(CHAPTERS)), "held_out": 24, "test": 23}
    assert corpus.unseen == (4 if level == "word" else 0)
    assert corpus.digest != read(tmp_path / "cache", book, held_out=0.0, level=level, vocabulary=300).digest


def test_rare_symbols_are_left_out_of_the_vocabulary(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("a b é\n" * 50 + "É ç 漢 z\n")
    corpus = read(tmp_path / "cache", path, min_count=2, held_out=0.0)
    assert corpus.vocabulary.tokens == ("\n", " ", "a", "b", "é")
    assert text_of(corpus, "training").endswith("a b é\né   \n")
    assert corpus.unseen == 4
    assert "4 unknown" in corpus.describe()
    words = read(tmp_path / "cache", path, min_count=2, held_out=0.0, level="word")
    assert words.vocabulary.tokens == ("<unk>", "\n", "a", "b", "é")
    with pytest.raises(TrainingError, match="--min-count 1000"):
        read(tmp_path / "cache", path, min_count=1000)


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


def test_empty_texts_are_refused_where_they_are_named(book: Path, tmp_path: Path) -> None:
    (book / "00.txt").write_text("\n")
    assert read(tmp_path / "cache", book).training_characters
    with pytest.raises(TrainingError, match=r"00\.txt is empty"):
        read(tmp_path / "cache", book / "00.txt")
    with pytest.raises(TrainingError, match="nothing left by --keep"):
        read(tmp_path / "cache", book / "01.txt", keep="XYZ")


@pytest.mark.parametrize("level", ["word", "char"])
def test_a_text_of_one_endless_line_is_read_in_parts_between_words(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.reading.filters.PART", 1000)
    monkeypatch.setattr("engine.train.reading.filters.MAX_HELD", 2000)
    (path := tmp_path / "x.txt").write_text(text := "one two three " * 3000 + "end")
    corpus = read(tmp_path / "cache", path, held_out=0.0, level=level)
    assert text_of(corpus, "training") == text
    assert corpus.unseen == 0
    if level == "word":
        assert corpus.vocabulary.tokens == ("<unk>", "one", "three", "two", "end")


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


def test_nothing_left_to_learn_from_says_why(book: Path, tmp_path: Path) -> None:
    for level in ("char", "word", "bpe"):
        with pytest.raises(TrainingError, match="--held-out-every 1: holds out all"):
            read(tmp_path / "cache", book, held_out_every=1, level=level)
    with pytest.raises(TrainingError, match="no word occurs often enough for --min-count"):
        read(tmp_path / "cache", book, level="word", min_count=10_000)
    with pytest.raises(TrainingError, match="a larger --held-out"):
        read(tmp_path / "cache", book, held_out=0.0001)
    (path := tmp_path / "ru.txt").write_text("привет", encoding="utf-8")
    with pytest.raises(TrainingError, match="nothing left by --ascii"):
        read(tmp_path / "cache", path, ascii=True)


def test_models_that_were_made_of_a_folder_are_not_read_with_it(book: Path, tmp_path: Path) -> None:
    digest = read(tmp_path / "cache", book).digest
    (made := book / "model").mkdir()
    for name in ("checkpoint.npz", "settings.json", "README.md", "training.csv"):
        (made / name).write_text("{}")
    assert read(tmp_path / "cache", book).digest == digest


def test_too_few_files_to_hold_one_out(book: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="smaller --held-out-every"):
        read(tmp_path / "cache", book, held_out_every=50)


MEASURE = """
import resource, sys
from pathlib import Path
from engine.train.data.corpus import read_corpus
from engine.train.settings import TrainSettings
settings = TrainSettings(level=sys.argv[1], vocabulary=400)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus = read_corpus([sys.argv[2]], 0.1, 16, settings, folder=Path(sys.argv[3]))
print(len(corpus.training), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("level", "copies"), [("char", 80), ("word", 6)])
def test_memory_does_not_grow_with_the_text(book: Path, tmp_path: Path, level: str, copies: int) -> None:
    """Eight times the text takes no more than a few megabytes more."""
    grown = []
    for size in (copies, 8 * copies):
        (path := tmp_path / "x.txt").write_text("".join(CHAPTERS) * 40 * size)
        arguments = [level, str(path), str(tmp_path / "cache")]
        done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
        grown.append(int(done.stdout.split()[1]))
        characters = path.stat().st_size
    assert characters / 1024 > (4_000 if level == "word" else 56_000)  # KiB
    assert grown[1] - grown[0] < 12_000


def test_a_run_on_packed_filtered_files_with_their_own_validation_and_test(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (packed := tmp_path / "plain.txt.gz").write_bytes(gzip.compress(plain_text.read_bytes()))
    for name in ("valid", "test"):
        (tmp_path / f"{name}.txt").write_text("The CAT sat on the log.\n" * 20)
    out = tmp_path / "out"
    arguments = [
        "--data",
        str(packed),
        "--validation",
        str(tmp_path / "valid.txt"),
        "--test",
        str(tmp_path / "test.txt"),
    ]
    arguments += ["--out", str(out), "--lower", "--cache", str(tmp_path / "cache"), "--units", "16", "--layers", "1"]
    arguments += ["--embedding", "8", "--batch", "8", "--steps", "16", "--epochs", "1", "--rate", "0.01"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert f"{plain_text.stat().st_size:,} characters to learn from, 480 held out, 480 to test, 15 different" in shown
    assert shown.startswith("read 3 files, ")
    assert "test, whole: " in shown
    figures = json.loads((out / "settings.json").read_text())["figures"]
    assert figures["test_nats"] == pytest.approx(figures["held_out_nats"])  # the same text
    assert "| test | " in (card := (out / "README.md").read_text())
    assert "--data plain.txt.gz --validation valid.txt --test test.txt" in card
    with engine.load(out) as model:
        score = model.score("the cat sat on the log.\n" * 20)
    assert score.nats / 480 == pytest.approx(figures["test_nats"])
    assert main(["--out", str(out), "--resume", "--epochs", "2", "--cache", str(tmp_path / "cache")]) == 0
    (tmp_path / "valid.txt").write_text("another text, that was not there.\n" * 20)
    assert main(["--out", str(out), "--resume", "--epochs", "3"]) == 1
    assert "the text has changed" in capsys.readouterr().err
