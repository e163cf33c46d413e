"""Other ways to write with the same weights, one character at a time: TensorFlow's tutorial, and NumPy alone.

Part of `python -m engine.bench`. Needs TensorFlow.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import engine
from engine.model.network import Dense, Network, Recurrent
from engine.model.onnx_graph import fold_table

PROMPT = "ROMEO:"
TEMPERATURE = 0.8


class TutorialWay:
    """TensorFlow's text-generation tutorial: one `tf.function` call a character, strings in and out."""

    def __init__(self, model: Any, vocabulary: engine.Vocabulary) -> None:
        import keras
        import tensorflow as tf

        tokens = list(vocabulary.tokens)
        ids_of = keras.layers.StringLookup(vocabulary=tokens, mask_token=None, num_oov_indices=0)
        tokens_of = keras.layers.StringLookup(vocabulary=tokens, mask_token=None, num_oov_indices=0, invert=True)
        embedding, *grus, dense = model.layers
        twins = []
        for layer in grus:
            twin = type(layer).from_config({**layer.get_config(), "stateful": False, "return_state": True})
            twin.build((None, None, layer.cell.kernel.shape[0]))
            twin.set_weights(layer.get_weights())
            twins.append(twin)

        @tf.function  # type: ignore[untyped-decorator]
        def one_step(inputs: Any, states: Any) -> tuple[Any, Any]:
            characters = tf.strings.unicode_split(inputs, "UTF-8")
            x, after = embedding(ids_of(characters).to_tensor()), []
            for twin, state in zip(twins, states, strict=True):
                x, state = twin(x, initial_state=state)
                after.append(state)
            logits = dense(x)[:, -1, :] / TEMPERATURE
            chosen = tf.squeeze(tf.random.categorical(logits, num_samples=1), axis=-1)
            return tokens_of(chosen), after

        self._step = one_step
        self._start = [tf.zeros([1, layer.units]) for layer in grus]
        known = all(character in tokens for character in PROMPT)
        self._prompt = tf.constant([PROMPT if known else vocabulary.tokens[vocabulary.start_id]])

    def rate(self, count: int = 200) -> float:
        """Characters a second."""
        text, states = self._step(self._prompt, self._start)
        started = time.perf_counter()
        for _ in range(count):
            text, states = self._step(text, states)
        text[0].numpy().decode()
        return count / (time.perf_counter() - started)


class NumpyWay:
    """A GRU that resets after the product, stepped and drawn from by NumPy, its embedding folded into a table."""

    def __init__(self, network: Network) -> None:
        self._table, layers = fold_table(network)
        self._layers, dense = network.recurrent, layers[-1]
        assert isinstance(dense, Dense)
        self._kernel, self._bias = dense.kernel, dense.bias

    @staticmethod
    def fits(network: Network) -> bool:
        """Whether it is such a network."""
        layers, recurrent = fold_table(network)[1], network.recurrent
        has_no_others = len(layers) == len(recurrent) + 1 and isinstance(layers[-1], Dense)
        return has_no_others and all(
            layer.reset_after and layer.bias is not None and layer.activation == "tanh" for layer in recurrent
        )

    def rate(self, count: int = 400) -> float:
        """Characters a second."""
        states = [np.zeros(layer.units, np.float32) for layer in self._layers]
        numbers, token = np.random.default_rng(1), 0
        started = time.perf_counter()
        for _ in range(count):
            x = self._table[token]
            for place, (layer, h) in enumerate(zip(self._layers, states, strict=True)):
                size = len(h)
                assert layer.bias is not None
                if place:
                    x = x @ layer.kernel + layer.bias[0]
                    x[: 2 * size] += layer.bias[1, : 2 * size]
                product = h @ layer.recurrent
                gates = 1 / (1 + np.exp(-(x[: 2 * size] + product[: 2 * size])))
                z, r = gates[:size], gates[size:]
                c = np.tanh(x[2 * size :] + r * (product[2 * size :] + layer.bias[1, 2 * size :]))
                x = states[place] = c + z * (h - c)
            logits = (x @ self._kernel + self._bias).astype(np.float64)
            totals = np.cumsum(np.exp((logits - logits.max()) / TEMPERATURE))
            token = int(np.searchsorted(totals, numbers.random() * totals[-1]))
        return count / (time.perf_counter() - started)


def memory_limit(network: Network) -> float:
    """Steps a second that reading all weights of a step once from where they lie allows, by NumPy's own product."""
    numbers = sum(layer.recurrent.size for layer in network.recurrent)
    numbers += sum(layer.kernel.size for layer in fold_table(network)[1][1:] if isinstance(layer, Dense | Recurrent))
    weights = np.ones((1024, -(-numbers // 1024)), np.float32)
    x, count = np.ones(1024, np.float32), 200
    started = time.perf_counter()
    for _ in range(count):
        x @ weights
    return count / (time.perf_counter() - started)
