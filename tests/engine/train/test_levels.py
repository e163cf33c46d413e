"""Training on words and byte pairs: the vocabulary that is learned, and a run from text to a model that writes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

import engine
from engine.errors import TrainingError
from engine.evaluate import main as evaluate
from engine.text.files import split_point
from engine.text.words import UNKNOWN
from engine.train.__main__ import main
from engine.train.data import encode
from engine.train.data.corpus import read_corpus
from engine.train.settings import TrainSettings

WORDS, PAIRS = TrainSettings(level="word", vocabulary=9), TrainSettings(level="bpe", vocabulary=270)


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


@pytest.mark.parametrize("settings", [WORDS, PAIRS], ids=["word", "bpe"])
def test_another_vocabulary_is_another_text_to_a_resumed_run(plain_text: Path, settings: TrainSettings) -> None:
    corpus = read_corpus([plain_text], 0.1, 16, settings)
    again = read_corpus([plain_text], 0.1, 16, settings, corpus.vocabulary)
    assert again.digest == corpus.digest
    assert (again.training == corpus.training).all()
    other = read_corpus([plain_text], 0.1, 16, TrainSettings(level=settings.level, vocabulary=260))
    assert other.digest != corpus.digest


@pytest.mark.parametrize("level", ["word", "bpe"])
def test_from_text_to_a_model_that_writes(
    plain_text: Path, tmp_path: Path, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / level
    arguments = ["--data", str(plain_text), "--out", str(out), "--level", level, "--vocabulary", "270"]
    arguments += [
        "--units",
        "24",
        "--embedding",
        "8",
        "--batch",
        "4",
        "--steps",
        "8",
        "--rate",
        "0.02",
        "--warmup",
        "5",
        "--epochs",
        "2",
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    settings = json.loads((out / "settings.json").read_text())["figures"]
    nats, rate = settings["held_out_nats"], settings["held_out_tokens"] / settings["held_out_characters"]
    bits = nats * rate / math.log(2)
    assert f"held out, whole: {nats:.4f} nats/token = {bits:.3f} bits/char, perplexity {math.exp(nats):.2f}" in shown
    assert f"{bits:.3f} bits a character" in (out / "README.md").read_text()
    assert rate < 0.7
    assert bits < 0.5 * math.log2(270) * rate  # of a model that knows nothing
    row = list(csv.DictReader((out / "training.csv").read_text().splitlines()))[-1]
    assert float(row["held_out_bits"]) == pytest.approx(float(row["held_out_nats"]) * rate / math.log(2))
    assert evaluate([str(out), "--data", str(plain_text), "--tail", "0.1", "--json"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert score["bits_per_character"] == pytest.approx(bits, rel=1e-6)
    assert score["characters"] == settings["held_out_characters"]
    with engine.load(out) as model:
        assert model.info.level == level
        assert model.conversation(sampling=engine.Sampling(temperature=0)).say("the", length=4).text.startswith(" ")
    assert main(["--out", str(out), "--resume", "--epochs", "3", "--sample-every", "0"]) == 0
    assert "epoch 3/3" in capsys.readouterr().out
