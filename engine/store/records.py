"""Turns as the rows of a store, and back."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sqlalchemy.engine import RowMapping

from engine.conversation.checkpoint import Checkpoint, State
from engine.conversation.conversation import Runner
from engine.conversation.tree import Kept, Snapshot, Turn
from engine.sampling import Sampling

FULL_INT, FULL_FLOAT = np.dtype("<i4"), np.dtype("<f4")


def conversation_row(state: Snapshot) -> dict[str, Any]:
    """What changes in a conversation's own row from save to save."""
    latest = latest_children(state.turns)
    elsewhere = sorted(step for step in state.forward.items() if latest[step[0]] != step[1])
    return {
        "sampling": _dump_sampling(state.sampling),
        "present": state.present,
        "forward": json.dumps(elsewhere),
    }


def latest_children(turns: Iterable[Turn]) -> dict[int, int]:
    """The way forward from each turn where nobody went back: to its latest child. `turns` in the order of their ids."""
    return {turn.parent: turn.id for turn in turns if turn.parent is not None}


def model_of(runner: Runner) -> dict[str, str]:
    """What wrote a conversation; it never changes."""
    return {"model": runner.name, "fingerprint": runner.fingerprint}


def row_of(turn: Turn) -> dict[str, Any]:
    point = turn.checkpoint
    return {
        "id": turn.id,
        "parent": turn.parent,
        "kind": turn.kind,
        "text": turn.text.encode("utf-8", "surrogatepass"),
        "tokens": np.array(turn.tokens, FULL_INT).tobytes(),
        "state": b"" if turn.kind == "start" else point.state.astype(FULL_FLOAT, copy=False).tobytes(),
        "pending": np.array(point.pending, FULL_INT).tobytes(),
        "generator": generator_of(point),
        "sampling": None if turn.sampling is None else _dump_sampling(turn.sampling),
        "finish_reason": turn.finish_reason,
        "drawn": turn.drawn,
    }


def generator_of(point: Checkpoint) -> str:
    return json.dumps([point.seed, point.key, point.offset])


def read_turn(row: RowMapping, zero_state: State, kept: Callable[[int, str], Kept]) -> Turn:
    """A turn of a row; `kept` tells where its tokens and state are, if the row has none."""
    seed, key, offset = json.loads(row["generator"])
    source: State | Callable[[], State] = zero_state
    written: tuple[int, ...] | Callable[[], tuple[int, ...]] = ()
    if row["kind"] != "start" and "state" in row:
        source, written = read_floats(row["state"]), read_whole_numbers(row["tokens"])
    elif row["kind"] != "start":
        kept_at = kept(row["id"], row["generator"])
        source, written = kept_at.state, kept_at.tokens
    checkpoint = Checkpoint(source, read_whole_numbers(row["pending"]), seed, key, offset)
    return Turn(
        row["id"],
        row["kind"],
        read_text(row["text"]),
        written,
        row["parent"],
        checkpoint,
        None if row["sampling"] is None else load_sampling(row["sampling"]),
        row["finish_reason"],
        row["drawn"],
    )


def read_floats(data: bytes) -> State:
    return np.frombuffer(data, FULL_FLOAT).astype(np.float32)


def read_whole_numbers(data: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(data, FULL_INT).tolist())


def _dump_sampling(sampling: Sampling) -> str:
    return json.dumps(dataclasses.asdict(sampling))


@functools.lru_cache(maxsize=256)  # a conversation's turns mostly have the same
def load_sampling(text: str) -> Sampling:
    return Sampling(**json.loads(text))


def read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
