"""From text to a vocabulary, and to ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.text.files import split_point
from engine.text.words import UNKNOWN
from engine.train.data import encode
from engine.train.data.corpus import read_corpus
from engine.train.settings import TrainSettings

WORDS = TrainSettings(level="word", vocabulary=9)


def test_the_most_frequent_words_are_kept(plain_text: Path) -> None:
    corpus = read_corpus([plain_text], 0.1, 16, WORDS)
    assert corpus.vocabulary.tokens[:6] == (UNKNOWN, "the", "\n", ".", "on", "sat")
    assert corpus.vocabulary.tokens[6:] == ("cat", "dog", "log")  # of those as frequent, the first in the alphabet
    assert (corpus.training == 0).sum() == 180  # "mat" is unknown
    text = plain_text.read_text()
    assert corpus.training_characters == split_point(len(text), 0.1, lambda begin, end: text[begin:end])
    assert corpus.held_out_rate == pytest.approx(8 / 24, abs=0.001)
    assert "tokens" in corpus.describe()


def test_a_text_with_the_unknown_token_is_split_at_spaces() -> None:
    text = " mr. <unk> is chairman \n the u.s. company 's \n"
    assert encode.learn([text], TrainSettings(level="word")).split == "spaces"
    assert "u.s." in encode.learn([text], TrainSettings(level="word")).tokens
    assert encode.learn([text], TrainSettings(level="word", split="words")).split == "words"
    assert encode.learn(["a<unk>b"], TrainSettings(level="word")).split == "words"


def test_a_vocabulary_is_learned_from_the_head_alone(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("one two three\n" * 90 + "four five six\n" * 10)
    corpus = read_corpus([path], 0.1, 4, TrainSettings(level="word"))
    assert "four" not in corpus.vocabulary.tokens
    assert (corpus.held_out[:-1] == 0).sum() >= 28
    with pytest.raises(TrainingError, match="256 bytes"):
        read_corpus([path], 0.1, 4, TrainSettings(level="bpe", vocabulary=100))


def test_a_learned_vocabulary_counts_every_part() -> None:
    parts = ["b a\n", "a “b”, c", " a\n"]
    learned = encode.learn(parts, TrainSettings(level="word", vocabulary=7, split="words"))
    assert learned.tokens == ("<unk>", "a", "\n", "b", ",", "c", "“")
    with_unknown = encode.learn(["a <unk> b ,\n"], TrainSettings(level="word"))
    assert (with_unknown.split, with_unknown.tokens) == ("spaces", ("<unk>", "\n", ",", "a", "b"))
