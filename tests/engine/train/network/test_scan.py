"""The recurrence with its own gradient, against Keras' GRU and TensorFlow's automatic gradient."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.network.build import Twin  # noqa: E402
from engine.train.network.dropout import NO_MASKS, Masks  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from tests.engine.train.network.gradients import B, V, loss_and_gradients, random_model  # noqa: E402

SETTINGS = TrainSettings(units=6, layers=2, embedding=5, dropout=0.3, weight_drop=0.3)


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_scan_is_keras_gru_forward_and_backward(is_masked: bool) -> None:
    made = random_model(SETTINGS)
    masks = Masks.draw(SETTINGS, B, tf.constant(5), V) if is_masked else NO_MASKS
    ours = loss_and_gradients(Twin(made, fused=False), masks)
    keras_ = loss_and_gradients(Twin(made, fused=True), masks)
    assert ours[0] == pytest.approx(keras_[0], abs=1e-5)
    for name, one, other in zip(["after"] * 2, ours[2], keras_[2], strict=True):
        assert one == pytest.approx(other, abs=1e-5), name
    assert len(ours[1]) == len(keras_[1]) == 9 + 2
    for one, other in zip(ours[1], keras_[1], strict=True):
        assert np.abs(other).max() > 0
        assert one == pytest.approx(other, abs=2e-4, rel=1e-4)


def test_the_table_and_the_product_are_the_same_projection() -> None:
    """Few tokens are multiplied, many are looked up in the folded table: V = 7, so one lane of 3 is multiplied."""
    twin = Twin(random_model(SETTINGS))
    ids = tf.constant(np.arange(6).reshape(3, 2).astype(np.int32) % V)
    few, _ = twin.forward(ids[:, :1], twin.zero_state(1), NO_MASKS)
    many, _ = twin.forward(tf.tile(ids, [1, 4]), twin.zero_state(8), NO_MASKS)
    assert few.numpy()[:, 0] == pytest.approx(many.numpy()[:, 0], abs=1e-5)


def test_the_twin_is_the_saved_model() -> None:
    made = random_model(SETTINGS)
    ids = np.random.default_rng(1).integers(V, size=(1, 40)).astype(np.int32)
    twin = Twin(made)
    state = twin.zero_state(1)
    parts = []
    for chunk in np.split(ids[0], 4):  # the state carried over chunks
        logits, state = twin.forward(tf.constant(chunk[:, None]), state, NO_MASKS)
        parts.append(logits.numpy()[:, 0])
    assert np.concatenate(parts) == pytest.approx(np.asarray(made(ids))[0], abs=1e-5)


def test_masks_keep_the_mean_and_come_back() -> None:
    settings = TrainSettings(units=64, layers=2, dropout=0.4, weight_drop=0.25)
    masks, again, other = (Masks.draw(settings, 50, tf.constant(update), V) for update in (3, 3, 4))
    assert (masks.outputs[1].numpy() == again.outputs[1].numpy()).all()
    assert (masks.outputs[1].numpy() != other.outputs[1].numpy()).any()
    assert set(np.unique(masks.kernels[1].numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    assert masks.outputs[1].numpy().mean() == pytest.approx(1, abs=0.05)
    assert masks.kernels[1].numpy().mean() == pytest.approx(1, abs=0.05)
    assert Masks.draw(TrainSettings(dropout=0, weight_drop=0), 2, tf.constant(0), V) == NO_MASKS


def test_bfloat16_products_come_near() -> None:
    made = random_model(SETTINGS)
    exact = loss_and_gradients(Twin(made), NO_MASKS)[0]
    rough = loss_and_gradients(Twin(made, dtype="bfloat16"), NO_MASKS)[0]
    assert rough == pytest.approx(exact, abs=0.2)
    assert (rough != exact).any()
