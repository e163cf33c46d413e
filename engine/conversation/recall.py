"""Keeps a conversation's memory at hand and moves it about the tree. Knows no network.

What a memory knows is a function of the path to a turn, so it could be made afresh for every reply. Moving it costs
what lies between two places instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import numpy as np

from engine.conversation.tree import Turn, closed_tokens, story_turns
from engine.memory.counts import Index
from engine.memory.memory import Memory

_shared: WeakValueDictionary[tuple[int, bytes], Index] = WeakValueDictionary()  # of texts, while anybody has them


class Recall:
    """The memory of a conversation, at the place that was asked for last.

    `begun` makes one that knows some texts; the vocabulary has this size.
    """

    def __init__(self, begun: Callable[[Index | None], Memory], vocabulary_size: int) -> None:
        self._begun, self._vocabulary_size = begun, vocabulary_size
        self._indexes: dict[int, Index] = {}  # of the remembered texts, by turn
        self._memory: Memory | None = None
        self._kind: tuple[str, tuple[int, ...]] = "", ()  # what it counts: which turns, and which remembered texts
        self._path: list[tuple[int, int]] = []  # the turns that it surely knows, and how many tokens it had after each

    def read(self, turn: int, tokens: Sequence[int], tell: Callable[[float], None] | None = None) -> None:
        """Count a text that is remembered as a turn. Conversations that remember the same share the counts."""
        ids, size = np.array(tokens, np.int32), self._vocabulary_size
        key = size, hashlib.sha256(ids.data).digest()
        index = _shared.get(key)
        if index is None:
            index = _shared[key] = Index.of(size, [(ids, None)], tell)
        self._indexes[turn] = index

    def at(self, path: Sequence[Turn], mode: str) -> Memory | None:
        """The memory at the end of a path, but for its pending tokens from the second on, which are still to be fed.

        `mode` is `Sampling.memory`: with "off" there is none. The caller may go on with it; the next call finds its way
        back.
        """
        if mode == "off":
            return None
        try:
            return self._moved(path, mode)
        except BaseException:  # the store may fail, or Ctrl-C come in between
            self.forget()
            raise

    def _moved(self, path: Sequence[Turn], mode: str) -> Memory:
        kind = mode, tuple(turn.id for turn in path if turn.kind == "memory")
        if self._memory is None or kind != self._kind:
            self._memory, self._kind, self._path = self._begun(self._remembered(path)), kind, []
        memory, turns = self._memory, story_turns(path)
        same = 0
        while same < min(len(turns), len(self._path)) and self._path[same][0] == turns[same].id:
            same += 1
        del self._path[same:]
        missing: list[tuple[Sequence[int], bool]] = []
        for turn in turns[same:]:
            known, tokens = self._path[-1][1] if self._path else 0, closed_tokens(turn)
            is_counted = turn.kind == "prompt" or mode == "all"
            if missing or not memory.has(known, tokens, is_counted=is_counted):
                if not missing:
                    memory.rewind(known)
                missing.append((tokens, is_counted))
            self._path.append((turn.id, known + len(tokens)))
        memory.extend(missing)
        known = self._path[-1][1] if self._path else 0
        if path:
            known -= max(0, len(path[-1].checkpoint.settled) - 1)
        memory.weights = path[-1].checkpoint.weights if path else b""
        memory.rewind(known)
        while self._path and self._path[-1][1] > known:
            self._path.pop()
        return memory

    def forget(self) -> None:
        """Begin afresh the next time: nobody knows what became of the memory."""
        self._memory = None

    def copy(self) -> Recall:
        """That of another conversation, which may go elsewhere: with the same texts, and no memory yet."""
        other = Recall(self._begun, self._vocabulary_size)
        other._indexes = dict(self._indexes)
        return other

    def _remembered(self, path: Sequence[Turn]) -> Index | None:
        whole: Index | None = None
        for turn in path:
            if turn.kind != "memory":
                continue
            if turn.id not in self._indexes:
                self.read(turn.id, turn.tokens)
            whole = self._indexes[turn.id] if whole is None else whole.plus(self._indexes[turn.id])
        return whole


def typed(path: Sequence[Turn]) -> int:
    """How many of the last settled tokens that are pending after a path were typed: of prompts not fed to the end."""
    pending, count = len(path[-1].checkpoint.settled) if path else 0, 0
    for turn in reversed(story_turns(path)):
        if turn.kind != "prompt" or count >= pending:
            break
        count += len(closed_tokens(turn))
    return min(count, pending)
