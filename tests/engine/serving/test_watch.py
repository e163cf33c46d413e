"""Stop strings and the ends that were asked for end a reply in the state of its text."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, Shape, State
from engine.serving.engine import Engine
from engine.serving.watch import Phrases
from engine.text.ends import is_end
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import LEVEL_SAMPLING, check
from tests.networks import tiny_network

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12)


@given(st.lists(st.text("abc", min_size=1, max_size=6), max_size=6), st.lists(st.text("abc", max_size=3), max_size=9))
def test_an_end_that_a_phrase_could_begin_with_is_open(texts: list[str], pieces: list[str]) -> None:
    phrases, text = Phrases(texts), ""
    beginnings = {one[:size] for one in texts for size in range(1, len(one))}
    for piece in pieces:
        text += piece
        is_found = phrases.look(text, len(piece)) >= 0
        assert is_found == any(text[: len(text) - n].endswith(one) for n in range(len(piece)) for one in texts)
        if is_found:
            break
        assert phrases.open == max((size for size in range(len(text) + 1) if text[len(text) - size :] in beginnings),
                                   default=0)  # fmt: skip


def test_a_long_phrase_takes_memory_in_proportion() -> None:
    text = "the king and the sea " * 1000
    tracemalloc.start()
    try:
        phrases = Phrases([text])
        phrases.reopen(text[:-1])
        assert phrases.open == len(text) - 1
        assert tracemalloc.get_traced_memory()[1] < 10_000_000  # bytes
    finally:
        tracemalloc.stop()


def test_a_stop_string_ends_a_reply_at_a_token(model: Engine) -> None:
    settings = replace(LEVEL_SAMPLING, length=80)
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
        settings = replace(LEVEL_SAMPLING, seed=seed)
        free, watched = (
            model.conversation(sampling=s) for s in (settings, replace(settings, stop=("zz~zz", "\n\n\n\n")))
        )
        assert free.say("\n").text == "".join(watched.say("\n"))
        check(model, watched)
        assert free.say(" a").text == watched.say(" a").text


def test_stop_strings_end_a_reply_in_the_state_of_its_text(tiny: Engine) -> None:
    whole = tiny.conversation(sampling=SAMPLING).say("ab", length=400).text
    for stop in (whole[3:5], whole[40:43], whole[0], whole[:2]):
        talk = tiny.conversation(sampling=SAMPLING)
        reply = talk.say("ab", sampling=replace(SAMPLING, stop=(stop, "never!"), length=400))
        pieces = "".join(reply)
        assert reply.finish_reason == "stop"
        assert pieces == reply.text == whole[: whole.index(stop)]
        afresh = tiny.conversation(sampling=SAMPLING)
        afresh.say("ab" + reply.text, length=0)
        assert talk.next_tokens() == afresh.next_tokens()
        assert talk.say("", length=5).text  # and one can go on


def test_what_might_have_become_a_stop_string_is_given_out_at_the_end(tiny: Engine) -> None:
    whole = tiny.conversation(sampling=SAMPLING).say("ab", length=10).text
    reply = tiny.conversation(sampling=SAMPLING).say(
        "ab", sampling=replace(SAMPLING, stop=(whole[-2:] + "!",), length=10)
    )
    assert "".join(reply) == reply.text == whole


def test_a_model_that_writes_accents_apart_stops_there_too() -> None:
    letters = Vocabulary(("\n", "e", "\u0301", "x"))
    with Engine("apart", OnnxStep(tiny_network(len(letters))), letters, "onnx", 4) as model:
        text = model.conversation(sampling=engine.Sampling(seed=1, length=400, temperature=2)).say("e").text
        assert "e\u0301" in text
        reply = model.conversation(sampling=engine.Sampling(seed=1, length=400, temperature=2, stop=("é",))).say("e")
        assert reply.text == text[: text.index("e\u0301")]
        assert reply.finish_reason == "stop"


@pytest.mark.parametrize("end", ["word", "line", "sentence"])
def test_a_reply_ends_at_the_first_end_once_it_has_its_length(model: Engine, end: str) -> None:
    ended = 0
    for seed in range(12):
        free = model.conversation(sampling=replace(LEVEL_SAMPLING, seed=seed, length=200))
        whole = free.say("\n").text
        tokens = free.turns[-1].tokens
        texts = [model.vocabulary.decode(tokens[:count], free.turns[0].tokens[-1]) for count in range(len(tokens))]
        for length in (1, 2, 9, 40, 41):
            settings = replace(LEVEL_SAMPLING, seed=seed, length=length, end=end)
            talk = model.conversation(sampling=settings)
            reply = talk.say("\n")
            pieces = list(reply)
            assert "".join(pieces) == reply.text
            assert "" not in pieces
            assert reply.finish_reason == "length"
            assert whole.startswith(reply.text)
            check(model, talk)
            count, most = len(talk.turns[-1].tokens), length + length // 2
            split = 3 if model.info.level == "bpe" else 0
            assert length - split <= count <= most + split
            ends = [
                n
                for n in range(length, most)
                if "\ufffd" not in texts[n] and is_end(end, texts[n], whole[len(texts[n]) :])
            ]
            late = [
                n for n in range(most - (most - length) // 4, most) if is_end("word", texts[n], whole[len(texts[n]) :])
            ]
            first = min([*ends, *late], default=most)
            assert count == first or split
            ended += count < most and bool(ends)
            talk.say(length=20, sampling=replace(settings, end="any"))  # and it goes on as if it had not ended
            assert whole.startswith(talk.text[1:])
    assert ended or end != "word"  # such texts hardly have sentences


def test_an_end_that_was_asked_for_is_the_same_in_a_batch_and_after_undo_and_replay(model: Engine) -> None:
    kinds = [
        replace(LEVEL_SAMPLING, seed=seed, length=3 + seed, end=end, stop=stop)
        for seed in range(4) for end in ("any", "word", "line", "sentence") for stop in ((), ("zz",))
    ]  # fmt: skip
    together = [model.conversation(sampling=kind) for kind in kinds]
    replies = [talk.say("\n") for talk in together]
    for talk, reply, kind in zip(together, replies, kinds, strict=True):
        alone = model.conversation(sampling=kind)
        assert alone.say("\n").text == reply.text
        talk.undo()
        talk.redo()
        assert talk.say().text == alone.say().text
        again = engine.replay(model, talk.export())
        assert [turn.text for turn in again.turns] == [turn.text for turn in talk.turns]
        assert again.say().text == talk.say().text


class Typing:
    """A step function that writes a text again and again: its state is the place."""

    def __init__(self, ids: list[int], size: int) -> None:
        self._ids, self.shape, self.state_size, self.vocabulary_size = ids, Shape("gru", 1, 1, 1), 1, size
        self.fingerprint = b"typing"

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        logits = np.full((len(ids), self.vocabulary_size), -50.0, np.float32)
        for row, place in enumerate(state[:, 0]):
            logits[row, self._ids[int(place) % len(self._ids)]] = 50.0
        return logits, state + 1


TALE = "It was Mr. Hyde. “Stop!” he said, and\nwent. Then\nhe came “home.” At last\n"


@pytest.mark.parametrize(
    ("end", "length", "expected"),
    [
        ("sentence", 12, "Hyde."), ("sentence", 30, "went."), ("sentence", 50, "“home.”"), ("sentence", 20, "he sa"),
        ("line", 30, "and\n"), ("word", 8, "Mr."), ("word", 41, "went."), ("any", 8, "M"),
    ],
)  # fmt: skip
def test_ends_in_a_tale(end: str, length: int, expected: str) -> None:
    letters = Vocabulary(tuple(sorted({*TALE})))
    with Engine("typing", Typing(letters.encode(TALE).ids.tolist(), len(letters)), letters, "onnx", 4) as model:
        talk = model.conversation(sampling=engine.Sampling(end=end, length=length))
        size = TALE.index(expected) + len(expected)
        assert talk.say("\n").text == TALE[:size]
        assert talk.say(length=99, sampling=engine.Sampling()).text == (TALE * 3)[size:][:99]
