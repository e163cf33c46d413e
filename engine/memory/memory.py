"""A story's memory at one place: the counts up to there, and the probabilities that they make of the network's.

Each length of context gives what it saw, less a discount, and leaves the rest to the shorter ones and at last to the
network (absolute discounting: Ney, Essen and Kneser 1994, here with the network as the lowest order). That and the
network are mixed by `Weights`. A model may bring the counts of the text that it was trained on, too: they are an expert
of their own, for they know much where the story's own are recent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.memory.counts import DISCOUNTS, UNIT, Counts, Index, orders_of, shortest_of
from engine.memory.weights import Sets, Weights, sets_of

SHORT = 2  # tokens of context that the expert for short contexts looks at
FOLD_TOKENS, FOLD_SHARE = 1024, 128  # so many tokens since the index, or this part of all that is known, join it
NETWORK_ALONE = [1.0, 0.0, 0.0, 0.0]  # weights of the experts
LEAST = 1e-300  # a probability may underflow, its logarithm must not

Floats = NDArray[np.float64]


class Known(NamedTuple):
    """The longest context of a place that was met before, and whether it always went on alike: (-1, False) for none.

    In the story, and in the training text; None where the model has not brought that.
    """

    story: tuple[int, bool]
    training: tuple[int, bool] | None


class Memory:
    """Knows the tokens of a story up to a place, and counts all or some of them.

    `classes [V]` has each token's class. `remembered` are the counts of other texts, and `training` those of the
    model's own, without contexts of fewer than `shortest_of` tokens.
    """

    def __init__(
        self, classes: Sequence[int], remembered: Index | None = None, weights: bytes = b"",
        training: Index | None = None,
    ) -> None:  # fmt: skip
        size = len(classes)
        self._classes, self._digit, self._orders = classes, size + 1, orders_of(size)
        self.training = training
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
        other = Memory(self._classes, self._remembered, self.weights, self.training)
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

    def extend(self, parts: Sequence[tuple[Sequence[int], bool]]) -> None:
        """The story goes on with some tokens, each part of which is counted or not."""
        if sum(len(tokens) for tokens, _ in parts) < FOLD_TOKENS:
            for tokens, is_counted in parts:
                for token in tokens:
                    self.add(token, is_counted=is_counted)
            return
        for tokens, is_counted in parts:
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
        if self._is_due or self._folded == length:  # many are gone, or all that the index does not have
            del self._tokens[length:], self._counted[length:]
            self._place()
            if self._folded == length:
                self._counts, self._changes = Counts(self._counts.index), 0
            self._fold()
            return
        while len(self._tokens) > length:
            token, is_counted = self._tokens.pop(), self._counted.pop()
            self._place()
            if is_counted:
                self._counts.take(self._contexts, token)

    @property
    def _is_due(self) -> bool:
        return self._changes >= FOLD_TOKENS and self._changes * FOLD_SHARE >= len(self._tokens) + self._counts.total

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

    def count(self, grid: Floats) -> tuple[list[tuple[int, int]], bool]:
        """What was counted at this place: of each length of context, how often it was met and the parts that discounts
        took; and whether the longest always went on alike. `grid [orders + 1, V]`, all zeros, gets what they left.
        """
        counts = self._counts
        if not counts.total:
            return [], False
        grid[0] = counts.unigrams
        scales = [(counts.total, counts.freed)]
        kinds, touched, contexts = 0, counts.touched, self._contexts
        for order in range(1, len(contexts)):
            context, index = contexts[order], counts.index.orders[order]
            followers = touched.get(context)
            if followers is None:
                found = index.find(context)
                if found is None:
                    break
                total, freed, begin, end = found
                kinds = end - begin
                grid[order, index.tokens[begin:end]] = index.left[begin:end]
            elif isinstance(followers, int):
                total, freed, kinds = 1, DISCOUNTS[1], 1
                grid[order, followers] = UNIT - DISCOUNTS[1]
            else:
                if not followers.total:
                    break
                total, freed, kinds = followers.total, followers.freed, followers.kinds
                row = grid[order]
                if end := followers.end:
                    row[index.tokens[followers.begin : end]] = index.left[followers.begin : end]
                for token, left in followers.changed.items():
                    row[token] = left
            scales.append((total, freed))
        return scales, kinds == 1

    def count_training(self, grid: Floats) -> tuple[list[tuple[int, int]], bool]:
        """The same of the training text: of each length from `shortest_of` on. `grid [orders + 1 - shortest, V]`."""
        scales: list[tuple[int, int]] = []
        kinds, shortest = 0, shortest_of(len(self._classes))
        indexes = self.training.orders[: len(self._contexts)] if self.training else ()
        for order in range(shortest, len(indexes)):
            index = indexes[order]
            found = index.find(self._contexts[order])
            if found is None:
                break
            total, freed, begin, end = found
            kinds = end - begin
            grid[order - shortest, index.tokens[begin:end]] = index.left[begin:end]
            scales.append((total, freed))
        return scales, kinds == 1

    def weigh(self, known: Known, likeliest: int) -> tuple[Sets, list[float]]:
        """The sets of weights at this place and the experts' weights; the network finds the token `likeliest` so."""
        before = self._classes[self._tokens[-1]] if self._tokens else 0
        sets = sets_of(known.story, known.training, before, self._classes[likeliest])
        return sets, self._weights.at(sets)

    def learn(self, sets: Sets, slope: list[float]) -> None:
        """Move the weights of these sets against a slope, a number for each expert."""
        self._weights.learn(sets, slope)
        self._has_learned = True


@dataclass(slots=True)
class Counted:
    """What the memories of some rows counted at their places: needs no network, so both may work at the same time.

    `grid [B, G, V]` has what discounts left of the counts, by length of context, first of the story and then of the
    training text, and at last room for the network's own shares. It is multiplied by `parts [B, E, G]`, for each expert
    but the network: short contexts, all of them, and those of the training text where the model has brought it.
    """

    grid: Floats
    parts: Floats
    known: list[Known]


@dataclass(slots=True)
class Mixture:
    """What comes next in some rows: `logs [B, 1 + E, V]`, what each expert says, but for a constant, and the mixed
    `logits [B, V]`. A row whose memory counted nothing has the network's own, and None among the `sets` of weights.
    """

    logs: Floats
    logits: Floats
    sets: list[Sets | None]

    def learn(self, memories: Sequence[Memory], tokens: Sequence[int]) -> None:
        """Have the memories learn from the tokens that came."""
        for row, (memory, token, sets) in enumerate(zip(memories, tokens, self.sets, strict=True)):
            if sets is not None:
                shares = np.exp(self.logits[row] - self.logits[row].max())
                shares /= np.cumsum(shares)[-1]
                logs = self.logs[row]
                memory.learn(sets, (logs @ shares - logs[:, token]).tolist())


def count(memories: Sequence[Memory], size: int) -> Counted:
    """What memories have to say at their places of a vocabulary of this size. They are all of one model."""
    rows, orders = len(memories), orders_of(size) + 1
    brought = memories[0].training is not None
    height = orders + (orders - shortest_of(size) if brought else 0)
    grid, parts, known = np.zeros((rows, height + 1, size)), list[float](), list[Known]()
    for row, memory in enumerate(memories):
        own = grid[row]
        scales, is_certain = memory.count(own)
        story = len(scales) - 1, is_certain
        if brought:
            others, is_certain = memory.count_training(own[orders:])
            known.append(Known(story, (shortest_of(size) + len(others) - 1 if others else -1, is_certain)))
            parts += _parts(scales, height)
            parts += _parts_of_training(others, orders, height)
        else:
            known.append(Known(story, None))
            parts += _parts(scales, height)
    return Counted(grid, np.array(parts).reshape(rows, 2 + brought, height + 1), known)


def _parts(scales: list[tuple[int, int]], height: int) -> list[float]:
    """What each row of a grid is multiplied by, the network the last: for short contexts, and then for all."""
    short, left = _shares(scales[: SHORT + 1])
    longer, rest = _shares(scales[SHORT + 1 :])
    missing = [0.0] * (height - len(scales))
    nothing = [0.0] * len(longer)
    return [*short, *nothing, *missing, left, *[rest * share for share in short], *longer, *missing, rest * left]


def _parts_of_training(scales: list[tuple[int, int]], orders: int, height: int) -> list[float]:
    """The same for the training text, whose rows follow the story's."""
    shares, rest = _shares(scales)
    return [*[0.0] * orders, *shares, *[0.0] * (height - orders - len(shares)), rest]


def _shares(scales: list[tuple[int, int]]) -> tuple[list[float], float]:
    """What the counts of each length are multiplied by, the longest first served, and what is left below them."""
    shares, rest = [0.0] * len(scales), 1.0
    for row in range(len(scales) - 1, -1, -1):
        total, freed = scales[row]
        shares[row] = rest / (UNIT * total)
        rest *= freed / (UNIT * total)
    return shares, rest


def mix(logits: NDArray[np.float32], memories: Sequence[Memory], counted: Counted | None = None) -> Mixture:
    """Mix the network's `logits [B, V]` with what the rows' memories counted."""
    rows, size = logits.shape
    counted, likeliest = counted or count(memories, size), logits.argmax(axis=1).tolist()
    experts = 1 + counted.parts.shape[1]
    logs = np.empty((rows, experts, size))
    network, shares = logs[:, 0], counted.grid[:, -1]
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=network)
    np.exp(network, out=shares)
    shares /= np.cumsum(shares, axis=1)[:, -1:]  # row by row in one order, however many rows there are
    mixed = np.matmul(counted.parts, counted.grid)
    np.log(np.maximum(mixed, LEAST, out=mixed), out=logs[:, 1:])
    weights, sets = list[float](), list[Sets | None]()
    for memory, known, token in zip(memories, counted.known, likeliest, strict=True):
        if known.story[0] < 0 and (known.training is None or known.training[0] < 0):
            sets.append(None)
            weights += NETWORK_ALONE[:experts]
        else:
            here, own = memory.weigh(known, token)
            sets.append(here)
            weights += own[:experts]
    return Mixture(logs, np.matmul(np.array(weights).reshape(rows, 1, experts), logs)[:, 0], sets)
