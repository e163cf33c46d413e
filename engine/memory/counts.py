"""Counts which tokens followed which contexts, exactly. Knows no network and no conversation.

A context is the last 0 to `orders` tokens. What is counted in bulk lies in sorted arrays (`Index`), what was written
since in dictionaries beside it (`Counts`), which cost a few microseconds a token to add to, and to take from.

Each count is kept as what absolute discounting leaves of it, in sixteenths: the discounts are sixteenths, so that sums
are exact however they were reached. A memory is a function of the tokens alone, to the last bit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MAX_ORDERS = 6
UNIT = 16  # parts of one count
DISCOUNTS = (0, 11, 14, 18)  # of a count of 0, 1, 2 and more, in such parts; found on Frankenstein and Dracula
_MORE = {0: UNIT - 11, UNIT - 11: 2 * UNIT - 14, 2 * UNIT - 14: 3 * UNIT - 18}  # what is left of one count more
_LESS = {value: before for before, value in _MORE.items()}

Ids = NDArray[np.int32]
Numbers = NDArray[np.int64]


def orders_of(vocabulary_size: int) -> int:
    """The longest contexts that are counted: a context and its token must fit a number of 63 bits."""
    orders = MAX_ORDERS
    while (vocabulary_size + 1) ** (orders + 1) >= 1 << 63:
        orders -= 1
    return orders


class Order:
    """The contexts of one length with what followed: sorted `keys [N]` of context and token, and their `counts [N]`."""

    def __init__(self, keys: Numbers, counts: Numbers, digit: int) -> None:
        self.keys, self.counts = keys, counts
        self.left = (UNIT * counts - np.take(DISCOUNTS, np.minimum(counts, 3))).astype(np.int32)
        sums = [np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64) for numbers in (counts, self.left)]
        # views, for they give plain numbers, and sooner than arrays do
        self._keys, self._left, self._totals, self._sums = keys.data, self.left.data, sums[0].data, sums[1].data
        self._tokens = (keys % digit - 1).astype(np.int32).data
        self._digit = digit

    def plus(self, other: Order) -> Order:
        """Both added up."""
        if not len(other.keys):
            return self
        keys, counts = np.concatenate([self.keys, other.keys]), np.concatenate([self.counts, other.counts])
        order = np.argsort(keys, kind="stable")  # two sorted runs: they are merged
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        return Order(keys[first], np.add.reduceat(counts, first), self._digit)

    def followers(self, context: int) -> Followers | None:
        """What followed a context, as it is now; None where nothing did."""
        keys, low, digit = self._keys, context * self._digit, self._digit
        begin = bisect_left(keys, low)
        if begin == len(keys) or keys[begin] >= low + digit:
            return None
        end = bisect_left(keys, low + digit, begin, min(len(keys), begin + digit))
        total = self._totals[end] - self._totals[begin]
        freed = UNIT * total - (self._sums[end] - self._sums[begin])
        return Followers(total, freed, self._tokens[begin:end].tolist(), self._left[begin:end].tolist())


class Index:
    """Counts of whole texts, an `Order` for each length of context. Never changes, so many may share it."""

    def __init__(self, vocabulary_size: int, orders: Sequence[Order]) -> None:
        self.vocabulary_size, self.orders = vocabulary_size, tuple(orders)

    @classmethod
    def of(
        cls,
        vocabulary_size: int,
        streams: Iterable[tuple[Ids, NDArray[np.bool_] | None]] = (),
        tell: Callable[[float], None] | None = None,
    ) -> Index:
        """The counts of some texts, each a stream `[N]` and, where not all of its tokens are counted, which are.

        `tell` gets the share that is done; an exception from it ends the counting.
        """
        digit, longest = vocabulary_size + 1, orders_of(vocabulary_size)
        found: list[list[Numbers]] = [[np.zeros(0, np.int64)] for _ in range(longest + 1)]
        for ids, counted in streams:
            keys = digits = ids.astype(np.int64) + 1
            for order in range(min(longest + 1, len(ids))):
                if order:
                    keys = keys[1:] + digits[: len(ids) - order] * digit**order
                found[order].append(keys if counted is None else keys[counted[order:]])
        orders = []
        for order, of_length in enumerate(found):
            if tell is not None:
                tell(order / len(found))
            keys, counts = np.unique(np.concatenate(of_length), return_counts=True)
            of_length.clear()
            orders.append(Order(keys, counts, digit))
        return cls(vocabulary_size, orders)

    def plus(self, other: Index) -> Index:
        """The counts of both."""
        return Index(self.vocabulary_size, [a.plus(b) for a, b in zip(self.orders, other.orders, strict=True)])


class Followers:
    """What followed one context: how often in all, the parts that discounts took, and what is left of each token."""

    __slots__ = ("freed", "left", "total")

    def __init__(self, total: int = 0, freed: int = 0, tokens: Sequence[int] = (), left: Sequence[int] = ()) -> None:
        self.total, self.freed, self.left = total, freed, dict(zip(tokens, left, strict=True))

    def add(self, token: int) -> None:
        """One more."""
        left = self.left.get(token, 0)
        new = self.left[token] = _MORE.get(left, left + UNIT)
        self.total += 1
        self.freed += UNIT + left - new

    def take(self, token: int) -> None:
        """One less."""
        left = self.left[token]
        new = self.left[token] = _LESS.get(left, left - UNIT)
        if not new:
            del self.left[token]
        self.total -= 1
        self.freed -= UNIT + new - left


class Counts:
    """An index and what changed since: the contexts that were touched are in a dictionary, whole.

    What followed no context, the tokens themselves, is an array `unigrams [V]` of what discounts left of each.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._touched: dict[int, Followers] = {}
        first = index.orders[0]
        self.unigrams = np.zeros(index.vocabulary_size)
        self.unigrams[first.keys - 1] = first.left
        self.total = int(first.counts.sum())
        self.freed = UNIT * self.total - int(first.left.sum())

    def add(self, contexts: Sequence[int], token: int) -> None:
        """Count a token after its contexts: their keys by length, from that of none, which is 0."""
        left = int(self.unigrams[token])
        new = self.unigrams[token] = _MORE.get(left, left + UNIT)
        self.total += 1
        self.freed += UNIT + left - new
        touched = self._touched
        for order in range(1, len(contexts)):
            context = contexts[order]
            (touched.get(context) or self._touch(order, context)).add(token)

    def take(self, contexts: Sequence[int], token: int) -> None:
        """Take back what `add` did."""
        left = int(self.unigrams[token])
        new = self.unigrams[token] = _LESS.get(left, left - UNIT)
        self.total -= 1
        self.freed -= UNIT + new - left
        for order in range(1, len(contexts)):
            context = contexts[order]
            (self._touched.get(context) or self._touch(order, context)).take(token)

    def followers(self, order: int, context: int) -> Followers | None:
        """What followed a context of so many tokens, at least one; None where nothing did."""
        found = self._touched.get(context)
        if found is None:
            return self.index.orders[order].followers(context)
        return found if found.total else None

    def _touch(self, order: int, context: int) -> Followers:
        found = self._touched[context] = self.index.orders[order].followers(context) or Followers()
        return found
