"""On each level, a text is always exactly what the network has read, however a reply ended."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import engine
from engine.model.step import Ids, Logits, Shape, State
from engine.serving.engine import Engine
from engine.text.vocabulary import LEVELS, Vocabulary
from tests.engine.conversations import LEVEL_SAMPLING, PROMPT, check
from tests.networks import level_engine, level_vocabulary


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40, 300])
def test_a_reply_is_what_was_streamed_and_what_was_read(model: Engine, length: int) -> None:
    for seed in range(6):
        talk = model.conversation(sampling=replace(LEVEL_SAMPLING, seed=seed))
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
        settings = replace(LEVEL_SAMPLING, seed=seed, length=60)
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
    settings = replace(LEVEL_SAMPLING, length=10**6)
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


def test_prompts_are_read_as_they_are_told(model: Engine) -> None:
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    reply = talk.say(PROMPT[model.info.level], length=5)
    talk.say("king the", length=5)
    talk.say(" a. ", length=0)
    prompts = [turn for turn in talk.turns if turn.kind == "prompt"]
    for turn in prompts:
        before = talk.snapshot().turns[turn.parent or 0].checkpoint.pending
        assert model.vocabulary.encode(turn.text, before[-1] if before else None).ids.tolist() == list(turn.tokens)
    unseen = {"char": {"é": "e", "漢": ""}, "word": {"queen": "<unk>"}, "bpe": {}}
    assert reply.unseen == unseen[model.info.level]
    if model.info.level != "char":
        assert prompts[0].text == PROMPT[model.info.level]
    if model.info.level == "word":
        assert prompts[1].text in ("king the", " king the")


def test_the_unknown_word_is_never_written() -> None:
    with level_engine("word") as model:
        talk = model.conversation(sampling=replace(LEVEL_SAMPLING, temperature=5.0, length=500))
        assert "<unk>" not in talk.say("unheard of").text
        assert talk.turns[0].text == "unheard of"


class Reciting:
    """A step function that predicts the bytes of a text, one after the other: its state is the position."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self.shape, self.state_size, self.vocabulary_size = Shape("gru", 1, 1, 1), 1, 256
        self.fingerprint = b"reciting"

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        logits = np.full((len(ids), 256), -50.0, np.float32)
        for row, position in enumerate(state[:, 0]):
            logits[row, self._bytes[int(position) % len(self._bytes)]] = 50.0
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
