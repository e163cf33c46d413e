from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.sampling import Sampler, Sampling, derive_key, surprisal_nats, uniforms, xtc_key

LOGITS = np.log(np.array([[0.5, 0.25, 0.125, 0.0625, 0.0625]], np.float32))
NOTHING: list[list[int]] = [[]]


def chances(**settings: Any) -> list[float]:
    sampler = Sampler([Sampling(**{"temperature": 1.0, **settings})])
    return [round(float(p), 6) for p in sampler.probabilities(LOGITS, [[1]])[0]]


def test_each_setting_on_a_distribution_worked_out_by_hand() -> None:
    assert chances() == [0.5, 0.25, 0.125, 0.0625, 0.0625]
    assert chances(temperature=0) == [1, 0, 0, 0, 0]
    squared = np.array([64, 16, 4, 1, 1]) / 86
    assert chances(temperature=0.5) == [round(float(p), 6) for p in squared]
    assert chances(top_k=2) == [round(2 / 3, 6), round(1 / 3, 6), 0, 0, 0]
    assert chances(top_p=0.7) == [round(2 / 3, 6), round(1 / 3, 6), 0, 0, 0]
    assert chances(top_p=0.01) == [1, 0, 0, 0, 0]
    assert chances(min_p=0.24) == [round(4 / 7, 6), round(2 / 7, 6), round(1 / 7, 6), 0, 0]
    penalized = np.array([0.5, 0.25**2, 0.125, 0.0625, 0.0625])  # a negative logit times 2
    assert chances(repetition_penalty=2.0) == [round(float(p), 6) for p in penalized / penalized.sum()]


def test_xtc_leaves_out_the_likeliest_but_the_last_that_would_do() -> None:
    """Of the tokens that reach the threshold, all but the least likely go, as often as the probability says."""
    settings = Sampling(temperature=1.0, xtc_probability=0.25, xtc_threshold=0.1)
    left = [0, 0, 0.125, 0.0625, 0.0625]
    sampler = Sampler([settings])
    drawn = {u: int(sampler(LOGITS, [0.0], NOTHING, [u])[0]) for u in (0.0, 0.24, 0.25, 0.9)}
    assert drawn == {0.0: 2, 0.24: 2, 0.25: 0, 0.9: 0}
    expected = 0.75 * np.exp(LOGITS[0]) + 0.25 * np.array(left) / sum(left)
    assert sampler.probabilities(LOGITS, NOTHING)[0] == pytest.approx(expected)
    for threshold in (0.3, 0.51, 1.0):  # fewer than two reach it
        assert chances(xtc_probability=1.0, xtc_threshold=threshold) == chances()
    assert chances(xtc_probability=1.0, xtc_threshold=0.2) == [
        0,
        *(round(p / 0.5, 6) for p in (0.25, 0.125, 0.0625, 0.0625)),
    ]
    assert chances(xtc_probability=1.0, xtc_threshold=0.0)[4] == 1
    assert chances(xtc_probability=1.0, temperature=0) == [1, 0, 0, 0, 0]


def test_xtc_has_numbers_of_its_own() -> None:
    keys = [derive_key(seed) for seed in range(20)]
    assert not {xtc_key(key) for key in keys} & {*keys}
    assert not np.array_equal(uniforms(keys[0], 0, 9), uniforms(xtc_key(keys[0]), 0, 9))


def test_a_positive_logit_is_divided_by_the_penalty() -> None:
    logits = np.array([[2.0, 0.0]], np.float32)
    chosen = Sampler([Sampling(temperature=1.0, repetition_penalty=2.0)]).probabilities(logits, [[0]])
    assert chosen[0, 0] == pytest.approx(1 / (1 + math.exp(-1)))


def test_equal_tokens_count_in_the_order_of_their_ids() -> None:
    assert chances(top_k=4)[3] > 0
    assert chances(top_k=4)[4] == 0


def test_an_unseen_token_is_never_drawn() -> None:
    sampler = Sampler([Sampling(temperature=0)], unwritten=[0])
    assert sampler(LOGITS, [0.0], NOTHING).tolist() == [1]


def test_draws_follow_the_distribution() -> None:
    sampler = Sampler([Sampling(temperature=1.0)])
    drawn = [int(sampler(LOGITS, [u], NOTHING)[0]) for u in uniforms(3, 0, 4000)]
    counts = np.bincount(drawn, minlength=5) / 4000
    assert np.abs(counts - np.exp(LOGITS[0])).max() < 0.03


settings = st.builds(
    Sampling,
    temperature=st.sampled_from([0, 0.3, 1.0, 5.0]),
    top_k=st.integers(0, 8),
    top_p=st.floats(0.01, 1.0),
    min_p=st.floats(0.0, 1.0),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    xtc_probability=st.sampled_from([0.0, 0.5, 1.0]),
)
rows = arrays(np.float32, (6,), elements=st.floats(-30, 30, width=32))


@given(st.lists(st.tuples(settings, rows, st.floats(0, 1, exclude_max=True)), min_size=1, max_size=9))
def test_a_row_draws_alone_what_it_draws_among_others(batch: list[tuple[Sampling, Any, float]]) -> None:
    number_limit = 1 - 2**-52
    each = [Sampler([s])(logits[None], [min(u, number_limit)], [[2]], [1 - u]).tolist()[0] for s, logits, u in batch]
    together = Sampler([s for s, _, _ in batch])(
        np.stack([logits for _, logits, _ in batch]), [min(u, number_limit) for _, _, u in batch], [[2]] * len(batch),
        [1 - u for _, _, u in batch],
    )  # fmt: skip
    assert together.tolist() == each


@given(settings, rows, st.floats(0, 1 - 2**-52))
def test_what_is_drawn_has_a_probability(s: Sampling, logits: Any, number: float) -> None:
    sampler = Sampler([s])
    assert sampler.probabilities(logits[None], [[2]])[0, int(sampler(logits[None], [number], [[2]], [number])[0])] > 0


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**65)), min_size=1), st.integers(1, 100))
def test_a_number_is_the_same_however_its_place_was_reached(streams: list[tuple[int, int]], count: int) -> None:
    keys, places = zip(*streams, strict=True)
    numbers = uniforms(keys, places, count)
    assert numbers.shape == (len(streams), count)
    assert ((numbers >= 0) & (numbers < 1)).all()
    later = uniforms(keys, [place + count - 1 for place in places], 1)
    assert (later[:, 0] == numbers[:, -1]).all()
    assert (uniforms(keys[0], places[0], count) == numbers[0]).all()


def test_splitmix64_gives_the_published_numbers() -> None:
    """The first outputs for seed 1234567, as in the generator's reference implementation, cut to 52 bits."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert uniforms(1234567, 0, 3).tolist() == [(x >> 12) / 2**52 for x in published]


def test_keys_differ() -> None:
    assert (
        len({derive_key(seed, turn, attempt) for seed in range(9) for turn in range(9) for attempt in range(9)}) == 729
    )


def test_the_smallest_temperature_is_greedy() -> None:
    assert Sampler([Sampling(temperature=1e-320)])(LOGITS, [0.999], NOTHING).tolist() == [0]


def test_surprisal_is_minus_the_log_probability() -> None:
    nats = surprisal_nats(np.repeat(LOGITS * 1.0 + 7, 2, 0), np.array([0, 4], np.int32))
    assert nats == pytest.approx([math.log(2), math.log(16)], abs=1e-6)
