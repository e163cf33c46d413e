"""A prompt's last word stays open: what follows goes on with it, exactly, and as undoably as all else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.conversation.checkpoint import Request
from engine.conversation.prompt import read_prompt
from engine.conversation.replay import Texts, read_again, replay
from engine.conversation.reply import Reply
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, Shape, State
from engine.serving.engine import Engine
from engine.serving.rows import ReplyRow
from engine.text import byte_pairs
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import check, position
from tests.networks import tiny_network

TALE = "Once upon a time there was a tiger named Tim. The tiger was timid, but Tim's times were the best times.\n"
PROMPTS = [
    "Once upon a ti",
    "Once upon a time",
    "Once upon a ",
    "The tig",
    "Tim",
    "T",
    "a  ",
    "été ti",
    "x" * 60,
    "zq ti",
    "best ti\n",
]
SAMPLING = engine.Sampling(temperature=1.0, length=12, seed=3)


def vocabulary() -> Vocabulary:
    tokens, merges = byte_pairs.train([TALE * 40], 330)
    return Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))


@pytest.fixture(scope="module")
def model() -> Iterator[Engine]:
    """Random weights: every token that may be drawn is drawn some time."""
    words = vocabulary()
    with Engine("tale", OnnxStep(tiny_network(len(words))), words, "onnx", 8) as made:
        yield made


class Reciting:
    """A step function that predicts the tokens of a text, one after the other: its state is the position."""

    def __init__(self, ids: list[int], size: int) -> None:
        self._ids, self.vocabulary_size = ids, size
        self.shape, self.state_size, self.fingerprint = Shape("gru", 1, 1, 1), 1, b"reciting"

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        logits = np.full((len(ids), self.vocabulary_size), -20.0, np.float32)
        for row, place in enumerate(state[:, 0]):
            logits[row, self._ids[(int(place) + 1) % len(self._ids)]] = 20.0
        return logits, state + 1


@pytest.mark.parametrize("end", range(5, 60))
def test_a_prompt_that_ends_within_a_word_goes_on_with_it(end: int) -> None:
    words = vocabulary()
    ids = words.encode(TALE).ids.tolist()
    assert len(ids) < len(TALE) / 2
    with Engine("reciting", Reciting(ids, len(words)), words, "onnx", 4) as model:
        talk = model.conversation(sampling=engine.Sampling(length=200, temperature=0.5, seed=1))
        assert (TALE[:end] + talk.say(TALE[:end]).text).startswith(TALE)


def test_without_it_the_same_network_would_not(model: Engine) -> None:
    """The prompt's own tokens are those of no word: with them fed, the rest cannot follow."""
    words = vocabulary()
    typed = words.encode("Once upon a ti").ids.tolist()
    assert typed[-1] != words.encode("Once upon a time").ids.tolist()[-1]
    prompt = read_prompt(model.vocabulary, model.conversation().settle().checkpoint, "Once upon a ti")
    assert prompt.start.pending == tuple(typed)
    assert words.decode(prompt.start.open) == " ti"
    assert any(words.decode([index]) == " time" for index in words.continuing(prompt.start.open))


@pytest.mark.parametrize("typed", PROMPTS)
@pytest.mark.parametrize("length", [1, 2, 12])
def test_the_text_is_what_was_typed_and_what_was_streamed(model: Engine, typed: str, length: int) -> None:
    for seed in range(8):
        talk = model.conversation(sampling=engine.Sampling(temperature=1.5, length=length, seed=seed))
        talk.say("There was a tiger.\n", length=0)
        reply = talk.say(typed)
        pieces = list(reply)
        assert "".join(pieces) == reply.text
        assert reply.text
        assert talk.text == "There was a tiger.\n" + typed + reply.text
        check(model, talk)
        assert talk.settle().checkpoint.reopened == 0
        if typed == "best ti\n":
            assert talk.snapshot().turns[-2].checkpoint.reopened == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([*PROMPTS, ""]), st.integers(0, 5)), min_size=1, max_size=5),
    st.lists(st.integers(1, 4), min_size=6, max_size=6), st.integers(0, 99),
)  # fmt: skip
def test_stopped_undone_and_gone_on_with_is_the_text_of_one_that_was_not(
    model: Engine, said: list[tuple[str, int]], parts: list[int], seed: int
) -> None:
    sampling = engine.Sampling(temperature=1.2, length=sum(parts), seed=seed)
    talk = model.conversation(sampling=sampling)
    for text, length in said:
        talk.say(text, length=length).result()
        if talk.turns:
            check(model, talk)
    whole, pieced = talk.fork(), talk.fork()
    told = whole.say("The ti").text
    pieced.say("The ti", length=0).result()
    read = ""
    for part in parts:
        read += pieced.say(length=part).text
        pieced.undo()
        pieced.redo()
        check(model, pieced)
    common = min(len(read), len(told))
    assert read[:common] == told[:common]
    assert common > 0


def test_a_word_that_was_typed_in_two_parts_is_the_word(model: Engine) -> None:
    once, twice = (model.conversation(sampling=SAMPLING) for _ in range(2))
    reply = once.say("Once upon a tiger was").text
    twice.say("Once upon a ti", length=0)
    twice.say("ger wa", length=0)
    assert twice.settle().checkpoint.reopened > 0
    assert twice.say("s").text == reply
    assert twice.text == once.text
    assert position(twice) == position(once)
    assert [turn.text for turn in twice.turns] == ["Once upon a ti", "ger wa", "s", reply]


def test_one_seed_is_one_text_alone_and_in_a_batch_and_after_all_detours(model: Engine) -> None:
    def begun(typed: str, seed: int) -> engine.Conversation:
        talk = model.conversation(sampling=engine.Sampling(temperature=1.1, length=9, seed=seed))
        talk.say("A tale.", length=0)
        talk.say(typed, length=0)
        return talk

    cases = [(typed, seed) for typed in PROMPTS for seed in range(3)]
    alone = [begun(*case).say().text for case in cases]
    talks = [begun(*case) for case in cases]
    replies = [talk.say() for talk in talks]
    assert [reply.text for reply in replies] == alone
    for talk, text in zip(talks, alone, strict=True):
        branch = talk.fork()
        second = talk.retry().text
        talk.undo()
        assert [reply.text for reply in talk.alternatives(1)] != [text]
        branch.undo()
        assert branch.say().text == text
        branch.undo()
        assert branch.retry().text in (text, second) or second


def test_a_reply_that_is_stopped_within_the_open_word_has_written_nothing(model: Engine) -> None:
    """Its random numbers are taken back, so that going on draws the same."""
    start = model.conversation(sampling=SAMPLING).settle().checkpoint
    prompt = read_prompt(model.vocabulary, start, "Once upon a ti").start
    reply = Reply({}, lambda: None)
    row = ReplyRow(Request(prompt, (), SAMPLING, {}, None), model.vocabulary, reply)
    state = model.zero_state()
    while not row.draws:
        row.observe(np.zeros(0, np.float32), state)
    first, *others = prompt.open
    assert others
    logits = np.zeros(len(model.vocabulary), np.float32)
    assert row.is_limited
    assert np.isfinite(row.limited(logits)).nonzero()[0].tolist() == sorted(model.vocabulary.continuing(prompt.open))
    assert not row.take([first], state + 1)
    assert np.isfinite(row.limited(logits)).nonzero()[0].tolist() == sorted(model.vocabulary.continuing(others))
    row.end(state + 1, "cancelled")
    result = reply.result()
    assert (result.text, result.drawn, result.end) == ("", 0, result.prompt_end)
    assert result.end.open == prompt.open


def test_stop_strings_are_found_in_what_goes_on_with_the_word() -> None:
    words = vocabulary()
    with Engine("reciting", Reciting(words.encode(TALE).ids.tolist(), len(words)), words, "onnx", 4) as model:
        for stop, rest in (("there", "me "), (" there", "me"), ("e there", ""), ("named", "me there was a tiger ")):
            talk = model.conversation(sampling=engine.Sampling(stop=(stop,), length=99))
            reply = talk.say("Once upon a ti")
            read = "".join(reply)
            assert rest.startswith(read)
            assert reply.finish_reason == "stop"
            assert talk.text == "Once upon a ti" + read
            check(model, talk)


def test_what_could_stand_next_goes_on_with_the_open_word(model: Engine) -> None:
    talk = model.conversation(sampling=SAMPLING)
    talk.say("Once upon a ti", length=0)
    likely = talk.next_tokens(400)
    assert sum(share for _, share in likely) == pytest.approx(1)
    assert all(token.startswith(" ti") or token == " t" for token, _ in likely)
    assert " time" in dict(likely)
    drawn = dict(talk.next_tokens(400, engine.Sampling(top_k=2)))
    assert len(drawn) == 2
    first = talk.retry(engine.Sampling(temperature=0, length=1))
    first.result()
    assert model.vocabulary.shown(talk.turns[-1].tokens[0]) == likely[0][0]


def test_it_is_stored_exported_and_replayed(model: Engine, tmp_path: Path) -> None:
    talk = model.conversation(sampling=SAMPLING)
    talk.say("Once upon a ti")
    talk.say(" The ti", length=0)
    with engine.Store(f"sqlite:///{tmp_path / 's.db'}") as store:
        store.save(talk, "a")
        back = store.open(model, "a")
    again = replay(model, talk.export())
    assert position(back) == position(again) == position(talk)
    assert talk.settle().checkpoint.reopened > 0
    assert back.say().text == again.say().text == talk.say().text
    read = read_again(model, Texts.of(talk))
    assert read.text == talk.text


def test_an_export_of_an_earlier_version_is_written_again_as_it_was(model: Engine) -> None:
    """It reopened nothing."""
    talk = model.conversation(sampling=SAMPLING)
    prompt = read_prompt(model.vocabulary, talk.settle().checkpoint, "Once upon a ti", 0)
    assert prompt.start.reopened == 0
    reply = talk._write(talk.settle(), prompt, SAMPLING).text
    exported = json.loads(talk.export())
    for turn in exported["turns"]:
        del turn["reopened"]
    again = replay(model, json.dumps(exported))
    assert again.text == talk.text == "Once upon a ti" + reply
    assert position(again) == position(talk)


def test_other_levels_have_no_open_words(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the ca", length=0)
    assert talk.settle().checkpoint.reopened == 0
    assert len(talk.settle().checkpoint.pending) == 1


def test_a_damaged_count_is_told(model: Engine) -> None:
    talk = model.conversation(sampling=SAMPLING)
    talk.say("Once upon a ti", length=0)
    exported = json.loads(talk.export())
    for wrong in (-1, 1.5, "x"):
        exported["turns"][0]["reopened"] = wrong
        with pytest.raises(ValueError, match=r"reopened .* is no whole number"):
            replay(model, json.dumps(exported))
    exported["turns"][0]["reopened"] = 10**6  # no more than there are
    assert replay(model, json.dumps(exported)).text == "Once upon a ti"
