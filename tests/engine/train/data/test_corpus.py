"""From sources to token files: parts, vocabularies, the cache, and memory that does not grow with the text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow
from engine.train.data.corpus import read_corpus
from engine.train.reading.spool import Inputs
from engine.train.settings import TrainSettings
from tests.engine.train.data.books import CHAPTERS, read, text_of

import_tensorflow()


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


WORDS, PAIRS = TrainSettings(level="word", vocabulary=9), TrainSettings(level="bpe", vocabulary=270)


@pytest.mark.parametrize("settings", [WORDS, PAIRS], ids=["word", "bpe"])
def test_another_vocabulary_is_another_text_to_a_resumed_run(plain_text: Path, settings: TrainSettings) -> None:
    corpus = read_corpus([plain_text], 0.1, 16, settings)
    again = read_corpus([plain_text], 0.1, 16, settings, corpus.vocabulary)
    assert again.digest == corpus.digest
    assert (again.training == corpus.training).all()
    other = read_corpus([plain_text], 0.1, 16, TrainSettings(level=settings.level, vocabulary=260))
    assert other.digest != corpus.digest


@pytest.mark.parametrize("text", ["ab" * 10, "a" * 5000])
def test_a_text_too_short_or_too_dull_is_refused(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "x.txt").write_text(text)
    with pytest.raises(TrainingError, match=r"too short: 20 characters|a single character"):
        read_corpus([path], 0.1, 16)


def test_the_corpus_is_split_and_its_vocabulary_whole(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("ab" * 45 + "z" * 10)
    corpus = read_corpus([path], 0.1, 4)
    assert corpus.vocabulary.tokens == ("a", "b", "z")
    assert (len(corpus.training), len(corpus.held_out)) == (90, 10)
