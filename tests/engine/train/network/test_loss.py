"""The output layer and its loss with their own gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.network import loss as head  # noqa: E402
from engine.train.network.build import StatelessNetwork  # noqa: E402
from engine.train.settings import (  # noqa: E402
    TrainSettings,
)
from tests.engine.train.network.gradients import B, T, V, random_model  # noqa: E402

H = 6


SHAPES: dict[str, dict[str, Any]] = {
    "gru": {}, "lstm": {"cell": "lstm"}, "rnn": {"cell": "rnn"},
    "one-hot lstm": {"cell": "lstm", "input": "one-hot"}, "one-hot gru": {"input": "one-hot"},
    "normalized": {"normalization": True, "cell": "lstm", "layers": 3}, "tied": {"tied": True, "embedding": H},
    "tied lstm": {"tied": True, "embedding": H, "cell": "lstm", "normalization": True},
    "widths": {"units": (9, 4, 8), "layers": 3}, "normalized widths lstm": {"units": (4, 7), "cell": "lstm",
    "normalization": True}, "one-hot widths rnn": {"units": (4, 7), "cell": "rnn", "input": "one-hot"},
    "tied widths lstm": {"units": (9, 5), "tied": True, "cell": "lstm"},
}  # fmt: skip


DROPPED = {"weight_drop": 0.3, "dropout": 0.3, "dropout_input": 0.2, "dropout_output": 0.1, "dropout_embedding": 0.2}


def settings_of(shape: str, **more: Any) -> TrainSettings:
    return TrainSettings(**{"units": H, "layers": 2, "embedding": 5, **DROPPED} | SHAPES[shape] | more)


@pytest.mark.parametrize("is_tied", [False, True])
def test_a_loss_in_chunks_is_the_loss(*, is_tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CHUNK", V * 4)
    rng = np.random.default_rng(5)
    x, kernel, bias = (
        tf.constant(rng.normal(size=shape).astype(np.float32))
        for shape in ([10, H], [V, H] if is_tied else [H, V], [V])
    )
    targets, weights = tf.constant(rng.integers(V, size=10)), tf.constant(rng.random(10).astype(np.float32))
    found = []
    for is_whole in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel, bias])
            if is_whole:
                logits = tf.matmul(x, kernel, transpose_b=is_tied) + bias
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
            else:
                losses = head.cross_entropy(x, kernel, bias, targets, tf.float32, is_tied=is_tied)
            loss = tf.reduce_sum(losses * weights)
        found.append([losses.numpy(), *(g.numpy() for g in tape.gradient(loss, [x, kernel, bias]))])
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-5


@pytest.mark.parametrize("shape", ["gru", "tied"])
def test_the_loss_on_a_gpu_is_the_loss_on_a_cpu(shape: str) -> None:
    made, is_tied = random_model(settings_of(shape)), shape == "tied"
    x = tf.constant(np.random.default_rng(5).normal(size=(T, B, H)).astype(np.float32))
    targets = tf.constant(np.random.default_rng(6).integers(V, size=(T, B)).astype(np.int32))
    ours, theirs = (
        StatelessNetwork(made, fused=fused, is_tied=is_tied).losses(x, targets).numpy() for fused in (False, True)
    )
    assert ours.shape == (T, B)
    assert ours == pytest.approx(theirs, abs=1e-5)
