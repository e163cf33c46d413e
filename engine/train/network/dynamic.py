"""Dynamic evaluation: the weights adapt to a text while it is scored.

The text is read in segments. Each is scored first, and only then do the weights take a step down its gradient, so that
no token influences its own score. The rule is RMS with decay of Krause et al. 2018 ("Dynamic
evaluation of neural sequence models"): with g the gradient of a segment's mean nats a token, r the root of the mean
of squared gradients so far, and w0 the weights as they were trained,
    w <- w - rate * g / (r + EPSILON) + decay * (w0 - w)
Krause et al. take r over the training text; here it is taken over the segments scored so far, for a model directory
has no text. The model on disk is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.train.network.build import StatelessNetwork
from engine.train.network.dropout import NO_MASKS

KEPT = 0.999  # of the mean of squared gradients, a segment
EPSILON = 2e-3
NEAR = 1e-2  # nats between one network's two ways of scoring a token; they differ by some 1e-5


class DynamicEvaluator:
    """A copy of a trained network whose weights adapt to a text."""

    def __init__(self, network: Path, rate: float, decay: float) -> None:
        """Raises `EngineError` if the network is not one that engine.train could have made."""
        self._unfit = EngineError(f"{network}: --dynamic follows networks of engine.train's making alone; leave it out")
        try:
            self._network = StatelessNetwork(keras.models.load_model(network, compile=False, safe_mode=True))
            self._network.forward(tf.zeros([1, 1], tf.int32), self._network.zero_state(1), NO_MASKS)
        except Exception as error:  # Keras and the layers of a foreign network raise anything
            raise self._unfit from error
        self._weights = [variable.value for variable in self._network.variables]
        self._trained = [tf.constant(weight) for weight in self._weights]
        self._squares = [tf.Variable(tf.zeros_like(weight)) for weight in self._weights]
        self._rate, self._decay = rate, decay
        self._step = tf.function(self._score_segment)

    def nats(
        self, ids: NDArray[np.int32], fixed: NDArray[np.float64], steps: int, tell: Callable[[float], None]
    ) -> NDArray[np.float64]:
        """`-log p` of every token but the first, `[N - 1]`, the weights moved after each `steps` tokens.

        `fixed [N - 1]` is the same by the trained weights. `tell` is called with the share that was scored.
        Raises `EngineError` where the two differ before a weight has moved: the network has something in it that is
        not known here.
        """
        states, found = self._network.zero_state(1), list[NDArray[np.float64]]()
        for number, begin in enumerate(range(0, len(ids) - 1, steps), 1):
            inputs, targets = ids[begin : begin + steps], ids[begin + 1 : begin + steps + 1]
            share = 1 - KEPT**number  # of the mean that there is by now
            surprisals, states = self._step(
                tf.constant(inputs[: len(targets), None]), tf.constant(targets[:, None]), states,
                tf.constant(share, tf.float32),
            )  # fmt: skip
            found.append(surprisals.numpy().astype(np.float64))
            if number == 1 and not np.allclose(found[0], fixed[:steps], rtol=0, atol=NEAR):
                raise self._unfit
            tell(min(1.0, (begin + steps) / len(ids)))
        return np.concatenate(found) if found else np.zeros(0)

    def _score_segment(self, inputs: Any, targets: Any, states: Any, share: Any) -> tuple[Any, Any]:
        """Score a segment `[T, 1]`, then move the weights."""
        with tf.GradientTape() as tape:
            logits, after = self._network.forward(inputs, states, NO_MASKS)
            nats = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
            loss = tf.reduce_mean(nats)
        gradients = tape.gradient(loss, self._weights)
        moved = zip(self._weights, gradients, self._squares, self._trained, strict=True)
        for weight, gradient, squares, trained in moved:
            gradient = tf.convert_to_tensor(gradient)
            squares.assign(KEPT * squares + (1 - KEPT) * gradient * gradient)
            scaled = gradient / (tf.sqrt(squares / share) + EPSILON)
            weight.assign(weight - self._rate * scaled + self._decay * (trained - weight))
        return nats[:, 0], after
