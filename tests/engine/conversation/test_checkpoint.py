"""A checkpoint is a value."""

from __future__ import annotations

import numpy as np

import engine
from engine.serving.engine import Engine

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12)


def test_checkpoints_are_values(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("ab")
    states = [turn.checkpoint.state for turn in talk.tree]
    copies = [state.copy() for state in states]
    talk.say("cd", length=100)
    assert talk.text
    assert all(np.array_equal(a, b) for a, b in zip(states, copies, strict=True))
