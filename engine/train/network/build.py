"""The Keras model that is saved, and the stateless network over its variables that is trained.

The saved model is a stock, stateful chain of batch 1: Embedding or one-hot input, recurrent layers, perhaps each with
LayerNormalization, Dense. The stateless network is a function of the same variables, from token ids and states to
logits and states. Only it knows dropout and weight drop, as masks that are passed in (`dropout`), and tied weights: it
computes logits with the embedding's own variable, and `finish` copies that into the saved Dense layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from engine import program
from engine.errors import TrainingError
from engine.train.network.dropout import Masks
from engine.train.network.loss import cross_entropy
from engine.train.network.scan import gru_scan, lstm_scan, product, rnn_scan
from engine.train.settings import TrainSettings

Tensor = Any
PART_LANES = 16  # the fewest that are worth a core of their own
PART_KERNEL = 2 << 20  # numbers of a recurrent kernel that each core can still keep in its cache
LAYERS: dict[str, Any] = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM, "rnn": keras.layers.SimpleRNN}


def build_model(vocabulary_size: int, settings: TrainSettings) -> keras.Model:
    """The stateful model of batch 1, from ids `[1, T]` to logits `[1, T, V]`."""
    keras.utils.set_random_seed(settings.seed)
    ids = keras.Input(batch_shape=(1, None), dtype="int32", name="ids")
    if settings.input == "one-hot":
        chain: list[Any] = [_OneHot(vocabulary_size)]
    else:
        chain = [keras.layers.Embedding(vocabulary_size, settings.embedding, name="embedding")]
    for number, units in enumerate(settings.widths, 1):
        name = f"{settings.cell}_{number}"
        chain.append(LAYERS[settings.cell](units, return_sequences=True, stateful=True, name=name))
        if settings.normalization:
            chain.append(keras.layers.LayerNormalization(name=f"normalization_{number}"))
    chain.append(keras.layers.Dense(vocabulary_size, name="logits"))
    if settings.input != "one-hot":
        network = keras.Sequential([ids, *chain], name="network")
    else:
        x = ids
        for layer in chain:
            x = layer(x)
        network = keras.Model(ids, x, name="network")
    if settings.init_scale:
        _spread_evenly(network, settings)
    return network


def _spread_evenly(network: keras.Model, settings: TrainSettings) -> None:
    """Draw weights and biases evenly from minus to plus `init_scale` (Zaremba et al. 2014)."""
    rng, scale = np.random.default_rng(settings.seed), settings.init_scale
    for layer in network.layers:
        if not isinstance(layer, keras.layers.LayerNormalization):
            for variable in layer.trainable_variables:
                variable.assign(rng.uniform(-scale, scale, variable.shape).astype(np.float32))


class _OneHot:
    """Keras' own operation, which a functional model keeps as a stock layer."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, ids: Tensor) -> Tensor:
        return keras.ops.one_hot(ids, self._size)


class StatelessNetwork:
    """A pure function over the variables of a model; `fused` takes Keras' layers (cuDNN on a GPU), else our scans."""

    def __init__(
        self, model: keras.Model, *, dtype: str = "float32", fused: bool = False, is_tied: bool = False,
        is_gpu: bool = False,
    ) -> None:  # fmt: skip
        layers: list[Any] = model.layers
        self.embedding: Any = next((layer for layer in layers if isinstance(layer, keras.layers.Embedding)), None)
        self.recurrent: list[Any] = [layer for layer in layers if isinstance(layer, tuple(LAYERS.values()))]
        self.normalizations = [layer for layer in layers if isinstance(layer, keras.layers.LayerNormalization)]
        self.dense = layers[-1]
        self.cell = next(name for name, kind in LAYERS.items() if isinstance(self.recurrent[0], kind))
        self._is_tied = is_tied and self.embedding is not None
        self.variables = [
            variable for variable in model.trainable_variables if not (is_tied and variable is self.dense.kernel)
        ]
        self._dtype = tf.as_dtype(dtype)
        self._fused = [_stateless(layer, self._dtype, is_gpu) for layer in self.recurrent] if fused else []

    def finish(self) -> None:
        """Copy the embedding into the saved output layer, if the two are tied."""
        if self._is_tied:
            self.dense.kernel.assign(tf.transpose(self.embedding.embeddings.value))

    @property
    def state_count(self) -> int:
        """How many states there are in all."""
        return len(self.recurrent) * (2 if self.cell == "lstm" else 1)

    def zero_state(self, batch: int) -> list[Tensor]:
        """Zero states `[B, H]`: one a layer, two (hidden and cell) for an LSTM."""
        count = self.state_count // len(self.recurrent)
        return [tf.zeros([batch, layer.units]) for layer in self.recurrent for _ in range(count)]

    def forward(
        self, ids: Tensor, states: list[Tensor], masks: Masks, keep: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Ids `[T, B]` and states `[B, H]` to logits `[T, B, V]` and the states after the last step.

        `keep [T, B]`: 0 where all states begin anew before that step, else 1.
        """
        dropped, _, after = self.hidden(ids, states, masks, keep)
        return self.logits(dropped), after

    def hidden(
        self, ids: Tensor, states: list[Tensor], masks: Masks, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The last layer's outputs `[T, B, H]`, with dropout and without, and the states after the last step.

        On a CPU the lanes are divided over the cores where that is faster.
        """
        parts = self._parts(ids.shape[1])
        if parts == 1:
            return self._hidden(ids, states, masks, keep)
        lanes = zip(
            tf.split(ids, parts, 1), zip(*(tf.split(state, parts) for state in states), strict=True),
            [None] * parts if keep is None else tf.split(keep, parts, 1), strict=True,
        )  # fmt: skip
        dropped, whole, after = zip(
            *(self._hidden(ids, states, masks.of((n, parts)), keep) for n, (ids, states, keep) in enumerate(lanes)),
            strict=True,
        )
        return tf.concat(dropped, 1), tf.concat(whole, 1), [tf.concat(states, 0) for states in zip(*after, strict=True)]

    def _parts(self, batch: int) -> int:
        """Into how many parts the lanes are divided, a core each.

        Only in bfloat16: its products are too small to be divided themselves, and most of the time goes to the gates.
        """
        kernels = [math.prod(layer.cell.recurrent_kernel.shape) for layer in self.recurrent]
        if self._fused or self._dtype != tf.bfloat16 or max(kernels) > PART_KERNEL:
            return 1
        return next(n for n in range(min(program.cores(), batch // PART_LANES) or 1, 0, -1) if batch % n == 0)

    def _hidden(
        self, ids: Tensor, states: Sequence[Tensor], masks: Masks, keep: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        after: list[Tensor] = []
        x = whole = ids
        count = len(states) // len(self.recurrent)
        for index, layer in enumerate(self.recurrent):
            x, *last = self._layer(index, layer, x, states[index * count : (index + 1) * count], masks, keep)
            after += last
            if self.normalizations:
                x = self.normalizations[index](x)
            whole = x
            if masks.outputs and masks.outputs[index] is not None:
                x = x * masks.outputs[index]
        return x, whole, after

    def logits(self, x: Tensor) -> Tensor:
        """The last layer's outputs `[T, B, H]` to logits `[T, B, V]`."""
        flat = product(tf.reshape(x, [-1, x.shape[-1]]), self._output, self._dtype, transpose_b=self._is_tied)
        return tf.reshape(flat + self.dense.bias, [*x.shape[:2], self.dense.bias.shape[0]])

    def losses(self, x: Tensor, targets: Tensor) -> Tensor:
        """The last layer's outputs `[T, B, H]` to nats `[T, B]`, the cost of each target.

        `targets` are ids `[T, B]` or distributions `[T, B, V]`.

        A GPU's own operation for softmax and loss in one is not deterministic, and TensorFlow refuses it.
        """
        is_soft = targets.shape.rank == 3
        if self._fused:
            soft, hard = tf.nn.softmax_cross_entropy_with_logits, tf.nn.sparse_softmax_cross_entropy_with_logits
            return (soft if is_soft else hard)(labels=targets, logits=self.logits(x))
        flat = tf.reshape(x, [-1, x.shape[-1]])
        wanted = tf.reshape(targets, [-1, targets.shape[-1]] if is_soft else [-1])
        nats = cross_entropy(flat, self._output, self.dense.bias, wanted, self._dtype, is_tied=self._is_tied)
        return tf.reshape(nats, x.shape[:2])

    @property
    def _output(self) -> Tensor:
        """The output's kernel `[H, V]`, or the embedding `[V, H]` that it is tied to."""
        return tf.convert_to_tensor(self.embedding.embeddings if self._is_tied else self.dense.kernel)

    def _layer(
        self, index: int, layer: Any, x: Tensor, states: Sequence[Tensor], masks: Masks, keep: Tensor | None
    ) -> tuple[Tensor, ...]:
        """The outputs `[T, B, H]` of a recurrent layer, and its states after them."""
        kernel, recurrent, bias = layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias
        if masks.kernels:
            recurrent = recurrent * masks.kernels[index]
        if self._fused:
            if keep is not None:
                raise ValueError("keep: the fused kernels cannot begin anew in the midst of a chunk")
            x = x if index else self._embedded(x, masks)
            return self._fused_layer(self._fused[index], x, states, [kernel, recurrent, bias])
        if index:
            projected = self._affine(x, kernel, self._input_bias(bias))
        else:
            projected = self._project(x, kernel, self._input_bias(bias), masks)
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

    def _affine(self, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """Vectors `[T, B, I]` times a kernel, and the bias, `[T, B, O]`, as one large product."""
        flat = product(tf.reshape(x, [-1, x.shape[-1]]), kernel, self._dtype)
        return tf.reshape(tf.nn.bias_add(flat, bias), [*x.shape[:2], flat.shape[-1]])

    def _input_bias(self, bias: Tensor) -> Tensor:
        return bias[0] if self.cell == "gru" else bias

    def _project(self, ids: Tensor, kernel: Tensor, bias: Tensor, masks: Masks) -> Tensor:
        """The first layer's inputs times its kernel, `[T, B, G*H]`; where possible, from a table of products."""
        if self.embedding is None:
            return _rows(kernel, ids, masks) * _kept_tokens(masks.inputs, ids) + bias
        embeddings = self.embedding.embeddings
        if masks.inputs is None and embeddings.shape[0] < ids.shape.num_elements():  # fewer rows than look-ups
            if masks.tokens is not None:
                embeddings = embeddings * masks.tokens[:, None]
            return tf.gather(tf.matmul(embeddings, kernel) + bias, ids)
        return self._affine(self._embedded(ids, masks), kernel, bias)

    def _embedded(self, ids: Tensor, masks: Masks) -> Tensor:
        """The first layer's inputs `[T, B, I]`."""
        table = tf.eye(self.dense.kernel.shape[-1]) if self.embedding is None else self.embedding.embeddings
        rows = _rows(table, ids, masks)
        return rows if masks.inputs is None else rows * masks.inputs

    def _fused_layer(
        self, layer: Any, x: Tensor, states: Sequence[Tensor], weights: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """Keras' own layer, on a GPU cuDNN's kernel: outputs `[T, B, H]` and the states after them."""
        (outputs, *after), _ = layer.stateless_call(
            [tf.cast(weight, self._dtype) for weight in weights],
            [variable.value for variable in layer.non_trainable_variables],
            tf.cast(tf.transpose(x, [1, 0, 2]), self._dtype),
            initial_state=[tf.cast(state, self._dtype) for state in states],
        )
        outputs = tf.ensure_shape(tf.transpose(outputs, [1, 0, 2]), [*x.shape[:2], layer.units])
        return tf.cast(outputs, tf.float32), *(tf.cast(state, tf.float32) for state in after)


def _rows(table: Tensor, ids: Tensor, masks: Masks) -> Tensor:
    """The rows of a table `[V, N]` for ids `[T, B]`, those of dropped tokens as zeros."""
    rows = tf.gather(tf.convert_to_tensor(table), ids)
    return rows if masks.tokens is None else rows * tf.gather(masks.tokens, ids)[..., None]


def _kept_tokens(inputs: Tensor | None, ids: Tensor) -> Tensor:
    """What a one-hot input's mask `[1, B, V]` makes of the ones at ids `[T, B]`: `[T, B, 1]`."""
    if inputs is None:
        return 1.0
    return tf.transpose(tf.gather(inputs[0], tf.transpose(ids), batch_dims=1))[..., None]


def _stateless(layer: Any, dtype: Any, is_gpu: bool) -> Any:
    """A layer without state of its own, whose weights are passed in.

    On a GPU it is cuDNN's kernel; raises `TrainingError` where Keras would quietly take its slow loop instead.
    SimpleRNN has no such kernel.
    """
    further: dict[str, Any] = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros", "dtype": dtype.name}
    if is_gpu and not isinstance(layer, keras.layers.SimpleRNN):
        further["use_cudnn"] = True
    stateless = type(layer)(layer.units, return_sequences=True, return_state=True, **further)
    width = layer.cell.kernel.shape[0]
    stateless.build((None, None, width))
    try:
        stateless(tf.zeros([1, 1, width], dtype))
    except (ValueError, tf.errors.OpError) as error:
        why = str(error).strip().splitlines()[0]
        raise TrainingError(f"cuDNN cannot run {layer.name} on this GPU ({why}): train with --device cpu") from None
    return stateless
