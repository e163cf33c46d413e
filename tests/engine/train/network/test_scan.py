"""The recurrence with its own gradient, against Keras' GRU and TensorFlow's automatic gradient."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.network.build import StatelessNetwork  # noqa: E402
from engine.train.network.dropout import NO_MASKS, Masks  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from tests.engine.train.network.gradients import B, V, loss_and_gradients, random_model  # noqa: E402

SETTINGS = TrainSettings(units=6, layers=2, embedding=5, dropout=0.3, weight_drop=0.3)


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_scan_is_keras_gru_forward_and_backward(is_masked: bool) -> None:
    made = random_model(SETTINGS)
    masks = Masks.draw(SETTINGS, B, tf.constant(5), V) if is_masked else NO_MASKS
    ours = loss_and_gradients(StatelessNetwork(made, fused=False), masks)
    keras_ = loss_and_gradients(StatelessNetwork(made, fused=True), masks)
    assert ours[0] == pytest.approx(keras_[0], abs=1e-5)
    for name, one, other in zip(["after"] * 2, ours[2], keras_[2], strict=True):
        assert one == pytest.approx(other, abs=1e-5), name
    assert len(ours[1]) == len(keras_[1]) == 9 + 2
    for one, other in zip(ours[1], keras_[1], strict=True):
        assert np.abs(other).max() > 0
        assert one == pytest.approx(other, abs=2e-4, rel=1e-4)


def test_bfloat16_products_come_near() -> None:
    made = random_model(SETTINGS)
    exact = loss_and_gradients(StatelessNetwork(made), NO_MASKS)[0]
    rough = loss_and_gradients(StatelessNetwork(made, dtype="bfloat16"), NO_MASKS)[0]
    assert rough == pytest.approx(exact, abs=0.2)
    assert (rough != exact).any()
