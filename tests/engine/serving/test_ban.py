"""Phrases that never appear: the reply goes back to where one began, and takes another token there."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import engine
from engine.sampling import Sampler, derive_key, uniforms
from engine.serving.engine import Engine
from tests.engine.conversations import LEVEL_SAMPLING, check
from tests.networks import LETTERS, tiny_engine


def phrases(text: str, count: int, seed: int = 1) -> tuple[str, ...]:
    """Some pieces of a text."""
    chosen = random.Random(seed)
    return tuple(
        {text[at : at + chosen.randint(1, 3)] for at in (chosen.randrange(len(text) - 3) for _ in range(count))}
    )


def banned(model: Engine, seed: int = 5, count: int = 6, **others: object) -> engine.Sampling:
    """Settings that ban some of what would be written."""
    free = model.conversation(sampling=replace(LEVEL_SAMPLING, seed=seed, length=80)).say("\n").text
    found = tuple(one for one in phrases(free, count, seed) if "\ufffd" not in one)
    return replace(LEVEL_SAMPLING, seed=seed, ban=found, **others)  # type: ignore[arg-type]


def reference(model: Engine, sampling: engine.Sampling, length: int) -> str:
    """What a reply of characters after a line end is, by the book: every text is looked through from its beginning."""
    key, sampler = derive_key(sampling.seed or 0), Sampler([sampling])
    text, refused, final = "\n", [set[int](), set[int]()], 1  # so many characters no phrase can begin in
    states = [model.zero_state()[None]] * 2
    while final <= length:
        logits, state = model._step_function(np.array([LETTERS.index(text[-1])], np.int32), states[-1])
        logits = logits.copy()
        logits[0, list(refused[-1])] = -np.inf
        if not np.isfinite(logits).any():
            return text[1:final]
        token = int(sampler(logits, uniforms(key, len(text) - 1, 1), [[]])[0])
        text += LETTERS[token]
        states.append(state)
        refused.append(set())
        if found := [len(text) - len(one) for one in sampling.ban if text.endswith(one)]:
            place = max(final, min(found))
            refused[place].add(LETTERS.index(text[place]))
            text = text[:place]
            del states[place + 1 :], refused[place + 1 :]
        else:
            begun = [n for n in range(1, len(text) + 1) for one in sampling.ban if one.startswith(text[-n:])]
            final = max(final, len(text) - max(begun, default=0))
    return text[1 : length + 1]


def test_a_reply_is_what_the_book_says(tiny: Engine) -> None:
    changed = 0
    for seed in range(12):
        sampling = banned(tiny, seed)
        expected = reference(tiny, sampling, 40)
        talk = tiny.conversation(sampling=sampling)
        reply = talk.say("\n")
        assert "".join(reply) == reply.text == expected
        assert reply.finish_reason == "length"
        check(tiny, talk)
        changed += expected != tiny.conversation(sampling=replace(sampling, ban=())).say("\n").text
    assert changed == 12


def test_no_phrase_appears_and_nothing_else_changes(model: Engine) -> None:
    for seed in range(8):
        sampling = banned(model, seed, length=60)
        talk = model.conversation(sampling=sampling)
        reply = talk.say("\n")
        pieces = list(reply)
        assert "".join(pieces) == reply.text
        assert "" not in pieces
        assert not [one for one in sampling.ban if one in reply.text]
        assert len(talk.turns[-1].tokens) == talk.turns[-1].drawn
        assert len(talk.turns[-1].tokens) == 60 or model.info.level == "bpe"
        check(model, talk)
        free = model.conversation(sampling=replace(sampling, ban=("zz~zz",)))
        assert free.say("\n").text == model.conversation(sampling=replace(sampling, ban=())).say("\n").text


@pytest.mark.parametrize("memory", ["off", "mine", "all"])
def test_stopped_anywhere_and_gone_on_with_is_the_text_of_one_that_was_not(model: Engine, memory: str) -> None:
    for seed in range(4):
        sampling = banned(model, seed, length=70, memory=memory)
        whole = model.conversation(sampling=sampling).say("\n").text
        for parts in ([1] * 30, [7, 13, 2, 9], [31, 30]):
            talk = model.conversation(sampling=sampling)
            read = talk.say("\n", length=parts[0]).text
            for part in parts[1:]:
                talk.undo()
                talk.redo()
                read += talk.say(length=part).text
                check(model, talk)
            common = min(len(read), len(whole))
            assert common >= 10
            assert read[:common] == whole[:common]


def test_a_cancelled_reply_ends_before_what_may_become_a_phrase(model: Engine) -> None:
    for seed in range(8):
        sampling = banned(model, seed, length=10**6)
        talk = model.conversation(sampling=sampling)
        reply = talk.say("\n")
        read = ""
        for piece in reply:
            read += piece
            if len(read) > 20 + 7 * seed:
                reply.stop()
        assert reply.finish_reason == "cancelled"
        assert read == reply.text
        check(model, talk)
        longer = replace(sampling, length=len(talk.tree[-1].tokens) + 30)
        unstopped = model.conversation(sampling=longer).say("\n").text
        assert (read + talk.say(length=20).text)[: len(unstopped)] == unstopped[: len(read) + 20][: len(unstopped)] or (
            model.info.level != "char" and unstopped.startswith(read + talk.turns[-1].text)
        )


def test_the_same_words_in_a_batch_over_a_store_and_in_a_replay(model: Engine, tmp_path: Path) -> None:
    kinds = [
        banned(model, seed, length=20 + seed, memory=memory, end=end, stop=stop, temperature=temperature)
        for seed, (memory, end, stop, temperature) in enumerate(
            itertools.product(("off", "all"), ("any", "word"), ((), ("zz", "\n")), (0, 1))
        )
    ]  # fmt: skip
    together = [model.conversation(sampling=kind) for kind in kinds]
    replies = [talk.say("\n") for talk in together]
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        for number, (talk, reply, kind) in enumerate(zip(together, replies, kinds, strict=True)):
            alone = model.conversation(sampling=kind)
            assert alone.say("\n").text == reply.text
            assert alone.turns[-1].drawn == talk.turns[-1].drawn
            store.save(talk, str(number))
            opened = store.open(model, str(number))
            assert opened.turns[-1].sampling == kind
            again = engine.replay(model, talk.export())
            assert [turn.text for turn in again.turns] == [turn.text for turn in talk.turns]
            expected = talk.say().text
            assert opened.say().text == again.say().text == alone.say().text == expected
            assert talk.retry().text == opened.retry().text


def test_a_full_batch_writes_what_each_writes_alone(tiny: Engine) -> None:
    kinds = [banned(tiny, seed, length=30) if seed % 3 else replace(LEVEL_SAMPLING, seed=seed) for seed in range(64)]
    replies = [tiny.conversation(sampling=kind).say("\n") for kind in kinds]
    together = [reply.text for reply in replies]
    assert together == [tiny.conversation(sampling=kind).say("\n").text for kind in kinds]


def test_where_every_token_is_banned_the_reply_ends(model: Engine) -> None:
    every = tuple({model.vocabulary.shown(one) for one in range(len(model.vocabulary))})
    if model.info.level == "bpe":
        every = tuple(map(chr, [*range(1, 13), *range(14, 0x250)]))
    talk = model.conversation(sampling=replace(LEVEL_SAMPLING, ban=every))
    talk.say("\n", length=0)
    reply = talk.say()
    if model.info.level != "bpe":  # bytes can always write another character
        assert (reply.text, reply.finish_reason) == ("", "stop")
        assert talk.turns[-1].kind == "prompt"
    assert not [one for one in every if one in reply.text]


def test_a_reply_ends_in_what_it_could_write_before_it_was_stuck(tiny: Engine) -> None:
    """After a full stop every letter is banned."""
    ban = tuple(f".{letter}" for letter in LETTERS) + tuple(letter for letter in LETTERS if letter not in ".a")
    talk = tiny.conversation(sampling=replace(LEVEL_SAMPLING, ban=ban))
    reply = talk.say("\n", length=30)
    assert set(reply.text) <= {"a"}
    check(tiny, talk)
    once = replace(LEVEL_SAMPLING, ban=("aaa", *(letter for letter in LETTERS if letter != "a")))
    reply = talk.say("\n", sampling=once)
    assert (reply.text, reply.finish_reason) == ("", "stop")


def test_a_phrase_that_began_before_the_reply_is_not_ended_in_it(model: Engine) -> None:
    """Its first token is not the reply's to change, so the reply takes another one of its own."""
    for text in ("\n", "the king", *(["once upon a ti"] if model.info.level != "word" else [])):
        free = model.conversation(sampling=LEVEL_SAMPLING)
        free.say(text).result()
        for before, after in ((1, 1), (2, 1), (2, 3)):
            told = free.turns[0].text
            phrase = told[-before:] + free.turns[-1].text[:after]
            if "\ufffd" in phrase:
                continue
            talk = model.conversation(sampling=replace(LEVEL_SAMPLING, ban=(phrase,)))
            reply = talk.say(text)
            assert phrase not in told[-before:] + reply.text
            assert reply.text[:1] != free.turns[-1].text[:1] or after > 1
            check(model, talk)


def test_a_branch_may_write_what_is_banned_and_its_reply_may_not(model: Engine) -> None:
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    talk.say("\n").result()
    turn = talk.turns[-1]
    sampling = banned(model)
    reply = talk.branch(turn.id, 20, turn.tokens[20], length=40, sampling=sampling)
    given_text = "".join(place.text for place in talk.walk(turn.id)[:21])
    assert reply.text.startswith(given_text.rstrip("\ufffd"))
    assert not [one for one in sampling.ban if one in reply.text[len(given_text) :]]
    check(model, talk)
    again = engine.replay(model, talk.export())
    assert again.text == talk.text


@given(st.integers(0, 10**6), st.lists(st.text(LETTERS, min_size=1, max_size=3), min_size=1, max_size=12))
@hypothesis_settings(deadline=None, max_examples=40)
def test_any_phrases(seed: int, ban: list[str]) -> None:
    model = _model()
    sampling = replace(LEVEL_SAMPLING, seed=seed, ban=tuple(ban), length=25)
    reply = model.conversation(sampling=sampling).say("\n")
    assert reply.text == reference(model, sampling, 25)
    assert reply.finish_reason == ("length" if len(reply.text) == 25 else "stop")


_MADE: list[Engine] = []


def _model() -> Engine:
    if not _MADE:
        _MADE.append(tiny_engine())
    return _MADE[0]
