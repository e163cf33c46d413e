"""Rows that run together write what each of them writes alone."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, State
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


def test_a_long_prompt_is_fed_faster_than_others_write_and_stalls_none() -> None:
    rows_of_steps: list[int] = []

    class Recording(OnnxStep):
        def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
            rows_of_steps.append(len(ids))
            return super().__call__(ids, state)

    prompt = "the quick brown fox " * 200
    with Engine("tiny", Recording(tiny_network()), Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        written = [talk.say("ab", length=10**9) for talk in seeded(model, 40, 0)]
        reader = iter(model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40))
        text = next(reader)
        for reply in written:
            reply.stop()
        text += "".join(reader)
        assert rows_of_steps.count(41) < len(prompt)  # some of it was fed without the others,
        assert rows_of_steps.count(1) < 100 * rows_of_steps.count(41)  # who got their steps nevertheless
        assert min(len(reply.text) for reply in written) >= 40
        assert text == model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40).text
