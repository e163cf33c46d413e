"""Counts are what a plain dictionary counts, however they were reached: in bulk, one by one, taken back, added up."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.memory.counts import DISCOUNTS, UNIT, Counts, Followers, Index, orders_of

SIZE = 4
TOKENS = st.lists(st.integers(0, SIZE - 1), max_size=40)


def plain(tokens: list[int], counted: list[bool] | None = None) -> dict[tuple[int, ...], Counter[int]]:
    """What followed each context."""
    found: dict[tuple[int, ...], Counter[int]] = {}
    for place, token in enumerate(tokens):
        if counted is None or counted[place]:
            for order in range(min(place, orders_of(SIZE)) + 1):
                found.setdefault(tuple(tokens[place - order : place]), Counter())[token] += 1
    return found


def key(context: tuple[int, ...]) -> int:
    return sum((token + 1) * (SIZE + 1) ** place for place, token in enumerate(reversed(context)))


def left(counts: Counter[int]) -> dict[int, int]:
    return {token: UNIT * count - DISCOUNTS[min(count, 3)] for token, count in counts.items()}


def followed(counts: Counts, context: tuple[int, ...]) -> Followers:
    """What followed a context, one that was not touched as if it had been."""
    order, found = counts.index.orders[len(context)], counts.touched.get(key(context))
    if isinstance(found, int):
        alone = Followers(order, key(context), None)
        alone.add(found)
        return alone
    return found or Followers(order, key(context), order.find(key(context)))


def check(counts: Counts, expected: dict[tuple[int, ...], Counter[int]]) -> None:
    none = expected.get((), Counter())
    assert {token: int(value) for token, value in enumerate(counts.unigrams) if value} == left(none)
    assert (counts.total, counts.freed) == (none.total(), UNIT * none.total() - sum(left(none).values()))
    for context, tokens in expected.items():
        if context:
            found, wanted = followed(counts, context), left(tokens)
            assert {token: value for token in range(SIZE) if (value := found.left(token))} == wanted
            assert (found.total, found.kinds) == (tokens.total(), len(wanted))
            assert found.freed == UNIT * tokens.total() - sum(wanted.values())


def contexts(tokens: list[int], place: int) -> list[int]:
    return [key(tuple(tokens[place - order : place])) for order in range(min(place, orders_of(SIZE)) + 1)]


@given(TOKENS, st.integers(0, 40))
def test_one_by_one_is_in_bulk(tokens: list[int], begin: int) -> None:
    bulk = Index.of(SIZE, [(np.array(tokens[:begin], np.int32), None)])
    counts = Counts(bulk)
    for place in range(min(begin, len(tokens)), len(tokens)):
        counts.add(contexts(tokens, place), tokens[place])
    check(counts, plain(tokens))
    for place in reversed(range(len(tokens))):
        counts.take(contexts(tokens, place), tokens[place])
        check(counts, plain(tokens[:place]))
    assert not any(followers.total for followers in counts.touched.values() if not isinstance(followers, int))


@given(TOKENS, TOKENS)
def test_indexes_add_up(one: list[int], other: list[int]) -> None:
    streams = [(np.array(tokens, np.int32), None) for tokens in (one, other)]
    whole = {context: Counter(followed) for context, followed in plain(one).items()}
    for context, followed in plain(other).items():
        whole.setdefault(context, Counter()).update(followed)
    check(Counts(Index.of(SIZE, streams)), whole)
    check(Counts(Index.of(SIZE, streams[:1]).plus(Index.of(SIZE, streams[1:]))), whole)


@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.booleans()), max_size=40))
def test_tokens_that_are_not_counted_are_contexts_all_the_same(story: list[tuple[int, bool]]) -> None:
    tokens, counted = [token for token, _ in story], [is_counted for _, is_counted in story]
    index = Index.of(SIZE, [(np.array(tokens, np.int32), np.array(counted, np.bool_))])
    check(Counts(index), plain(tokens, counted))


@pytest.mark.parametrize(("size", "orders"), [(65, 6), (2000, 4), (3045, 4), (10_000, 3), (2_000_000, 2)])
def test_contexts_and_their_tokens_fit_a_number(size: int, orders: int) -> None:
    assert orders_of(size) == orders
    last = np.full(orders + 2, size - 1, np.int32)
    index = Index.of(size, [(last, None)])
    context = sum(size * (size + 1) ** place for place in range(orders))
    found = Followers(index.orders[orders], context, index.orders[orders].find(context))
    assert (found.total, found.left(size - 1)) == (2, 2 * UNIT - DISCOUNTS[2])


def test_counting_can_be_watched_and_ended() -> None:
    def stop(share: float) -> None:
        shares.append(share)
        if share > 0.5:
            raise KeyboardInterrupt

    shares: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        Index.of(SIZE, [(np.zeros(9, np.int32), None)], stop)
    assert shares == sorted(shares)
