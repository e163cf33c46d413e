"""What is wanted more or less, and what would repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.sampling import Sampling
from engine.serving.engine import Engine
from engine.serving.shaping import MAX_LENGTH, Bias, Shaping, repetitions, utf8
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import LEVEL_SAMPLING, check
from tests.networks import LETTERS, level_vocabulary

CHARACTERS = Vocabulary(tuple(LETTERS))
NO_BREAKERS = np.zeros(len(LETTERS), np.bool_)


def by_the_book(tokens: list[int], is_breaker: list[bool]) -> dict[int, int]:
    found: dict[int, int] = {}
    if not tokens or is_breaker[tokens[-1]]:
        return found
    for place in range(1, len(tokens)):
        if is_breaker[tokens[place]]:
            continue
        length = 0
        while (
            length < min(place, MAX_LENGTH)
            and tokens[place - 1 - length] == tokens[-1 - length]
            and not is_breaker[tokens[-1 - length]]
        ):
            length += 1
        if length:
            found[tokens[place]] = max(length, found.get(tokens[place], 0))
    return found


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.booleans(), min_size=4, max_size=4))
def test_repetitions_are_those_that_a_search_finds(tokens: list[int], is_breaker: list[bool]) -> None:
    assert repetitions(np.array(tokens, np.int32), np.array(is_breaker)) == by_the_book(tokens, is_breaker)


def test_the_penalty_is_the_formulas() -> None:
    """multiplier * base ** (length - allowed length), from the allowed length on."""
    text = "the cat sat on the m"
    tokens = CHARACTERS.encode(text).ids.tolist()
    logits = np.zeros(len(LETTERS), np.float32)
    for allowed in range(1, 8):
        sampling = Sampling(dry_multiplier=0.8, dry_base=2.0, dry_allowed_length=allowed)
        shaped = Shaping(CHARACTERS, sampling)(logits, tokens[:6], tokens[6:-1])
        expected = logits.copy()
        if allowed <= 4:  # "the " stood before, with "c" after it
            expected[LETTERS.index("c")] = -0.8 * 2.0 ** (4 - allowed)
        if allowed <= 1:
            expected[LETTERS.index("s")] = expected[LETTERS.index("o")] = expected[LETTERS.index("t")] = -0.8
        assert shaped == pytest.approx(expected)
    assert not logits.any()
    plain = Shaping(CHARACTERS, Sampling(dry_multiplier=0.8))
    assert not plain(logits, (), tokens).any()  # 12 characters are free
    assert plain(logits, (), tokens * 2 + tokens[:13])[tokens[13]] < -0.8
    colon = CHARACTERS.encode("the cat sat: on the cat sat:").ids.tolist()
    assert not Shaping(CHARACTERS, Sampling(dry_multiplier=0.8, dry_allowed_length=1))(logits, (), colon).any()


def test_going_back_forgets_what_was_taken_back() -> None:
    tokens = CHARACTERS.encode("a b a c a d a b a").ids.tolist()
    sampling = Sampling(dry_multiplier=1.0, dry_allowed_length=2)
    kept, logits = Shaping(CHARACTERS, sampling), np.zeros(len(LETTERS), np.float32)
    others = [*tokens[:9], *tokens[3:9]]
    for written in [*(tokens[:n] for n in range(5, 17)), *(others[:n] for n in range(9, 15)), tokens[:3], tokens[:4]]:
        afresh = Shaping(CHARACTERS, sampling)(logits, tokens, written)
        assert np.array_equal(kept(logits, tokens, written), afresh)


def biased(vocabulary: Vocabulary, text: str, amount: float, written: str) -> set[str]:
    ids = vocabulary.encode(written).ids.tolist()
    bias = Bias(vocabulary, text, amount)
    found = bias.tokens(utf8(vocabulary, ids), ids[-1] if ids else None)
    return {vocabulary.shown(one, ids[-1] if ids else None) for one in found}


def test_a_bias_is_for_what_makes_a_text_whole_or_goes_on_with_it() -> None:
    assert biased(CHARACTERS, "k", 2, "the ") == {"k"}
    assert biased(CHARACTERS, "king", 2, "the ") == set()
    assert biased(CHARACTERS, "king", 2, "the k") == {"i"}
    assert biased(CHARACTERS, "king", 2, "the kin") == {"g"}
    assert biased(CHARACTERS, "king", -2, "the k") == set()
    assert biased(CHARACTERS, "king", -2, "the kin") == {"g"}
    assert biased(CHARACTERS, "aab", 1, "aaa") == {"b"}
    words = level_vocabulary("word")
    assert biased(words, "king", 1, "the") == {" king", " king's"}
    assert biased(words, "the king", 1, "said") == {" the"}
    assert biased(words, "the king", 1, "said the") == {" king", " king's"}
    assert biased(words, "the king", -1, "said") == set()
    pairs = level_vocabulary("bpe")
    parts = [pairs.shown(one) for one in pairs.encode("犬").ids]
    assert biased(pairs, "sai", 1, "x") == {"sai", " sai"}
    assert biased(pairs, "犬", 1, "x") == {parts[0]}
    begun = [*pairs.encode("x").ids.tolist(), *pairs.encode("犬").ids.tolist()[:-1]]
    assert pairs.encode("犬").ids.tolist()[-1] in Bias(pairs, "犬", 1).tokens(utf8(pairs, begun), begun[-1])


def test_biases_add_up_and_nothing_else_moves() -> None:
    logits = np.arange(len(LETTERS), dtype=np.float32)
    shaped = Shaping(CHARACTERS, Sampling(bias=("a=+2", "a=0.5", "b=-3")))(
        logits, (), CHARACTERS.encode("x").ids.tolist()
    )
    moved = {LETTERS[index]: float(shaped[index] - logits[index]) for index in np.flatnonzero(shaped != logits)}
    assert moved == {"a": 2.5, "b": -3.0}


KINDS = [
    {"bias": ("e=+3", "the=-5")}, {"bias": ("\n=-100",), "ban": ("e",)},
    {"dry_multiplier": 0.8, "dry_allowed_length": 2},
    {"dry_multiplier": 2.0, "dry_allowed_length": 1, "repetition_penalty": 1.3, "ban": ("a", "he")},
    {"xtc_probability": 0.5}, {"xtc_probability": 1.0, "dry_multiplier": 1.0, "memory": "all", "end": "word"},
]  # fmt: skip


def test_shaped_replies_are_exact(model: Engine) -> None:
    settings = [replace(LEVEL_SAMPLING, seed=seed, **kind) for seed in range(2) for kind in KINDS]  # type: ignore[arg-type]
    talks = [model.conversation(sampling=sampling) for sampling in settings]
    replies = [talk.say("\n") for talk in talks]
    changed = 0
    for talk, reply, sampling in zip(talks, replies, settings, strict=True):
        alone = model.conversation(sampling=sampling)
        assert alone.say("\n").text == reply.text
        check(model, talk)
        parts = model.conversation(sampling=sampling)
        read = parts.say("\n", length=9, sampling=replace(sampling, end="any")).text
        while len(parts.text) <= len(reply.text):
            read += parts.say(length=9, sampling=replace(sampling, end="any")).text
        assert read.startswith(reply.text)
        talk.undo()
        talk.redo()
        again = engine.replay(model, talk.export())
        assert again.text == talk.text
        assert talk.say().text == again.say().text == alone.say().text
        free = replace(LEVEL_SAMPLING, seed=sampling.seed, length=60)
        changed += not model.conversation(sampling=free).say("\n").text.startswith(reply.text)
    assert changed >= len(settings) - 3


def test_what_is_off_changes_nothing(model: Engine) -> None:
    off = replace(LEVEL_SAMPLING, dry_base=3.0, dry_allowed_length=1, xtc_threshold=0.3)
    assert model.conversation(sampling=off).say("\n").text == model.conversation(sampling=LEVEL_SAMPLING).say("\n").text
    never = replace(LEVEL_SAMPLING, xtc_probability=1.0, xtc_threshold=0.6)
    assert (
        model.conversation(sampling=never).say("\n").text == model.conversation(sampling=LEVEL_SAMPLING).say("\n").text
    )


def test_what_is_likely_next_has_these_settings_in_it(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=LEVEL_SAMPLING)
    talk.say("the cat the c", length=0).result()
    size = len(tiny.vocabulary)
    plain = dict(talk.next_tokens(size, LEVEL_SAMPLING))
    likelier = dict(talk.next_tokens(size, replace(LEVEL_SAMPLING, bias=("cat=+2",))))
    assert likelier["a"] / likelier["e"] == pytest.approx(plain["a"] / plain["e"] * np.exp(2))
    rarer = dict(
        talk.next_tokens(size, replace(LEVEL_SAMPLING, dry_multiplier=1.0, dry_base=2.0, dry_allowed_length=3))
    )
    assert rarer["a"] / rarer["e"] == pytest.approx(plain["a"] / plain["e"] * np.exp(-4))
