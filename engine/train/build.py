"""The Keras model that is saved, and its explicit-state twin that is trained.

The saved model is a stock, stateful chain of batch 1 (Embedding or one-hot input, recurrent layers, perhaps with
LayerNormalization after each, Dense). The twin is a function of the same variables: token ids and states in, logits and
states out. Dropout and weight-drop live in the twin alone, as masks that are passed in, so nothing of them is in the
saved model's way. Nor is tying: the twin computes logits with the embedding's own variable, and `finish` gives the
saved Dense layer a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from engine.train.scan import gru_scan, lstm_scan, product, rnn_scan
from engine.train.settings import TrainSettings

Tensor = Any
LAYERS: dict[str, Any] = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}
GATES = {"gru": 3, "lstm": 4, "rnn": 1}


def build_model(vocabulary_size: int, settings: TrainSettings) -> keras.Model:
    """The stateful model of batch 1, from ids `[1, T]` to logits `[1, T, V]`."""
    keras.utils.set_random_seed(settings.seed)
    ids = keras.Input(batch_shape=(1, None), dtype="int32", name="ids")
    if settings.input == "one-hot":
        chain: list[Any] = [_OneHot(vocabulary_size)]
    else:
        chain = [keras.layers.Embedding(vocabulary_size, settings.embedding, name="embedding")]
    for number in range(1, settings.layers + 1):
        name = f"{settings.cell}_{number}"
        chain.append(LAYERS[settings.cell](settings.units, return_sequences=True, stateful=True, name=name))
        if settings.normalization:
            chain.append(keras.layers.LayerNormalization(name=f"normalization_{number}"))
    chain.append(keras.layers.Dense(vocabulary_size, name="logits"))
    if settings.input != "one-hot":
        return keras.Sequential([ids, *chain], name="network")
    x = ids
    for layer in chain:
        x = layer(x)
    return keras.Model(ids, x, name="network")


class _OneHot:
    """Keras' own operation, which a functional model keeps as a stock layer."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, ids: Tensor) -> Tensor:
        return keras.ops.one_hot(ids, self._size)


@dataclass(frozen=True, slots=True)
class Masks:
    """Dropout masks of one update, each already scaled by 1 / kept share; None for no dropout.

    `outputs [L, 1, B, H]`: one mask a lane for all steps, over each layer's output (locked dropout, Gal and
    Ghahramani 2016). `kernels [L, H, G*H]`: over the recurrent kernels (DropConnect, Merity et al. 2017).
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
            mask(settings.weight_drop, (layers, size, GATES[settings.cell] * size), 1),
        )


NO_MASKS = Masks(None, None)


class Twin:
    """The same variables as a pure function; `fused` takes Keras' layers (cuDNN on a GPU), else our scans."""

    def __init__(
        self, model: keras.Model, *, dtype: str = "float32", fused: bool = False, is_tied: bool = False
    ) -> None:  # fmt: skip
        layers: list[Any] = model.layers
        self.embedding = next((layer for layer in layers if isinstance(layer, keras.layers.Embedding)), None)
        self.recurrent: list[Any] = [layer for layer in layers if isinstance(layer, tuple(LAYERS.values()))]
        self.normalizations = [layer for layer in layers if isinstance(layer, keras.layers.LayerNormalization)]
        self.dense = layers[-1]
        self.cell = next(name for name, kind in LAYERS.items() if isinstance(self.recurrent[0], kind))
        self._is_tied = is_tied
        self.variables = [
            variable for variable in model.trainable_variables if not (is_tied and variable is self.dense.kernel)
        ]
        self._dtype = tf.as_dtype(dtype)
        self._fused = [_stateless(layer) for layer in self.recurrent] if fused else []

    def finish(self) -> None:
        """Make the saved model what was trained, where its output is tied to its input."""
        if self._is_tied and self.embedding is not None:
            self.dense.kernel.assign(tf.transpose(self.embedding.embeddings.value))

    def zero_state(self, batch: int) -> list[Tensor]:
        """Zero states `[B, H]`: one a layer, two (hidden and cell) for an LSTM."""
        count = 2 if self.cell == "lstm" else 1
        return [tf.zeros([batch, layer.units]) for layer in self.recurrent for _ in range(count)]

    def forward(
        self, ids: Tensor, states: list[Tensor], masks: Masks, keep: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Ids `[T, B]` and states `[B, H]` to logits `[T, B, V]` and the states after the last step.

        Where `keep [T, B]` is 0, and not 1, all states begin anew before that step.
        """
        after: list[Tensor] = []
        x = ids
        count = len(states) // len(self.recurrent)
        for index, layer in enumerate(self.recurrent):
            x, *last = self._layer(index, layer, x, states[index * count : (index + 1) * count], masks, keep)
            after += last
            if self.normalizations:
                x = self.normalizations[index](x)
            if masks.outputs is not None:
                x = x * masks.outputs[index]
        flat = tf.reshape(x, [-1, x.shape[-1]])
        if self._is_tied and self.embedding is not None:
            logits = product(flat, tf.convert_to_tensor(self.embedding.embeddings), self._dtype, transpose_b=True)
        else:
            logits = product(flat, self.dense.kernel, self._dtype)
        logits = logits + self.dense.bias
        return tf.reshape(logits, [*ids.shape, logits.shape[-1]]), after

    def _layer(
        self, index: int, layer: Any, x: Tensor, states: list[Tensor], masks: Masks, keep: Tensor | None
    ) -> tuple[Tensor, ...]:
        """The outputs `[T, B, H]` of a recurrent layer, and its states after them."""
        kernel, recurrent, bias = layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias
        if masks.kernels is not None:
            recurrent = recurrent * masks.kernels[index]
        if self._fused:
            if keep is not None:
                raise ValueError("keep: the fused kernels cannot begin anew in the midst of a chunk")
            twin = self._fused[index]
            if index == 0:
                table = tf.eye(kernel.shape[0]) if self.embedding is None else self.embedding.embeddings
                x = tf.gather(table, x)
            (outputs, *after), _ = twin.stateless_call(
                [kernel, recurrent, bias],
                [variable.value for variable in twin.non_trainable_variables],
                tf.transpose(x, [1, 0, 2]),
                initial_state=states if len(states) > 1 else states[0],
            )
            return tf.transpose(outputs, [1, 0, 2]), *after
        projected = self._project(index, x, kernel, bias[0] if self.cell == "gru" else bias)
        last: list[Tensor] = []
        if self.cell == "lstm":
            hidden, carry = lstm_scan(projected, states[0], states[1], recurrent, self._dtype, keep)
            last = [carry]
        elif self.cell == "gru":
            hidden = gru_scan(projected, states[0], recurrent, bias[1], self._dtype, keep)
        else:
            hidden = rnn_scan(projected, states[0], recurrent, self._dtype, keep)
        hidden = tf.ensure_shape(hidden, [*x.shape[:2], layer.units])
        return hidden, hidden[-1], *last

    def _project(self, index: int, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """The inputs of a layer times its kernel, `[T, B, G*H]`; ids are looked up in a folded table."""
        if index > 0:
            flat = tf.nn.bias_add(product(tf.reshape(x, [-1, x.shape[-1]]), kernel, self._dtype), bias)
            return tf.reshape(flat, [*x.shape[:2], kernel.shape[-1]])
        if self.embedding is None:
            return tf.gather(tf.convert_to_tensor(kernel), x) + bias
        embeddings = self.embedding.embeddings
        if embeddings.shape[0] < x.shape.num_elements():  # fewer rows in the table than tokens to look up
            return tf.gather(tf.matmul(embeddings, kernel) + bias, x)
        return tf.matmul(tf.gather(embeddings, x), kernel) + bias


def _stateless(layer: Any) -> Any:
    twin = type(layer)(layer.units, return_sequences=True, return_state=True)
    twin.build((None, None, layer.cell.kernel.shape[0]))
    return twin
