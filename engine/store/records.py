"""Turns as rows of the store's tables, and back. Knows no connection."""

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
from engine.conversation.tree import Snapshot, StoredTurn, Turn
from engine.sampling import Sampling

INT, FLOAT = np.dtype("<i4"), np.dtype("<f4")


def conversation_row(state: Snapshot) -> dict[str, Any]:
    """The columns of a conversation that a save may change."""
    latest = latest_children(state.turns)
    elsewhere = sorted(step for step in state.forward.items() if latest[step[0]] != step[1])
    return {
        "sampling": _dump_sampling(state.sampling),
        "present": state.present,
        "forward": json.dumps(elsewhere),
    }


def latest_children(turns: Iterable[Turn]) -> dict[int, int]:
    """Each turn's latest child, to which `redo` goes by default. `turns` are in the order of their ids."""
    return {turn.parent: turn.id for turn in turns if turn.parent is not None}


def model_of(runner: Runner) -> dict[str, str]:
    """The columns that say which model wrote a conversation. They never change."""
    return {"model": runner.name, "fingerprint": runner.fingerprint}


def row_of(turn: Turn, before: Turn | None) -> dict[str, Any]:
    """A turn's columns but its conversation. `before` is the turn that it follows."""
    checkpoint = turn.checkpoint
    is_same = checkpoint.weights == (b"" if before is None else before.checkpoint.weights)
    return {
        "id": turn.id,
        "parent": turn.parent,
        "kind": turn.kind,
        "text": turn.text.encode("utf-8", "surrogatepass"),
        "tokens": np.array(turn.tokens, INT).tobytes(),
        "state": b"" if turn.kind == "start" else checkpoint.state.astype(FLOAT, copy=False).tobytes(),
        "pending": np.array(checkpoint.pending, INT).tobytes(),
        "generator": generator_of(checkpoint),
        "sampling": None if turn.sampling is None else _dump_sampling(turn.sampling),
        "finish_reason": turn.finish_reason,
        "drawn": turn.drawn,
        "begun": turn.begun,
        "reopened": checkpoint.reopened,
        "weights": None if is_same else checkpoint.weights,
    }


def generator_of(checkpoint: Checkpoint) -> str:
    """Where a checkpoint's random numbers stand, as JSON."""
    return json.dumps([checkpoint.seed, checkpoint.key, checkpoint.offset])


def read_turns(rows: Iterable[RowMapping], zero_state: State, stored: Callable[[int, str], StoredTurn]) -> list[Turn]:
    """The turns of rows, parents first. What states and tokens they lack, `stored(id, generator)` reads later."""
    turns: dict[int, Turn] = {}
    for row in rows:
        before = turns.get(row["parent"])
        turns[row["id"]] = _read_turn(row, before, zero_state, stored)
    return [*turns.values()]


def _read_turn(
    row: RowMapping, before: Turn | None, zero_state: State, stored: Callable[[int, str], StoredTurn]
) -> Turn:
    seed, key, offset = json.loads(row["generator"])
    source: State | Callable[[], State] = zero_state
    written: tuple[int, ...] | Callable[[], tuple[int, ...]] = ()
    if row["kind"] != "start" and "state" in row:
        source, written = read_floats(row["state"]), read_whole_numbers(row["tokens"])
    elif row["kind"] != "start":
        later = stored(row["id"], row["generator"])
        source, written = later.state, later.tokens
    weights = row["weights"]
    if weights is None:
        weights = b"" if before is None else before.checkpoint.weights
    pending = read_whole_numbers(row["pending"])
    checkpoint = Checkpoint(source, pending, seed, key, offset, row["reopened"], bytes(weights))
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
        row["begun"],
    )


def read_floats(data: bytes) -> State:
    return np.frombuffer(data, FLOAT).astype(np.float32)


def read_whole_numbers(data: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(data, INT).tolist())


def _dump_sampling(sampling: Sampling) -> str:
    return json.dumps(dataclasses.asdict(sampling))


@functools.lru_cache(maxsize=256)  # a conversation's turns mostly have the same
def load_sampling(text: str) -> Sampling:
    return Sampling(**json.loads(text))


def read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
