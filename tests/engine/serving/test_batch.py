"""Rows that run together write what each of them writes alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import engine
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, State
from engine.sampling import Draws
from engine.serving.engine import Engine
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import KINDS, seeded
from tests.networks import LETTERS, tiny_network


@pytest.mark.parametrize("kinds", [KINDS, KINDS[:-1]], ids=["with stop strings", "without"])
def test_one_seed_gives_one_text_alone_and_with_63_neighbors(tiny: Engine, kinds: list[dict[str, Any]]) -> None:
    prompts = ["abc"[: 1 + n % 3] * (1 + n % 7) for n in range(64)]
    together = [talk.say(prompt) for talk, prompt in zip(seeded(tiny, 64, 90, kinds), prompts, strict=True)]
    batched = [reply.text for reply in together]
    alone = [talk.say(prompt).text for talk, prompt in zip(seeded(tiny, 64, 90, kinds), prompts, strict=True)]
    assert batched == alone


class Recording(OnnxStep):
    """Keeps what it was asked for: the rows of each call, and how many tokens each of them read or wrote."""

    def __init__(self) -> None:
        super().__init__(tiny_network())
        self.read_calls: list[tuple[int, int]] = []
        self.write_calls: list[tuple[int, int]] = []

    def read(self, ids: Ids, state: State, begin: int = 0) -> tuple[Logits, State]:
        self.read_calls.append((ids.shape[1], ids.shape[0]))
        return super().read(ids, state, begin)

    def write(self, ids: Ids, state: State, draws: Draws) -> tuple[Ids, State]:
        self.write_calls.append((len(ids), len(draws.numbers)))
        return super().write(ids, state, draws)


def test_a_long_prompt_is_read_in_large_parts_and_stalls_none() -> None:
    step, prompt = Recording(), "the quick brown fox " * 2000
    with Engine("tiny", step, Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        written = [talk.say("ab", length=10**9) for talk in seeded(model, 40, 0)]
        reader = iter(model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40))
        text = next(reader)
        for reply in written:
            reply.stop()
        text += "".join(reader)
        assert len(step.read_calls) < len(prompt) / 50
        assert min(len(reply.text) for reply in written) >= 40  # they got their steps nevertheless
        assert text == model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40).text


def test_several_prompts_are_read_together() -> None:
    step = Recording()
    with Engine("tiny", step, Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        blocked = model.conversation().say("ab" * 20_000, length=1)  # while it is read, the others come in
        talks = seeded(model, 5, 20)
        texts = [reply.text for reply in [talk.say("the fox and the hound " * 50) for talk in talks]]
        assert blocked.text
        assert max(rows for rows, _ in step.read_calls) >= 5
        assert texts == [talk.say("the fox and the hound " * 50).text for talk in seeded(model, 5, 20)]


def test_the_first_token_comes_alone_and_the_others_in_growing_numbers() -> None:
    step = Recording()
    with Engine("tiny", step, Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        text = model.conversation(sampling=engine.Sampling(seed=1)).say("ab", length=200).text
    lengths = [length for _, length in step.write_calls]
    assert lengths[0] == 1
    assert sum(lengths) == len(text) == 200
    assert max(lengths) > 4
    assert all(later <= 2 * one for one, later in itertools.pairwise(lengths))


def test_a_reply_that_is_stopped_goes_on_as_if_it_had_not_been() -> None:
    with Engine("tiny", Recording(), Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        whole = model.conversation(sampling=engine.Sampling(seed=3)).say("ab", length=30_000).text
        talk = model.conversation(sampling=engine.Sampling(seed=3))
        reply = talk.say("ab", length=30_000)
        next(iter(reply))
        reply.stop()
        begun = reply.text
        assert len(begun) < 30_000
        assert begun + talk.say(length=30_000 - len(begun)).text == whole
