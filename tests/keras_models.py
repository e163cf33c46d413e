"""Tiny Keras models, and a step function run over some tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.program import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

V = 11


def randomized(model: keras.Model, scale: float = 0.4) -> keras.Model:
    rng = np.random.default_rng(7)
    model.set_weights([rng.normal(0, scale, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def chain(*layers: Any, ids: bool = True) -> keras.Model:
    """A functional model, as other people write them."""
    x = inputs = keras.Input((None,) if ids else (None, V), dtype="int32" if ids else "float32")
    for layer in layers:
        x = layer(x)
        x = x[0] if isinstance(x, list | tuple) else x
    return keras.Model(inputs, x)


def run(step: Any, ids: np.ndarray) -> list[np.ndarray]:
    state, logits = np.zeros((1, step.state_size), np.float32), []
    for index in ids:
        out, state = step(np.array([index], np.int32), state)
        logits.append(out[0])
    return logits


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(x / x.sum(-1, keepdims=True))
