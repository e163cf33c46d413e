"""Engines of each level: what is told is always exactly what the network has read, however a reply ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.model.step import Ids, Logits, Shape, State
from engine.serving.engine import Engine
from engine.text.vocabulary import LEVELS, Vocabulary
from tests.networks import KANA, WORDS, level_engine, level_vocabulary

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=40)
PROMPT = {"char": "the cat é漢", "word": "the king's  queen", "bpe": "吾輩は cat"}


@pytest.fixture(scope="module", params=LEVELS)
def model(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with level_engine(request.param) as made:
        yield made


def tokens_read(talk: engine.Conversation) -> list[int]:
    return [token for turn in talk.turns for token in turn.tokens]


def check(model: Engine, talk: engine.Conversation, told: str | None = None) -> None:
    """The text is that of the tokens, and the checkpoint that of a conversation that was fed just these."""
    read, text = tokens_read(talk), talk.text if told is None else told
    assert model.vocabulary.decode(read) == text
    checkpoint = talk.snapshot().turns[talk.present].checkpoint
    fed = np.array(read[: len(read) - len(checkpoint.pending)], np.int32)
    assert tuple(read[len(fed) :]) == checkpoint.pending
    state = model.zero_state()[None]
    for token in fed:
        _, state = model._step_function(np.array([token], np.int32), state)
    assert np.array_equal(state[0], checkpoint.state)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40, 300])
def test_a_reply_is_what_was_streamed_and_what_was_read(model: Engine, length: int) -> None:
    for seed in range(6):
        talk = model.conversation(sampling=replace(SAMPLING, seed=seed))
        talk.say(length=0)
        reply = talk.say("\n", length=length)
        pieces = list(reply)
        assert "".join(pieces) == reply.text
        assert "" not in pieces
        assert reply.finish_reason == "length"
        check(model, talk)
        assert talk.tree[-1].kind == "reply"
        written = len(talk.tree[-1].tokens)
        assert written <= length or (model.info.level == "bpe" and length < 4)  # too short for one character
        assert written > length - 4


def test_stopped_anywhere_and_gone_on_with_is_the_text_of_one_that_was_not(model: Engine) -> None:
    for seed in range(4):
        settings = replace(SAMPLING, seed=seed, length=60)
        whole = model.conversation(sampling=settings).say("\n").text
        for parts in ([1] * 30, [7, 13, 2, 9], [31, 30]):
            talk = model.conversation(sampling=settings)
            read = talk.say("\n", length=parts[0]).text
            for part in parts[1:]:
                talk.undo()
                talk.redo()
                read += talk.say(length=part).text
                check(model, talk)
            common = min(len(read), len(whole))
            assert common >= 10
            assert read[:common] == whole[:common]


def test_a_cancelled_reply_ends_in_whole_characters(model: Engine) -> None:
    settings = replace(SAMPLING, length=10**6)
    for seed in range(8):
        talk = model.conversation(sampling=replace(settings, seed=seed))
        reply = talk.say("\n")
        read = ""
        for piece in reply:
            read += piece
            if len(read) > 50 + 7 * seed:
                reply.stop()
        assert reply.finish_reason == "cancelled"
        assert read == reply.text
        check(model, talk)
        unstopped = model.conversation(sampling=replace(settings, seed=seed, length=len(talk.tree[-1].tokens) + 30))
        assert unstopped.say("\n").text.startswith(read + talk.say(length=20).text)


def test_a_stop_string_ends_a_reply_at_a_token(model: Engine) -> None:
    settings = replace(SAMPLING, length=80)
    found = 0
    for seed in range(10):
        free = model.conversation(sampling=replace(settings, seed=seed))
        whole = free.say("\n").text
        for begin, size in ((11, 1), (20, 2), (30, 5)):
            stop = whole[begin : begin + size]
            if len(stop) < size:
                continue
            talk = model.conversation(sampling=replace(settings, seed=seed, stop=(stop,)))
            reply = talk.say("\n")
            pieces = list(reply)
            assert "".join(pieces) == reply.text
            assert reply.finish_reason == "stop"
            assert stop not in reply.text
            place = whole.find(stop)
            assert whole.startswith(reply.text)
            kept = model.vocabulary.decode(
                free.tree[-1].tokens[: len(talk.turns[-1].tokens) + 4], free.turns[0].tokens[-1]
            )
            assert len(reply.text) <= place < max(len(kept), place + 1)
            check(model, talk)
            found += 1
    assert found >= 20


def test_a_stop_string_that_never_comes_changes_nothing(model: Engine) -> None:
    for seed in range(6):
        settings = replace(SAMPLING, seed=seed)
        free, watched = (
            model.conversation(sampling=s) for s in (settings, replace(settings, stop=("zz~zz", "\n\n\n\n")))
        )
        assert free.say("\n").text == "".join(watched.say("\n"))
        check(model, watched)
        assert free.say(" a").text == watched.say(" a").text


def test_prompts_are_read_as_they_are_told(model: Engine) -> None:
    talk = model.conversation(sampling=SAMPLING)
    reply = talk.say(PROMPT[model.info.level], length=5)
    talk.say("king the", length=5)
    talk.say(" a. ", length=0)
    prompts = [turn for turn in talk.turns if turn.kind == "prompt"]
    for turn in prompts:
        before = talk.snapshot().turns[turn.parent or 0].checkpoint.pending
        assert model.encode(turn.text, before[-1] if before else None).ids.tolist() == list(turn.tokens)
    unseen = {"char": {"é": "e", "漢": ""}, "word": {"queen": "<unk>"}, "bpe": {}}
    assert reply.unseen == unseen[model.info.level]
    if model.info.level != "char":
        assert prompts[0].text == PROMPT[model.info.level]
    if model.info.level == "word":
        assert prompts[1].text in ("king the", " king the")


def test_the_unknown_word_is_never_written() -> None:
    with level_engine("word") as model:
        talk = model.conversation(sampling=replace(SAMPLING, temperature=5.0, length=500))
        assert "<unk>" not in talk.say("unheard of").text
        assert talk.turns[0].text == "unheard of"


def test_saved_exported_replayed_and_fed_again(model: Engine, tmp_path: Path) -> None:
    talk = model.conversation(sampling=SAMPLING)
    talk.say(PROMPT[model.info.level], length=23)
    talk.retry()
    talk.say("the", sampling=replace(SAMPLING, stop=(talk.text[-1],)))
    stopped = talk.say(length=10**6)
    time.sleep(0.05)
    stopped.stop()
    again = engine.replay(model, talk.export())
    assert again.text == talk.text
    assert json.loads(again.export()) == json.loads(talk.export())
    with engine.Store(f"sqlite:///{tmp_path / 'stories.db'}") as store, level_engine(model.info.level, seed=3) as other:
        store.save(talk, "one")
        opened = store.open(model, "one")
        assert opened.text == talk.text
        assert engine.outline(opened.tree, opened.present, 60) == engine.outline(talk.tree, talk.present, 60)
        assert store.open(other, "one", feed_again=True).turns
        assert opened.say("and", length=30).text == talk.say("and", length=30).text == again.say("and", length=30).text


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
    talk = model.conversation(sampling=SAMPLING)
    talk.say("the" if model.info.level == "word" else "a", length=0)
    tokens = talk.next_tokens(model.info.vocabulary_size)
    assert sum(share for _, share in tokens) == pytest.approx(1)
    assert all(token for token, _ in tokens)
    if model.info.level == "word":
        assert {" king", ",", "\n"} <= {token for token, _ in tokens}
    written = talk.say(sampling=engine.Sampling(temperature=0, length=1, seed=5)).text
    if model.info.level != "bpe":
        assert written == next(token for token, _ in tokens if token != "<unk>" and token != " <unk>")


class Reciting:
    """A step program that foretells the bytes of a text, one after the other: its state is the place."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self.shape, self.state_size, self.vocabulary_size = Shape("gru", 1, 1, 1), 1, 256
        self.fingerprint = b"reciting"

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        logits = np.full((len(ids), 256), -50.0, np.float32)
        for row, place in enumerate(state[:, 0]):
            logits[row, self._bytes[int(place) % len(self._bytes)]] = 50.0
        return logits, state + 1


def test_no_reader_ever_sees_half_a_character() -> None:
    from engine.text.byte_pairs import letters

    text = "吾輩は猫である🐈‍⬛。é\n"
    with Engine("reciting", Reciting(text), Vocabulary(tuple(letters()), "bpe"), "onnx", 4) as model:
        for length in range(1, 3 * len(text.encode())):
            talk = model.conversation()
            reply = talk.say("\n", length=length)
            read = "".join(reply)
            assert "\ufffd" not in read
            assert read == (text * 4)[: len(read)]
            assert read
            rest = "".join(talk.say(length=50))
            assert read + rest == (text * 8)[: len(read + rest)]
        for stop in ("猫", "🐈", "。é", "é\n吾"):
            talk = model.conversation(sampling=engine.Sampling(stop=(stop,), length=500))
            assert "".join(talk.say("\n")) == (text * 2)[: (text * 2).index(stop)]
        talk = model.conversation()
        reply = talk.say("\n", length=10**6)
        for piece in reply:
            assert "\ufffd" not in piece
            if len(text) < reply._read:
                reply.stop()
        assert "\ufffd" not in talk.text


def test_closing_the_engine_in_mid_character_leaves_whole_text() -> None:
    from engine.text.byte_pairs import letters

    text = "猫" * 50
    for _ in range(10):
        model = Engine("reciting", Reciting(text), Vocabulary(tuple(letters()), "bpe"), "onnx", 4)
        talk = model.conversation()
        reply = talk.say("\n", length=10**6)
        next(iter(reply))
        model.close()
        assert set(reply.text) == {"猫"}
        assert len(talk.turns[-1].tokens) == 3 * len(reply.text)


def test_the_vocabularies_are_not_alike() -> None:
    assert len({json.dumps(level_vocabulary(level).to_json()) for level in LEVELS}) == 3
