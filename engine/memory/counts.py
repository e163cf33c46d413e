"""Counts which tokens followed which contexts, exactly. Knows no network and no conversation.

A context is the last 0 to `orders` tokens. What is counted in bulk lies in sorted arrays (`Index`), what was written
since in dictionaries beside it (`Counts`), which cost a few microseconds a token to add to, and to take from.

Each count is kept as what absolute discounting leaves of it, in sixteenths: the discounts are sixteenths, so that sums
are exact however they were reached. A memory is a function of the tokens alone, to the last bit.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MAX_ORDERS = 6
UNIT = 16  # parts of one count
DISCOUNTS = (0, 11, 14, 18)  # of a count of 0, 1, 2 and more, in such parts; found on Frankenstein and Dracula
_MORE = {0: UNIT - 11, UNIT - 11: 2 * UNIT - 14, 2 * UNIT - 14: 3 * UNIT - 18}  # what is left of one count more
_LESS = {value: before for before, value in _MORE.items()}

MAX_FOUND = 1 << 14  # contexts whose places are kept at hand, for each length

Found = tuple[int, int, int, int]  # of a context: how often anything followed, the freed parts, where its tokens stand
Ids = NDArray[np.int32]
Numbers = NDArray[np.int64]


@functools.cache
def orders_of(vocabulary_size: int) -> int:
    """The longest contexts that are counted: a context and its token must fit a number of 63 bits."""
    orders = MAX_ORDERS
    while (vocabulary_size + 1) ** (orders + 1) >= 1 << 63:
        orders -= 1
    return orders


def shortest_of(vocabulary_size: int) -> int:
    """The shortest contexts that are kept of a training text: of shorter ones the network knows more than counts do."""
    return orders_of(vocabulary_size) // 2


class Order:
    """The contexts of one length with what followed: sorted `keys [N]` of context and token, and their `counts [N]`."""

    def __init__(self, keys: Numbers, counts: Numbers, digit: int) -> None:
        self.keys, self.counts = keys, counts
        self.tokens = keys % digit - 1
        self.left = (UNIT * counts - np.take(DISCOUNTS, np.minimum(counts, 3))).astype(np.float32)
        sums = [np.concatenate([[0], np.cumsum(numbers, dtype=np.int64)]) for numbers in (counts, self.left)]
        self._keys, self._totals, self._sums = keys.data, sums[0].data, sums[1].data  # views give plain numbers
        self._digit = digit
        self._found: dict[int, Found | None] = {}

    def plus(self, other: Order) -> Order:
        """Both added up."""
        if not len(other.keys):
            return self
        keys, counts = np.concatenate([self.keys, other.keys]), np.concatenate([self.counts, other.counts])
        order = np.argsort(keys, kind="stable")  # two sorted runs: they are merged
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        return Order(keys[first], np.add.reduceat(counts, first), self._digit)

    def find(self, context: int) -> Found | None:
        """What followed a context; None where nothing did."""
        if context in self._found:
            return self._found[context]
        keys, low, digit = self._keys, context * self._digit, self._digit
        begin, found = bisect_left(keys, low), None
        if begin < len(keys) and keys[begin] < low + digit:
            end = bisect_left(keys, low + digit, begin, min(len(keys), begin + digit))
            total = self._totals[end] - self._totals[begin]
            found = total, UNIT * total - (self._sums[end] - self._sums[begin]), begin, end
        if len(self._found) >= MAX_FOUND:
            self._found.clear()
        self._found[context] = found
        return found

    def left_of(self, context: int, token: int, begin: int, end: int) -> int:
        """What is left of the count of a token after a context, whose tokens stand from `begin` to `end`."""
        key = context * self._digit + token + 1
        place = bisect_left(self._keys, key, begin, end)
        return int(self.left[place]) if place < end and self._keys[place] == key else 0


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
    """What followed one context, and has changed since the index was made.

    `total` is how often anything did, `freed` the parts that discounts took, `kinds` how many tokens differ. The
    index has what is left of each from `begin` to `end`, but for those in `changed`.
    """

    __slots__ = ("begin", "changed", "context", "end", "freed", "kinds", "order", "total")

    def __init__(self, order: Order, context: int, found: Found | None) -> None:
        self.order, self.context = order, context
        self.total, self.freed, self.begin, self.end = found or (0, 0, 0, 0)
        self.kinds = self.end - self.begin
        self.changed: dict[int, int] = {}

    def add(self, token: int) -> None:
        """One more."""
        left = self.left(token)
        new = self.changed[token] = _MORE.get(left, left + UNIT)
        self.total += 1
        self.freed += UNIT + left - new
        self.kinds += not left

    def take(self, token: int) -> None:
        """One less."""
        left = self.left(token)
        new = self.changed[token] = _LESS.get(left, left - UNIT)
        self.total -= 1
        self.freed -= UNIT + new - left
        self.kinds -= not new

    def left(self, token: int) -> int:
        """What is left of a token's count."""
        left = self.changed.get(token)
        if left is None:
            left = self.order.left_of(self.context, token, self.begin, self.end) if self.end else 0
        return left


class Counts:
    """An index and the contexts that were `touched` since, by their keys.

    Most long contexts were met once: such a one is the token alone that followed it. What followed no context, the
    tokens themselves, is an array `unigrams [V]` of what discounts left of each.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.touched: dict[int, Followers | int] = {}
        first = index.orders[0]
        self.unigrams = np.zeros(index.vocabulary_size)
        self.unigrams[first.tokens] = first.left
        self.total = int(first.counts.sum())
        self.freed = UNIT * self.total - int(first.left.sum(dtype=np.float64))

    def add(self, contexts: Sequence[int], token: int) -> None:
        """Count a token after its contexts: their keys by length, from that of none, which is 0."""
        left = int(self.unigrams[token])
        new = self.unigrams[token] = _MORE.get(left, left + UNIT)
        self.total += 1
        self.freed += UNIT + left - new
        touched, is_new = self.touched, False
        for order in range(1, len(contexts)):
            context = contexts[order]
            followers = None if is_new else touched.get(context)
            if followers is None:
                found = None if is_new else self.index.orders[order].find(context)
                if found is None:
                    is_new = True  # and so is every longer one
                    touched[context] = token
                    continue
                followers = touched[context] = Followers(self.index.orders[order], context, found)
            elif isinstance(followers, int):
                followers = self._opened(order, context, followers)
            elif not followers.total:
                is_new = True
                touched[context] = token
                continue
            followers.add(token)

    def take(self, contexts: Sequence[int], token: int) -> None:
        """Take back what `add` did."""
        left = int(self.unigrams[token])
        new = self.unigrams[token] = _LESS.get(left, left - UNIT)
        self.total -= 1
        self.freed -= UNIT + new - left
        for order in range(1, len(contexts)):
            context = contexts[order]
            followers = self.touched.get(context)
            if followers is None:
                index = self.index.orders[order]
                followers = self.touched[context] = Followers(index, context, index.find(context))
            elif isinstance(followers, int):
                followers = self._opened(order, context, followers)
            followers.take(token)

    def _opened(self, order: int, context: int, token: int) -> Followers:
        """What followed a context, of which only one token was kept so far."""
        index = self.index.orders[order]
        found = self.touched[context] = Followers(index, context, None)
        for other in index.tokens[slice(*(index.find(context) or (0, 0, 0, 0))[2:])].tolist():
            found.changed[other] = 0  # the index has them, but they were taken back
        found.add(token)
        return found
