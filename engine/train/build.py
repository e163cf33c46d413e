"""The Keras model that is saved, and its explicit-state twin that is trained.

The saved model is a stock, stateful Sequential of batch 1 (Embedding, GRU stack, Dense). The twin is a function
of the same variables: token ids and states in, logits and states out. Dropout and weight-drop live in the twin
alone, as masks that are passed in, so nothing of them is in the saved model's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from engine.train.scan import gru_scan, product
from engine.train.settings import TrainSettings

Tensor = Any


def build_model(vocabulary_size: int, settings: TrainSettings) -> keras.Model:
    """The stateful model of batch 1, from ids `[1, T]` to logits `[1, T, V]`."""
    keras.utils.set_random_seed(settings.seed)
    layers: list[Any] = [
        keras.Input(batch_shape=(1, None), dtype="int32", name="ids"),
        keras.layers.Embedding(vocabulary_size, settings.embedding, name="embedding"),
    ]
    layers += [
        keras.layers.GRU(settings.units, return_sequences=True, stateful=True, name=f"gru_{number}")
        for number in range(1, settings.layers + 1)
    ]
    layers.append(keras.layers.Dense(vocabulary_size, name="logits"))
    return keras.Sequential(layers, name="network")


@dataclass(frozen=True, slots=True)
class Masks:
    """Dropout masks of one update, each already scaled by 1 / kept share; None for no dropout.

    `outputs [L, 1, B, H]`: one mask a lane for all steps, over each layer's output (locked dropout, Gal and
    Ghahramani 2016). `kernels [L, H, 3H]`: over the recurrent kernels (DropConnect, Merity et al. 2017).
    """

    outputs: Tensor | None
    kernels: Tensor | None

    @classmethod
    def draw(cls, settings: TrainSettings, batch: int, update: Tensor) -> Masks:
        """The masks of update number `update`: the same ones whenever it is asked for them."""

        def mask(share: float, shape: tuple[int, ...], stream: int) -> Tensor | None:
            if not share:
                return None
            seed = tf.stack([tf.cast(update, tf.int32), settings.seed * 2 + stream])
            kept = tf.random.stateless_uniform(shape, seed) >= share
            return tf.cast(kept, tf.float32) / (1 - share)

        size, layers = settings.units, settings.layers
        return cls(
            mask(settings.dropout, (layers, 1, batch, size), 0),
            mask(settings.weight_drop, (layers, size, 3 * size), 1),
        )


NO_MASKS = Masks(None, None)


class Twin:
    """The same variables as a pure function; `fused` takes Keras' GRU (cuDNN on a GPU), else our scan."""

    def __init__(self, model: keras.Model, *, dtype: str = "float32", fused: bool = False) -> None:
        self.embedding, *self.grus, self.dense = model.layers
        self.variables = model.trainable_variables
        self._dtype = tf.as_dtype(dtype)
        self._fused = [_stateless_gru(layer) for layer in self.grus] if fused else []

    def zero_state(self, batch: int) -> list[Tensor]:
        """One zero state `[B, H]` a layer."""
        return [tf.zeros([batch, layer.units]) for layer in self.grus]

    def forward(self, ids: Tensor, states: list[Tensor], masks: Masks) -> tuple[Tensor, list[Tensor]]:
        """Ids `[T, B]` and states `[B, H]` to logits `[T, B, V]` and the states after the last step."""
        after = []
        x = ids
        for index, layer in enumerate(self.grus):
            x, state = self._layer(index, layer, x, states[index], masks)
            after.append(state)
            if masks.outputs is not None:
                x = x * masks.outputs[index]
        logits = product(tf.reshape(x, [-1, x.shape[-1]]), self.dense.kernel, self._dtype) + self.dense.bias
        return tf.reshape(logits, [*ids.shape, logits.shape[-1]]), after

    def _layer(self, index: int, layer: Any, x: Tensor, state: Tensor, masks: Masks) -> tuple[Tensor, Tensor]:
        kernel, recurrent, bias = layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias
        if masks.kernels is not None:
            recurrent = recurrent * masks.kernels[index]
        if self._fused:
            twin = self._fused[index]
            x = tf.gather(self.embedding.embeddings, x) if index == 0 else x
            (outputs, after), _ = twin.stateless_call(
                [kernel, recurrent, bias],
                [variable.value for variable in twin.non_trainable_variables],
                tf.transpose(x, [1, 0, 2]),
                initial_state=state,
            )
            return tf.transpose(outputs, [1, 0, 2]), after
        projected = self._project(index, x, kernel, bias[0])
        hidden = gru_scan(projected, state, recurrent, bias[1], self._dtype)
        hidden = tf.ensure_shape(hidden, [*x.shape[:2], layer.units])
        return hidden, hidden[-1]

    def _project(self, index: int, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """The inputs of a layer times its kernel, `[T, B, 3H]`; ids are looked up in a folded table."""
        if index > 0:
            flat = product(tf.reshape(x, [-1, x.shape[-1]]), kernel, self._dtype) + bias
            return tf.reshape(flat, [*x.shape[:2], kernel.shape[-1]])
        embeddings = self.embedding.embeddings
        if embeddings.shape[0] < x.shape.num_elements():  # fewer rows in the table than tokens to look up
            return tf.gather(tf.matmul(embeddings, kernel) + bias, x)
        return tf.matmul(tf.gather(embeddings, x), kernel) + bias


def _stateless_gru(layer: Any) -> Any:
    twin = keras.layers.GRU(layer.units, return_sequences=True, return_state=True)
    twin.build((None, None, layer.cell.kernel.shape[0]))
    return twin
