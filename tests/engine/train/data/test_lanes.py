from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.train.data import lanes


@given(st.integers(40, 400), st.integers(1, 6), st.integers(1, 9), st.integers(0, 8))
def test_lanes_are_contiguous_and_targets_one_ahead(tokens: int, batch: int, steps: int, offset: int) -> None:
    ids = np.arange(tokens, dtype=np.int32)
    parts = list(lanes.chunks(ids, batch, steps, offset))
    assert len(parts) == lanes.chunk_count(tokens, batch, steps, offset)
    if not parts:
        return
    inputs = np.concatenate([x for x, _ in parts])  # [T, B]
    targets = np.concatenate([y for _, y in parts])
    assert inputs.shape == (len(parts) * steps, batch)
    assert (np.diff(inputs, axis=0) == 1).all()
    assert (targets == inputs + 1).all()
    assert inputs[0, 0] == offset
    assert targets.max() < tokens
    assert len(np.unique(inputs)) == inputs.size


def test_an_epoch_can_be_begun_in_its_middle() -> None:
    ids = np.arange(1000, dtype=np.int32)
    whole = list(lanes.chunks(ids, 4, 16, 3))
    rest = list(lanes.chunks(ids, 4, 16, 3, start=5))
    assert len(rest) == len(whole) - 5
    assert all((a[0] == b[0]).all() for a, b in zip(whole[5:], rest, strict=True))


def test_offsets_move_and_come_back() -> None:
    offsets = [lanes.epoch_offset(1, epoch, 128) for epoch in range(20)]
    assert len(set(offsets)) > 10
    assert offsets == [lanes.epoch_offset(1, epoch, 128) for epoch in range(20)]
    assert all(0 <= offset < 128 for offset in offsets)


@pytest.mark.parametrize(("tokens", "count"), [(10**6, 64), (64 * 129 + 1, 64), (64 * 129, 63), (300, 2), (2, 1)])
def test_a_short_text_has_fewer_lanes(tokens: int, count: int) -> None:
    assert lanes.lane_count(tokens, 64, 128) == count


@given(st.integers(2, 5000), st.integers(1, 64), st.integers(0, 600))
def test_each_target_is_scored_once(tokens: int, count: int, context: int) -> None:
    firsts, length = lanes.scoring_lanes(tokens, count, context)
    scored = (firsts[:, None] + np.arange(length)).ravel()
    assert sorted(scored[scored < tokens]) == list(range(1, tokens))
