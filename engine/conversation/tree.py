"""The tree of a conversation's turns. Each turn ends in a checkpoint, one of them is the present one.

Knows no model, no thread and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from engine.conversation.checkpoint import Checkpoint, FinishReason, State
from engine.sampling import Sampling

Kind = Literal["start", "prompt", "reply", "memory"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt, one reply, or one text that is remembered. `parent` is the turn before; the start has none.

    What is remembered is no part of the story: the network does not read it, the story's memory alone does.
    `written` are its tokens, or a function that reads them from the store.
    """

    id: int
    kind: Kind
    text: str
    written: tuple[int, ...] | Callable[[], tuple[int, ...]]
    parent: int | None
    checkpoint: Checkpoint
    sampling: Sampling | None = None  # of a reply
    finish_reason: FinishReason | None = None  # of a reply
    drawn: int = 0  # random numbers that a reply took; its text has fewer tokens if a stop string ended it
    begun: int = 0  # of a reply, so many of its first tokens were given, not drawn

    @property
    def tokens(self) -> tuple[int, ...]:
        """Its tokens. Raises `StoreError` if the store cannot read them."""
        return self.written if isinstance(self.written, tuple) else self.written()


class StoredTurn(Protocol):
    """Reads the larger parts of a turn from where they are stored."""

    def state(self) -> State: ...
    def tokens(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A conversation as plain data: its turns in the order of their ids, the start first, and the present one."""

    sampling: Sampling
    turns: tuple[Turn, ...]
    present: int
    forward: dict[int, int]


class Tree:
    """All turns by id, the present one, and the way forward from each: to the child last visited."""

    def __init__(self, turns: Mapping[int, Turn], present: int, forward: Mapping[int, int]) -> None:
        self.turns, self.present, self.forward = dict(turns), present, dict(forward)
        self.next_id = max(self.turns) + 1  # of the turn that is added next

    @property
    def here(self) -> Turn:
        """The present turn."""
        return self.turns[self.present]

    def turn(self, turn_id: int) -> Turn:
        """Raises `ValueError` if there is no such turn."""
        if not isinstance(turn_id, int) or turn_id not in self.turns:
            raise ValueError(f"turn_id {turn_id}: there is no such turn")
        return self.turns[turn_id]

    def path(self, turn: Turn) -> list[Turn]:
        """The turns from the start's child to `turn`."""
        branch = []
        while turn.parent is not None:
            branch.append(turn)
            turn = self.turns[turn.parent]
        return branch[::-1]

    def replies_after(self, turn: Turn) -> int:
        """How many replies were written there."""
        return sum(child.parent == turn.id and child.kind == "reply" for child in self.turns.values())

    def children(self, turn: Turn) -> int:
        """How many turns follow it."""
        return sum(child.parent == turn.id for child in self.turns.values())

    def add(
        self, kind: Kind, text: str, tokens: tuple[int, ...], parent: int, end: Checkpoint,
        sampling: Sampling | None = None, reason: FinishReason | None = None, drawn: int = 0, begun: int = 0,
    ) -> int:  # fmt: skip
        """Add a turn after `parent` and go there. Returns its id."""
        turn = Turn(self.next_id, kind, text, tokens, parent, end, sampling, reason, drawn, begun)
        self.turns[turn.id] = turn
        self.next_id += 1
        self.forward[parent] = self.present = turn.id
        return turn.id

    def back(self, n: int) -> None:
        """Go `n` turns towards the start."""
        for _ in range(n):
            self.present = self.here.parent or 0

    def ahead(self, n: int) -> None:
        """Go `n` turns forward, to the children last visited. Raises `ValueError` if there are fewer."""
        turn_id = self.present
        for step in range(n):
            if turn_id not in self.forward:
                raise ValueError(f"redo {n}: {there_are(step)} to bring back")
            turn_id = self.forward[turn_id]
        self.present = turn_id

    def go(self, turn_id: int) -> None:
        """Go to any turn. `ahead` leads there from now on."""
        self.present = self.turn(turn_id).id
        child = turn_id
        while (parent := self.turns[child].parent) is not None:
            self.forward[parent] = child
            child = parent

    def branch(self, turn: Turn) -> Tree:
        """The turns up to one, as a tree of their own. New turns get ids that are new in this one, too."""
        path = [self.turns[0], *self.path(turn)]
        tree = Tree({turn.id: turn for turn in path}, turn.id, {one.parent or 0: one.id for one in path[1:]})
        tree.next_id = self.next_id
        return tree

    def offload(self, stored: Callable[[Turn], StoredTurn], after: int) -> None:
        """Keep the present turn's state alone in memory. Other states, and tokens, are read again by `stored`.

        Turns up to the id `after` were offloaded before.
        """
        for turn in list(self.turns.values()):
            checkpoint, is_new, is_present = turn.checkpoint, turn.id > after, turn.id == self.present
            if turn.kind == "start" or not (is_new or is_present or isinstance(checkpoint.source, np.ndarray)):
                continue
            parts = stored(turn)
            checkpoint = replace(checkpoint, source=checkpoint.state if is_present else parts.state)
            self.turns[turn.id] = replace(turn, checkpoint=checkpoint, written=parts.tokens)


def there_are(turns: int) -> str:
    """So many turns, in words."""
    return "there is 1 turn" if turns == 1 else f"there are {turns} turns"


def story_turns(turns: Iterable[Turn]) -> list[Turn]:
    """The turns whose texts are the story: without what is remembered."""
    return [turn for turn in turns if turn.kind != "memory"]


def closed_tokens(turn: Turn) -> tuple[int, ...]:
    """A turn's tokens without those of an open word, which the turn after it writes again."""
    return turn.tokens[: len(turn.tokens) - turn.checkpoint.reopened]


def recent_tokens(
    turns: Mapping[int, Turn], turn: Turn, sampling: Sampling, tokens: tuple[int, ...] = (), reopened: int = 0
) -> tuple[int, ...]:
    """The last tokens up to `turn`, then `tokens`, oldest first: as many as the settings look at.

    The last `reopened` of `tokens` are left out, for they are written again.
    """
    if not (most := sampling.context):
        return ()
    recent = tokens[: len(tokens) - reopened][-most:]
    while turn.parent is not None and len(recent) < most:
        if turn.kind != "memory":
            recent = closed_tokens(turn)[-(most - len(recent)) :] + recent
        turn = turns[turn.parent]
    return recent
