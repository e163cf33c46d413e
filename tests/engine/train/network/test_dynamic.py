"""Dynamic evaluation: the weights follow the text that was scored."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.model.directory import NETWORK
from engine.program import import_tensorflow

import_tensorflow()


def test_the_weights_move_only_after_a_segment_and_are_drawn_back(keras_model_dir: Path) -> None:
    from engine.train.network.dynamic import DynamicEvaluator

    ids = np.tile(np.arange(7, dtype=np.int32), 20)
    with engine.load(keras_model_dir) as model:
        fixed = model.score_tokens(ids, len(ids)).surprisal_bits[1:] * math.log(2)
    told: list[float] = []
    nats = DynamicEvaluator(keras_model_dir / NETWORK, 3e-3, 0.0).nats(ids, fixed, 30, told.append)
    assert nats[:30] == pytest.approx(fixed[:30], abs=1e-4)
    assert nats[30:60].mean() < fixed[30:60].mean() - 0.01
    assert told == pytest.approx([30 / 140, 60 / 140, 90 / 140, 120 / 140, 1])
    whole = DynamicEvaluator(keras_model_dir / NETWORK, 3e-3, 1.0)  # all the way back, then the step of one segment
    assert nats[60:].mean() < whole.nats(ids, fixed, 30, told.append)[60:].mean() < fixed[60:].mean()
