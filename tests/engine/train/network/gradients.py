"""Tiny networks with random weights, and what a loss makes of them forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from engine.train.network.build import StatelessNetwork, build_model
from engine.train.network.dropout import Masks
from engine.train.settings import TrainSettings

T, B, V = 9, 3, 7
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
SMALL = TrainSettings(
    units=(12, 8), embedding=8, tied=True, batch=4, steps=8, epochs=1, rate=1e-2, warmup=5, dropout=0.1,
    dropout_input=0.1, dropout_output=0.2, dropout_embedding=0.1, weight_drop=0.2, ar=2.0, tar=1.0, average=0.98,
    precision="float32",
)  # fmt: skip


def settings_of(shape: str, **more: Any) -> TrainSettings:
    return TrainSettings(**{"units": H, "layers": 2, "embedding": 5, **DROPPED} | SHAPES[shape] | more)


def random_model(settings: TrainSettings) -> Any:
    made = build_model(V, settings)
    rng = np.random.default_rng(2)
    made.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in made.get_weights()])
    return made


def loss_and_gradients(
    network: StatelessNetwork, masks: Masks
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(4)
    ids = tf.constant(rng.integers(V, size=(T, B)).astype(np.int32))
    states = [tf.constant(rng.normal(0, 0.5, state.shape).astype(np.float32)) for state in network.zero_state(B)]
    weights = tf.constant(rng.normal(size=(T, B, V)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(states)
        logits, after = network.forward(ids, states, masks)
        loss = tf.reduce_sum(logits * weights)
        for number, state in enumerate(after):
            loss += (number + 1) * tf.reduce_sum(state**2)
    gradients = tape.gradient(loss, [*(variable.value for variable in network.variables), *states])
    return logits.numpy(), [tf.convert_to_tensor(g).numpy() for g in gradients], [a.numpy() for a in after]
