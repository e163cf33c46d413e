"""Writes an exported conversation again, byte for byte, or has another model read the texts of one. Knows no file."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from engine.conversation.checkpoint import Checkpoint, Request, Result
from engine.conversation.conversation import EXPORT_VERSION, Conversation, Runner
from engine.conversation.prompt import read_prompt
from engine.conversation.recall import Recall, typed
from engine.conversation.reply import Reply
from engine.conversation.tree import Snapshot, Tree, Turn, recent_tokens
from engine.errors import EngineError
from engine.memory.weights import Weights
from engine.sampling import Sampling, derive_key

Wait = Callable[[Reply, int], object]


@dataclass(frozen=True, slots=True)
class Texts:
    """What a conversation says: the id, parent and text of each turn, parents first, and the present turn's id.

    The turns `remembered` are no part of the story.
    """

    turns: tuple[tuple[int, int, str], ...]
    present: int
    remembered: frozenset[int] = frozenset()

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Those of a conversation; waits for a reply that is being written."""
        turns = ((turn.id, turn.parent, turn.kind, turn.text) for turn in conversation.tree)
        return cls.from_turns(turns, conversation.present)

    @classmethod
    def from_turns(cls, turns: Iterable[tuple[int, int | None, str, str]], present: int) -> Self:
        """Those of turns, each with its id, parent, kind and text; they may include the start."""
        given = [turn for turn in turns if turn[1] is not None]
        said = tuple((turn, parent or 0, text) for turn, parent, _, text in given)
        return cls(said, present, frozenset(turn for turn, _, kind, _ in given if kind == "memory"))

    def without(self, gone: Collection[int]) -> Texts:
        """Without some turns. Their children move to the nearest turn before that is left."""
        moved = {0: 0}
        for turn, parent, _ in self.turns:
            moved[turn] = moved[parent] if turn in gone else turn
        kept = tuple((turn, moved[parent], text) for turn, parent, text in self.turns if turn not in gone)
        return Texts(kept, moved[self.present], self.remembered.difference(gone))


def _wait(reply: Reply, turns: int) -> object:
    return reply.result()


def read_again(
    model: Runner, texts: Texts, sampling: Sampling | None = None, *, owner: Hashable = None, wait: Wait = _wait
) -> Conversation:
    """A conversation of these texts, on all branches, each read as a prompt by `model`. Turns keep their ids.

    `wait` gets each reply and the number of turns, and waits for the reply's end; what it raises ends the reading.
    An empty text leaves no turn, nor do words that the model drops. What was remembered, the new one remembers.
    """
    conversation = Conversation(model, sampling, owner)
    new_ids, ids = {0: 0}, {0: 0}  # from the turns' former ids to those they get here, and back
    for turn, parent, text in texts.turns:
        conversation.goto(new_ids[parent])
        if turn in texts.remembered:
            with contextlib.suppress(ValueError):  # of which this model knows nothing
                conversation.remember(text)
        else:
            wait(conversation.say(text, length=0), len(texts.turns))
        new_ids[turn] = conversation.present
        ids.setdefault(conversation.present, turn)
    conversation.goto(new_ids[texts.present])
    state = conversation.snapshot()
    turns = [
        replace(turn, id=ids[turn.id], parent=None if turn.parent is None else ids[turn.parent]) for turn in state.turns
    ]
    forward = {ids[parent]: ids[child] for parent, child in state.forward.items()}
    return Conversation.restored(model, Snapshot(state.sampling, tuple(turns), ids[state.present], forward), owner)


def replay(model: Runner, exported: str, wait: Wait = _wait) -> Conversation:
    """The conversation that `Conversation.export` was called on, written again by `model`.

    `wait` gets each reply and the number of turns, and waits for the reply's end; what it raises ends the writing.

    Raises `ValueError` if it is no export, and `EngineError` that names the first turn whose text would differ.
    """
    try:
        data = json.loads(exported.removeprefix("\ufeff"))
        if data["version"] != EXPORT_VERSION:
            raise ValueError(f"version {data['version']!r}: this program reads version {EXPORT_VERSION}")
        for row in (data, *data["turns"]):
            _check_numbers(row)
        seed = data["seed"]
        start = Turn(0, "start", "", (), None, Checkpoint(model.zero_state(), (), seed, derive_key(seed), 0))
        turns, recall = {0: start}, Recall(model.memory, len(model.vocabulary))
        for row in data["turns"]:
            if row["id"] <= max(turns):  # else a turn could be its own parent
                raise ValueError(f"exported: turn {row['id']} stands after turn {max(turns)}")
            turn = _write_again(model, turns, row, recall, lambda reply: wait(reply, len(data["turns"])))
            if turn.text != row["text"]:
                raise EngineError(_difference(model, data, turn, row["text"]))
            turns[turn.id] = turn
        forward = {turn.parent: turn.id for turn in turns.values() if turn.parent is not None}
        turn_id: int | None = data["present"]
        while turn_id is not None and (parent := turns[turn_id].parent) is not None:
            forward[parent], turn_id = turn_id, parent
        snapshot = Snapshot(_sampling(data["sampling"]), tuple(turns.values()), data["present"], forward)
        return Conversation.restored(model, snapshot)
    except KeyError as error:
        raise ValueError(f"exported: is no conversation: {error} is missing") from None
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"exported: is no conversation: a value in it is of the wrong kind ({error})") from None


def _write_again(
    model: Runner, turns: dict[int, Turn], row: dict[str, Any], recall: Recall, wait: Callable[[Reply], object]
) -> Turn:
    before = turns[row["parent"]]
    begin = replace(before.checkpoint, seed=row["seed"], key=row["key"], offset=row["place"])
    if row["kind"] == "memory":
        tokens = tuple(model.vocabulary.encode(row["text"]).ids.tolist())
        return Turn(row["id"], "memory", row["text"], tokens, before.id, begin)
    if row["kind"] == "prompt":
        reopened = row.get("reopened", 0)  # earlier versions reopened nothing
        prompt = read_prompt(model.vocabulary, begin, row["text"], reopened)
        settled, unfed = prompt.start.settled, row.get("unfed", 0)  # earlier versions fed it all
        if unfed >= len(settled):
            raise ValueError(f"exported: unfed {unfed!r}: turn {row['id']} has {len(settled)} tokens")
        fed, rest = settled[: len(settled) - unfed], settled[len(settled) - unfed :]
        begun = replace(prompt.start, pending=fed + (() if unfed else prompt.start.open))
        begun = replace(begun, reopened=0 if unfed else prompt.start.reopened)
        end = _run(model, Request(begun, (), Sampling(length=0), {}, object()), wait).end
        if unfed:
            pending = end.pending + rest + prompt.start.open
            end = replace(end, pending=pending, reopened=prompt.start.reopened)
        if "weights" in row:
            end = replace(end, weights=_weights(row["weights"]))
        return Turn(row["id"], "prompt", row["text"], prompt.tokens, before.id, end)
    sampling = _sampling(row["sampling"])
    given = _tokens(model, row.get("begun", []))
    settings = replace(sampling, length=max(0, row["drawn"] - len(given)), end="any")  # wherever it ended
    path = Tree(turns, before.id, {}).path(before)
    memory, recent = recall.at(path, sampling.memory), recent_tokens(turns, before, sampling)
    result = _run(model, Request(begin, recent, settings, {}, object(), memory, typed(path), given), wait)
    return Turn(
        row["id"], "reply", result.text, result.tokens, before.id, result.end, sampling, row["finish_reason"],
        row["drawn"], len(given),
    )  # fmt: skip


def _run(model: Runner, request: Request, wait: Callable[[Reply], object]) -> Result:
    reply = model.run(request)
    wait(reply)
    return reply.result()


def _weights(text: Any) -> bytes:
    """The memory's weights in an export, checked."""
    try:
        packed = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise ValueError("exported: weights: are damaged") from None
    Weights.unpacked(packed)
    return packed


def _tokens(model: Runner, given: Any) -> tuple[int, ...]:
    """Tokens in an export, checked."""
    if not isinstance(given, list) or not all(type(one) is int and 0 <= one < len(model.vocabulary) for one in given):
        raise ValueError(f"exported: begun {given!r}: must be tokens of the model")
    return tuple(given)


def _check_numbers(row: dict[str, Any]) -> None:
    """Raises `ValueError` for a number that is not whole or too large: the engine could not go on from it."""
    for name in ("seed", "key", "place", "drawn", "id", "parent", "reopened", "unfed"):
        bits = 64 if name in ("seed", "key") else 53
        if name in row and not (isinstance(row[name], int) and 0 <= row[name] < 1 << bits):
            raise ValueError(f"exported: {name} {row[name]!r} is no whole number")


def _sampling(data: dict[str, Any]) -> Sampling:
    return Sampling(**data)


def _difference(model: Runner, data: dict[str, Any], turn: Turn, text: str) -> str:
    same = next(
        (n for n, (a, b) in enumerate(zip(turn.text, text, strict=False)) if a != b), min(len(turn.text), len(text))
    )
    why = ""
    if data["fingerprint"] != model.fingerprint:
        why = f"; it was written with other weights ({data['model']})"
    elif (precision := data.get("precision", model.precision)) != model.precision:
        why = f"; it was written with --precision {precision}"
    return f"turn {turn.id} would be another text after its first {same} characters{why}"
