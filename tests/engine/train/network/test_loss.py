"""The output layer and its loss with their own gradient."""

from __future__ import annotations

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.network import loss as head  # noqa: E402
from engine.train.network.build import StatelessNetwork  # noqa: E402
from tests.engine.train.network.gradients import B, H, T, V, random_model, settings_of  # noqa: E402


@pytest.mark.parametrize("is_soft", [False, True])
@pytest.mark.parametrize("is_tied", [False, True])
def test_a_loss_in_chunks_is_the_loss(*, is_tied: bool, is_soft: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CHUNK", V * 4)
    rng = np.random.default_rng(5)
    x, kernel, bias = (
        tf.constant(rng.normal(size=shape).astype(np.float32))
        for shape in ([10, H], [V, H] if is_tied else [H, V], [V])
    )
    targets, weights = tf.constant(rng.integers(V, size=10)), tf.constant(rng.random(10).astype(np.float32))
    whole = tf.nn.sparse_softmax_cross_entropy_with_logits
    if is_soft:
        targets = tf.constant(rng.dirichlet(np.ones(V), size=10).astype(np.float32))
        whole = tf.nn.softmax_cross_entropy_with_logits
    found = []
    for is_whole in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, bias])
            if is_whole:
                logits = tf.matmul(x, kernel, transpose_b=is_tied) + bias
                losses = whole(labels=targets, logits=logits)
            else:
                losses = head.cross_entropy(x, kernel, bias, targets, tf.float32, is_tied=is_tied)
            loss = tf.reduce_sum(losses * weights)
        found.append([losses.numpy(), *(g.numpy() for g in tape.gradient(loss, [x, kernel, bias]))])
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-5


@pytest.mark.parametrize("is_soft", [False, True])
@pytest.mark.parametrize("shape", ["gru", "tied"])
def test_the_loss_on_a_gpu_is_the_loss_on_a_cpu(shape: str, *, is_soft: bool) -> None:
    made, is_tied = random_model(settings_of(shape)), shape == "tied"
    x = tf.constant(np.random.default_rng(5).normal(size=(T, B, H)).astype(np.float32))
    targets = tf.constant(np.random.default_rng(6).integers(V, size=(T, B)).astype(np.int32))
    if is_soft:
        targets = tf.nn.softmax(tf.one_hot(targets, V))
    ours, theirs = (
        StatelessNetwork(made, fused=fused, is_tied=is_tied).losses(x, targets).numpy() for fused in (False, True)
    )
    assert ours.shape == (T, B)
    assert ours == pytest.approx(theirs, abs=1e-5)
