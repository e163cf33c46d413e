"""Scores and likeliest tokens are what the logits say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import engine
from engine.model.onnx_step import OnnxStep
from engine.serving.engine import Engine
from tests.engine.conversations import LEVEL_SAMPLING
from tests.networks import KANA, LETTERS, WORDS, tiny_network


def test_score_is_what_the_logits_say(tiny: Engine) -> None:
    text = "the cat sat on the mat."
    score = tiny.score(text)
    step, state, expected = OnnxStep(tiny_network()), np.zeros((1, 26), np.float32), [np.log(len(LETTERS))]
    for before, after in zip(score.tokens, score.tokens[1:], strict=False):
        logits, state = step(np.array([before], np.int32), state)
        exact = logits[0].astype(np.float64)
        expected.append(np.log(np.exp(exact).sum()) - exact[after])
    assert score.nats == pytest.approx(sum(expected))
    assert score.surprisal_bits == pytest.approx(np.array(expected) / np.log(2))
    assert score.characters == len(text) == len(score.tokens)
    assert score.bits_per_character == pytest.approx(score.bits / len(text))
    assert score.perplexity == pytest.approx(np.exp(score.nats / len(text)))


def test_a_long_text_is_scored_like_its_parts_in_a_row(tiny: Engine) -> None:
    text = "the quick brown fox. " * 150  # more than one block
    score = tiny.score(text)
    assert len(score.surprisal_bits) == len(text)
    assert score.surprisal_bits[:50] == pytest.approx(tiny.score(text[:50]).surprisal_bits)


def test_a_text_of_nothing_cannot_be_scored(tiny: Engine) -> None:
    with pytest.raises(ValueError, match="text"):
        tiny.score("漢")


def test_the_score_is_told_by_the_character(model: Engine) -> None:
    text = {"char": "the cat sat. " * 3, "word": WORDS, "bpe": KANA}[model.info.level]
    score = model.score(text)
    assert score.characters == len(text)
    assert len(score.tokens) == len(score.surprisal_bits)
    assert score.surprisal_bits[0] == pytest.approx(np.log2(model.info.vocabulary_size))
    assert score.bits_per_character == pytest.approx(score.surprisal_bits.sum() / len(text))
    assert score.perplexity == pytest.approx(2 ** score.surprisal_bits.mean())
    if model.info.level == "word":
        unknown = model.score("the queen's men")
        assert unknown.characters == len("the queen's men")


def test_the_likeliest_tokens_are_told_as_they_would_be_written(model: Engine) -> None:
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    talk.say("the" if model.info.level == "word" else "a", length=0)
    tokens = talk.next_tokens(model.info.vocabulary_size)
    assert sum(share for _, share in tokens) == pytest.approx(1)
    assert all(token for token, _ in tokens)
    if model.info.level == "word":
        assert {" king", ",", "\n"} <= {token for token, _ in tokens}
    written = talk.say(sampling=engine.Sampling(temperature=0, length=1, seed=5)).text
    if model.info.level != "bpe":
        assert written == next(token for token, _ in tokens if token != "<unk>" and token != " <unk>")


@pytest.mark.parametrize("damage", [{"source": np.zeros(3, np.float32)}, {"pending": (10**6,)}, {"pending": (1, -1)}])
def test_a_damaged_state_ends_its_own_conversation_alone(tiny: Engine, damage: dict[str, Any]) -> None:
    talk = tiny.conversation(sampling=engine.Sampling(length=5))
    talk.say("the cat", length=0)
    start, turn = talk.snapshot().turns
    turns = (start, replace(turn, checkpoint=replace(turn.checkpoint, **damage)))
    damaged = engine.Conversation.restored(tiny, replace(talk.snapshot(), turns=turns))
    for ask in (damaged.say, damaged.next_tokens, lambda: damaged.alternatives(2)):
        with pytest.raises(engine.EngineError, match="state of this turn is damaged"):
            ask()
    damaged.goto(0)
    assert len(damaged.say("a").text) == len(talk.say().text) == 5
