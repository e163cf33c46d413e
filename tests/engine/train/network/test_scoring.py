"""The held-out score in lanes: each token once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.program import import_tensorflow

import_tensorflow()
from engine.train.network import scoring  # noqa: E402


@given(st.integers(2, 5000), st.integers(1, 64), st.integers(0, 600))
def test_each_target_is_scored_once(tokens: int, count: int, context: int) -> None:
    firsts, length = scoring.scoring_lanes(tokens, count, context)
    scored = (firsts[:, None] + np.arange(length)).ravel()
    assert sorted(scored[scored < tokens]) == list(range(1, tokens))
