"""Rounded weights: near enough, small on the disk, and loaded by whatever loads the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.model.network_reader import read_network
from engine.program import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

from engine.train.data.corpus import read_corpus  # noqa: E402
from engine.train.network.packing import rounded  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.common.small_runs import SETTINGS  # noqa: E402


@pytest.mark.parametrize("bits", [4, 8, 22, 23])
def test_a_weight_is_the_nearest_that_the_bits_allow(bits: int) -> None:
    weights = np.random.default_rng(1).normal(0, 0.3, (40, 50)).astype(np.float32)
    found = rounded(weights, bits)
    assert found.shape == weights.shape
    assert (np.abs(found - weights) <= np.abs(weights) * 2.0 ** -(bits + 1)).all()
    assert not (found.view(np.uint32) & ((1 << 23 - bits) - 1)).any()
    assert (rounded(found, bits) == found).all()
    assert (rounded(np.zeros(3, np.float32), bits) == 0).all()


def test_the_file_is_smaller_and_the_weights_that_are_trained_stay(plain_text: Path, tmp_path: Path) -> None:
    corpus, sizes = read_corpus([plain_text], 0.1, SETTINGS.steps), {}
    for bits in (8, 23):
        trainer = Trainer(dataclasses.replace(SETTINGS, units=96, fraction_bits=bits), corpus)
        weights = trainer.weights()
        trainer.save_model(path := tmp_path / f"{bits}.keras", weights)
        sizes[bits] = path.stat().st_size
        for saved in (read_network(path).weights, keras.models.load_model(path).get_weights()):
            for one, other in zip(saved, weights, strict=True):
                assert (one == rounded(other, bits)).all()
        for one, other in zip(trainer.weights(), weights, strict=True):
            assert (one == other).all()
    assert sizes[8] < 0.65 * sizes[23]
