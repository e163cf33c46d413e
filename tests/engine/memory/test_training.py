"""The counts of a training text come back from their file, fit it, and are refused where they are damaged."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.memory import training
from engine.memory.counts import Index, orders_of, shortest_of
from engine.memory.training import packed, unpacked

SIZE = 9


def index_of(count: int = 3000, size: int = SIZE) -> Index:
    rng = np.random.default_rng(1)
    return Index.of(size, [(rng.integers(0, size, count).astype(np.int32), None)])


def followers(index: Index) -> list[dict[int, int]]:
    return [dict(zip(order.keys.tolist(), order.counts.tolist(), strict=True)) for order in index.orders]


def test_whole_contexts_come_back_and_those_met_once_are_left_out() -> None:
    whole = index_of()
    found, expected = followers(unpacked(packed(whole), SIZE)), followers(whole)
    assert found[:3] == [{}, {}, {}]
    assert found[3:5] == expected[3:5]
    for length in (5, 6):
        times: dict[int, int] = {}
        for key, count in expected[length].items():
            times[key // (SIZE + 1)] = times.get(key // (SIZE + 1), 0) + count
        kept = {key: count for key, count in expected[length].items() if times[key // (SIZE + 1)] > 1}
        assert found[length] == kept
        assert 0 < len(kept) < len(expected[length])


def test_as_much_is_kept_as_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of(20_000)
    sizes = [len(packed(index))]
    for most in (30_000, 9_000):
        monkeypatch.setattr(training, "MOST_BYTES", most)
        data = packed(index)
        sizes.append(len(data))
        assert len(data) <= most
        assert followers(unpacked(data, SIZE))[3]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("size", [2, 300, 10_000])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_any_vocabulary_and_short_texts(size: int, count: int) -> None:
    index = unpacked(packed(index_of(count, size)), size)
    assert len(index.orders) == orders_of(size) + 1
    assert shortest_of(size) >= 1


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 10**6))
def test_mutated_files_are_refused_or_read(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(DATA)
    for place, value in changes:
        data[place % len(data)] = value
    mutated = bytes(data[: end % (2 * len(data))])
    with suppress(ValueError):
        for order in unpacked(mutated, SIZE).orders:
            order.find(7)


def test_a_file_that_unpacks_to_no_end_is_refused() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, size=np.array(SIZE), keys3=np.zeros(training.MOST_UNPACKED // 8, np.int64))
    with pytest.raises(ValueError, match="is damaged"):
        unpacked(file.getvalue(), SIZE)


def test_another_vocabularys_are_refused() -> None:
    with pytest.raises(ValueError, match="of a vocabulary of 9 tokens, and this one has 10"):
        unpacked(DATA, 10)


DATA = packed(index_of(400))
