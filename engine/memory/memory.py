"""A story's memory at one place: the counts up to there, and the probabilities that they make of the network's.

Each length of context gives what it saw, less a discount, and leaves the rest to the shorter ones and at last to the
network (absolute discounting: Ney, Essen and Kneser 1994, here with the network as the lowest order). That and the
network are mixed by `Weights`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.memory.counts import UNIT, Counts, Followers, Index, orders_of
from engine.memory.weights import EXPERTS, Weights, sets_of

SHORT = 2  # tokens of context that the expert for short contexts looks at
FOLD_TOKENS, FOLD_SHARE = 1024, 128  # so many tokens since the index, or this part of all if it is more, join it
LEAST = 1e-300  # a probability may underflow, its logarithm must not

Floats = NDArray[np.float64]


class Parts:
    """What the memories of some rows make of each token: probability is a sum over the lengths of contexts.

    `grid [B, orders, V]` has what discounts left of the counts, `scales [B, 2, orders]` what they are multiplied by for
    short contexts and for all, `rest [B, 2, 1]` is the network's share.
    """

    def __init__(self, rows: int, orders: int, size: int) -> None:
        self.scales, self.rest = np.zeros((rows, 2, orders)), np.ones((rows, 2, 1))
        self.grid = np.zeros((rows, orders, size))

    def add(self, row: int, order: int, left: dict[int, int]) -> None:
        """What followed a context of a row."""
        self.grid[row, order, [*left]] = [*left.values()]


class Memory:
    """Knows the tokens of a story up to a place, and counts all or some of them.

    `classes [V]` has each token's class. `remembered` are the counts of other texts.
    """

    def __init__(self, classes: Sequence[int], remembered: Index | None = None, weights: bytes = b"") -> None:
        size = len(classes)
        self._classes, self._digit, self._orders = classes, size + 1, orders_of(size)
        self._remembered = remembered or Index.of(size)
        self._counts = Counts(self._remembered)
        self._tokens: list[int] = []
        self._counted: list[bool] = []
        self._contexts = [0]  # the keys of the contexts that end here, by length
        self._folded: int | None = 0  # how many tokens the index has; None once it has some that were taken back
        self._changes = 0  # tokens added and taken back since the index was made
        self._weights, self._packed = Weights.unpacked(weights), weights
        self._has_learned = False  # since the weights were packed

    def __len__(self) -> int:
        """How many tokens of the story it knows."""
        return len(self._tokens)

    @property
    def weights(self) -> bytes:
        """The mixing weights, packed. They are no function of the tokens, so a checkpoint keeps them."""
        if self._has_learned:
            self._packed, self._has_learned = self._weights.packed(), False
        return self._packed

    @weights.setter
    def weights(self, packed: bytes) -> None:
        if packed != self.weights:
            self._weights, self._packed = Weights.unpacked(packed), packed

    def copy(self) -> Memory:
        """Another one of the same place. Neither changes the other."""
        self._fold()
        other = Memory(self._classes, self._remembered, self.weights)
        other._counts, other._folded = Counts(self._counts.index), self._folded
        other._tokens, other._counted, other._contexts = self._tokens.copy(), self._counted.copy(), self._contexts
        return other

    def add(self, token: int, *, is_counted: bool) -> None:
        """The story goes on with a token."""
        if is_counted:
            self._counts.add(self._contexts, token)
        self._tokens.append(token)
        self._counted.append(is_counted)
        digit, newest = self._digit, token + 1
        self._contexts = [0, *[newest + digit * context for context in self._contexts[: self._orders]]]
        self._changes += 1
        if self._is_due:
            self._fold()

    def extend(self, tokens: Sequence[int], *, is_counted: bool) -> None:
        """The story goes on with some tokens."""
        if len(tokens) < FOLD_TOKENS:
            for token in tokens:
                self.add(token, is_counted=is_counted)
            return
        self._tokens += tokens
        self._counted += [is_counted] * len(tokens)
        self._place()
        self._fold()

    def has(self, begin: int, tokens: Sequence[int], *, is_counted: bool) -> bool:
        """Whether it knows these tokens from there on, and has counted them, or not."""
        end = begin + len(tokens)
        counted = self._counted[begin:end]
        return self._tokens[begin:end] == list(tokens) and counted == [is_counted] * len(tokens)

    def rewind(self, length: int) -> None:
        """Take back all but the first tokens."""
        if self._folded is not None and length < self._folded:
            self._folded = None
        self._changes += len(self._tokens) - length
        if self._is_due:
            del self._tokens[length:], self._counted[length:]
            self._place()
            self._fold()  # afresh: many are gone
            return
        while len(self._tokens) > length:
            token, is_counted = self._tokens.pop(), self._counted.pop()
            self._place()
            if is_counted:
                self._counts.take(self._contexts, token)

    @property
    def _is_due(self) -> bool:
        return self._changes >= FOLD_TOKENS and self._changes * FOLD_SHARE >= len(self._tokens)

    def _place(self) -> None:
        """Find the contexts that end here."""
        self._contexts = contexts = [0]
        place = 1
        for token in self._tokens[: -self._orders - 1 : -1]:
            contexts.append(contexts[-1] + (token + 1) * place)
            place *= self._digit

    def _fold(self) -> Index:
        """Put all counts into an index."""
        known = len(self._tokens)
        if self._folded == known:
            return self._counts.index
        begin = 0 if self._folded is None else max(0, self._folded - self._orders)
        counted = np.array(self._counted[begin:], np.bool_)
        counted[: (self._folded or 0) - begin] = False
        new = Index.of(len(self._classes), [(np.array(self._tokens[begin:], np.int32), counted)])
        self._counts = Counts((self._remembered if self._folded is None else self._counts.index).plus(new))
        self._folded, self._changes = known, 0
        return self._counts.index

    # What follows here

    def predict(self, parts: Parts, row: int) -> tuple[int, bool]:
        """Add what was counted at this place to the parts of a row.

        Returns the length of the longest context that was met before, -1 if none was, and whether it always went on
        alike.
        """
        counts = self._counts
        if not counts.total:
            return -1, False
        scales = [(counts.total, counts.freed)]
        parts.grid[row, 0] = counts.unigrams
        found: Followers | None = None
        for order in range(1, len(self._contexts)):
            followers = counts.followers(order, self._contexts[order])
            if followers is None:
                break
            found = followers
            parts.add(row, order, followers.left)
            scales.append((followers.total, followers.freed))
        for expert, longest in ((0, SHORT + 1), (1, len(scales))):
            rest = 1.0
            for order in range(min(longest, len(scales)) - 1, -1, -1):
                total, freed = scales[order]
                parts.scales[row, expert, order] = rest / (UNIT * total)
                rest *= freed / (UNIT * total)
            parts.rest[row, expert, 0] = rest
        return len(scales) - 1, found is not None and len(found.left) == 1

    def sets(self, order: int, is_certain: bool, likeliest: int) -> tuple[int, int, int]:
        """The sets of weights at this place, where the network finds the token `likeliest` so."""
        before = self._classes[self._tokens[-1]] if self._tokens else 0
        return sets_of(order, is_certain, before, self._classes[likeliest])

    def weighed(self, sets: tuple[int, int, int]) -> Floats:
        """The weights `[EXPERTS]` of these sets."""
        return self._weights.at(sets)

    def learn(self, sets: tuple[int, int, int], slope: Floats) -> None:
        """Move the weights of these sets against a slope `[EXPERTS]`."""
        self._weights.learn(sets, slope)
        self._has_learned = True


@dataclass(frozen=True, slots=True)
class Mixture:
    """What comes next in some rows: `logs [B, EXPERTS, V]`, what each expert says, and `logits [B, V]`, the mixed ones.

    A row whose memory counted nothing has the network's own.
    """

    logs: Floats
    logits: Floats
    sets: tuple[tuple[int, int, int] | None, ...]

    def learn(self, memories: Sequence[Memory], tokens: Sequence[int]) -> None:
        """Have the memories learn from the tokens that came."""
        for row, (memory, token, sets) in enumerate(zip(memories, tokens, self.sets, strict=True)):
            if sets is not None:
                shares = np.exp(self.logits[row] - self.logits[row].max())
                shares /= np.cumsum(shares)[-1]
                memory.learn(sets, self.logs[row] @ shares - self.logs[row, :, token])


def mix(logits: NDArray[np.float32], memories: Sequence[Memory]) -> Mixture:
    """Mix the network's `logits [B, V]` with what the rows' memories counted."""
    rows, size = logits.shape
    likeliest = logits.argmax(axis=1).tolist()
    logs = np.empty((rows, EXPERTS, size))
    network = logs[:, 0]
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=network)
    shares = np.exp(network)
    totals = np.cumsum(shares, axis=1)[:, -1:]  # row by row in one order, however many rows there are
    shares /= totals
    network -= np.log(totals)
    parts = Parts(rows, orders_of(size) + 1, size)
    weights, sets = np.empty((rows, 1, EXPERTS)), list[tuple[int, int, int] | None]()
    for row, memory in enumerate(memories):
        order, is_certain = memory.predict(parts, row)
        if order < 0:
            sets.append(None)
            weights[row] = 1, 0, 0
            continue
        here = memory.sets(order, is_certain, likeliest[row])
        sets.append(here)
        weights[row] = memory.weighed(here)
    mixed = np.matmul(parts.scales, parts.grid)
    mixed += parts.rest * shares[:, None]
    np.log(np.maximum(mixed, LEAST, out=mixed), out=logs[:, 1:])
    return Mixture(logs, np.matmul(weights, logs)[:, 0], tuple(sets))
