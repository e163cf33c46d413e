"""A conversation with everything that a store must keep, and what two equal ones have in common."""

from __future__ import annotations

from dataclasses import replace

import engine
from engine.conversation.conversation import Conversation
from engine.serving.engine import Engine

SAMPLING = engine.Sampling(temperature=1.0, seed=2**63 + 5, length=8, stop=("zz", "é"))


def written(tiny: Engine) -> Conversation:
    """A tree with branches, a stopped reply, unseen characters and a stop string."""
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the cat é漢\0")
    talk.retry()
    talk.undo()
    talk.say("ab", sampling=replace(SAMPLING, length=3))
    talk.say("", length=10**6).stop()
    talk.goto(2)
    return talk


def same(one: Conversation, other: Conversation) -> None:
    a, b = one.snapshot(), other.snapshot()
    assert (a.sampling, a.present, a.forward) == (b.sampling, b.present, b.forward)
    for x, y in zip(a.turns, b.turns, strict=True):
        assert x.checkpoint.state.tobytes() == y.checkpoint.state.tobytes()
        assert x.tokens == y.tokens
        plain = replace(x.checkpoint, source=y.checkpoint.source)
        assert replace(x, checkpoint=plain, written=y.written) == y
