"""Tiny networks with random weights, and what a loss makes of them forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from engine.train.network.build import StatelessNetwork, build_model
from engine.train.network.dropout import Masks
from engine.train.settings import TrainSettings

T, B, V = 9, 3, 7


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
