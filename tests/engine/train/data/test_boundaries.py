"""Where a text may be begun anew, at every level, and where its files begin."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.vocabulary import Vocabulary
from engine.train.data import boundaries
from engine.train.data.corpus import Corpus, read_corpus
from engine.train.settings import TrainSettings

CHARACTERS = Vocabulary(tuple("\n ab"))
VERSE = "one two\nthree\n\n  four five.\n \nsix\n"


def told(corpus: Corpus, places: boundaries.Indices) -> list[str]:
    """The text from each place to the next."""
    ids = np.asarray(corpus.training, np.int32)
    edges = [*places, len(ids)]
    return [corpus.vocabulary.decode(ids[a:b].tolist()) for a, b in itertools.pairwise(edges)]


@settings(deadline=None)
@given(st.text("\n ab", max_size=60), st.integers(1, 7))
def test_lines_and_paragraphs_are_found_as_by_eye(text: str, block: int) -> None:
    ids = CHARACTERS.encode(text).ids
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "BLOCK", block)
        lines, blank = boundaries.at_lines(ids, CHARACTERS), boundaries.at_lines(ids, CHARACTERS, after_blank=True)
    assert lines.tolist() == [found.start() for found in re.finditer(r"\n(?= *[ab])", text)]
    assert blank.tolist() == [
        found.start() for found in re.finditer(r"\n(?= *[ab])", text) if blank_before(text, found)
    ]


def blank_before(text: str, found: re.Match[str]) -> bool:
    return not text[: found.start()].rpartition("\n")[2].strip()


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_every_level_has_the_same_lines(level: str, tmp_path: Path) -> None:
    (path := tmp_path / "verse.txt").write_text(VERSE * 8)
    corpus = read_corpus([path], 0.0, 4, TrainSettings(level=level, vocabulary=300), folder=tmp_path)
    lines = told(corpus, boundaries.at_lines(corpus.training, corpus.vocabulary))
    assert [line.strip() for line in lines[:4]] == ["three", "four five.", "six", "one two"]
    assert len(lines) == 4 * 8 - 1
    assert lines[1].startswith("\n")
    parts = told(corpus, boundaries.at_lines(corpus.training, corpus.vocabulary, after_blank=True))
    assert [part.split() for part in parts[:3]] == [
        ["four", "five."], ["six", "one", "two", "three"], ["four", "five."],
    ]  # fmt: skip


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_files_begin_where_they_began(level: str, tmp_path: Path) -> None:
    """Also many small ones in one piece, an empty one, one without a line end, and a tail held out in a file."""
    texts = ["one\ntwo\n", "three", "", "four\n\n", "five " * 40 + "\n"] + [f"six {'seven ' * 9}eight\n"] * 9
    (tmp_path / "texts").mkdir()
    for number, text in enumerate(texts):
        (tmp_path / "texts" / f"{number:02}.txt").write_text(text)
    made_with = TrainSettings(level=level, vocabulary=300, reset="file")
    corpus = read_corpus([tmp_path / "texts"], 0.1, 4, made_with, folder=tmp_path)
    places = boundaries.at_files(corpus.training, corpus.vocabulary, corpus.files)
    parts = told(corpus, places)
    assert parts[0].split() == ["three"]
    assert [part.strip() for part in parts[:4]] == [text.strip() for text in (texts[1], texts[3], texts[4], texts[5])]
    whole = "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)  # words of two stay two
    assert len(parts) == len([text for text in texts if text]) - 2  # the first, and the last, which is held out
    if level == "char":
        assert [int(place) for place in places[:4]] == [7, 13, 19, 13 + 6 + 201]
        assert whole[: len(corpus.training)] == corpus.vocabulary.decode(np.asarray(corpus.training, np.int32).tolist())


def test_the_digest_knows_the_files_where_they_matter(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc\n" * 20)
    (tmp_path / "b.txt").write_text("abc\n" * 40)
    split, other = [tmp_path / "a.txt", tmp_path / "b.txt"], [tmp_path / "b.txt", tmp_path / "a.txt"]
    digests = {
        reset: [
            read_corpus(paths, 0.1, 4, TrainSettings(reset=reset), folder=tmp_path).digest for paths in (split, other)
        ]
        for reset in ("never", "file")
    }
    assert digests["never"][0] == digests["never"][1]
    assert digests["file"][0] != digests["file"][1]
