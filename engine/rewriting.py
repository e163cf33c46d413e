"""Writes an exported conversation again: the same seeds, prompts and settings give the same text, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.checkpoint import Checkpoint, Request, Result
from engine.conversation import EXPORT_VERSION, Conversation, Runner, Snapshot, Turn, recent_tokens
from engine.errors import EngineError
from engine.reply import Reply
from engine.sampling import Sampling, derive_key

Wait = Callable[[Reply, int], object]


def replay(model: Runner, exported: str, wait: Wait = lambda reply, turns: reply.result()) -> Conversation:
    """The conversation that `Conversation.export` was asked of, written anew by `model`.

    `wait` is given each reply and how many turns there are, and waits for its end; what it raises ends it all.

    Raises `ValueError` if it is no export, and `EngineError` that names the first turn whose text would be another.
    """
    try:
        data = json.loads(exported)
        if data["version"] != EXPORT_VERSION:
            raise ValueError(f"version {data['version']!r}: this program reads version {EXPORT_VERSION}")
        seed = int(data["seed"])
        start = Turn(0, "start", "", (), None, Checkpoint(model.zero_state(), (), seed, derive_key(seed), 0))
        turns = {0: start}
        for row in data["turns"]:
            turn = _write_again(model, turns, row, lambda reply: wait(reply, len(data["turns"])))
            if turn.text != row["text"]:
                raise EngineError(_difference(model, data, turn, row["text"]))
            turns[turn.id] = turn
        forward = {turn.parent: turn.id for turn in turns.values() if turn.parent is not None}
        place: int | None = int(data["present"])
        while place is not None and (parent := turns[place].parent) is not None:
            forward[parent], place = place, parent
        snapshot = Snapshot(_sampling(data["sampling"]), tuple(turns.values()), int(data["present"]), forward)
        return Conversation.restored(model, snapshot)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"exported: is no conversation ({type(error).__name__}: {error})") from None


def _write_again(model: Runner, turns: dict[int, Turn], row: dict[str, Any], wait: Callable[[Reply], object]) -> Turn:
    before = turns[row["parent"]]
    begin = replace(before.checkpoint, seed=row["seed"], key=row["key"], place=row["place"])
    if row["kind"] == "prompt":
        tokens = tuple(model.encode(row["text"], begin.pending[-1] if begin.pending else None).ids.tolist())
        end = _run(model, replace(begin, pending=begin.pending + tokens), (), Sampling(length=0), wait).end
        return Turn(row["id"], "prompt", row["text"], tokens, before.id, end)
    sampling = _sampling(row["sampling"])
    result = _run(model, begin, recent_tokens(turns, before, sampling), replace(sampling, length=row["drawn"]), wait)
    return Turn(
        row["id"], "reply", result.text, result.tokens, before.id, result.end, sampling, row["finish_reason"],
        row["drawn"],
    )  # fmt: skip


def _run(
    model: Runner, begin: Checkpoint, recent: tuple[int, ...], sampling: Sampling, wait: Callable[[Reply], object]
) -> Result:
    reply = model.run(Request(begin, recent, sampling, {}, object()))
    wait(reply)
    return reply.result()


def _sampling(data: dict[str, Any]) -> Sampling:
    return Sampling(**data)


def _difference(model: Runner, data: dict[str, Any], turn: Turn, text: str) -> str:
    same = next(
        (n for n, (a, b) in enumerate(zip(turn.text, text, strict=False)) if a != b), min(len(turn.text), len(text))
    )
    why = "" if data["fingerprint"] == model.fingerprint else f"; it was written with other weights ({data['model']})"
    return f"turn {turn.id} would be another text after its first {same} characters{why}"
