"""What a step function tells of its network."""

from __future__ import annotations

from pathlib import Path

import engine
from tests.networks import tiny_engine


def test_both_backends_know_a_model_by_the_same_fingerprint(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir) as one, engine.load(keras_model_dir, backend="keras") as other:
        assert one.fingerprint == other.fingerprint
    with tiny_engine() as one, tiny_engine(seed=1) as other:
        assert one.fingerprint != other.fingerprint
