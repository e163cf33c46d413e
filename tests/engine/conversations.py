"""Conversations that tests run side by side, and what they check of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import engine
from engine.conversation.conversation import Conversation
from engine.conversation.tree import closed_tokens
from engine.serving.engine import Engine

KINDS: list[dict[str, Any]] = [
    {}, {"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.1}, {"temperature": 0.0}, {"repetition_penalty": 1.5},
    {"stop": ("zzzz",)}, {"memory": "all"}, {"memory": "mine", "stop": ("zzzz",)},
    {"ban": ("e", "th", " a")}, {"ban": ("e", ":"), "memory": "all", "temperature": 0.0}, {"end": "word"},
]  # fmt: skip


def seeded(
    model: Engine, count: int, length: int, kinds: Sequence[dict[str, Any]] = KINDS
) -> list[engine.Conversation]:
    return [
        model.conversation(sampling=engine.Sampling(seed=seed, length=length + seed % 5, **kinds[seed % len(kinds)]))
        for seed in range(count)
    ]


LEVEL_SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=40)
PROMPT = {"char": "the cat é漢", "word": "the king's  queen", "bpe": "吾輩は cat"}


def tokens_read(talk: engine.Conversation) -> list[int]:
    """Those of the present branch; a word that stayed open is written by the turn after it."""
    *earlier, last = talk.turns
    return [*(token for turn in earlier for token in closed_tokens(turn)), *last.tokens]


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


def position(talk: Conversation) -> tuple[Any, ...]:
    """All that decides what comes next."""
    checkpoint = talk.settle().checkpoint
    numbers = checkpoint.seed, checkpoint.key, checkpoint.offset, checkpoint.weights
    return checkpoint.state.tobytes(), checkpoint.pending, checkpoint.reopened, *numbers
