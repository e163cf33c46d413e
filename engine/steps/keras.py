"""The step function on Keras itself, on TensorFlow: for GPUs, for layers the compiler does not know, and as the
reference that the fast path is tested against.

The stateful model of batch 1 is rebuilt as its explicit-state twin: the same layers and weights, with every
recurrent layer's state going in and coming out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelLoadError
from engine.program import import_tensorflow
from engine.steps import Ids, Logits, Shape, State, fingerprint

try:
    import_tensorflow()
    import keras
    import tensorflow as tf
except ImportError:
    raise ModelLoadError(
        "--backend keras needs TensorFlow: install it with \"pip install 'textrepl[train]'\""
    ) from None


class KerasStep:
    """The explicit-state twin of a Keras model, compiled as one `tf.function`."""

    def __init__(self, path: Path) -> None:
        try:
            model = keras.models.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its layers raise
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise ModelLoadError(
                f"{path}: Keras cannot load it ({reason[0]}): save it again with stock layers"
            ) from None
        recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
        if not recurrent or len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ModelLoadError(f"{path}: must have recurrent layers, one input and one output")
        self._sizes = [size for layer in recurrent for size in _state_sizes(layer)]
        self.state_size = sum(self._sizes)
        self.vocabulary_size = int(model.outputs[0].shape[-1])
        self.shape = Shape(
            {"SimpleRNN": "rnn"}.get(type(recurrent[0]).__name__, type(recurrent[0]).__name__.lower()),
            _state_sizes(recurrent[0])[0], len(recurrent), model.count_params(),
        )  # fmt: skip
        self.fingerprint = fingerprint([variable.numpy() for variable in model.trainable_variables])
        self._is_one_hot = len(model.inputs[0].shape) == 3
        self._gives_probabilities = _ends_in_softmax(model)
        self._twin = explicit_state_twin(model)
        self._compiled = tf.function(
            self._step,
            input_signature=[
                tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, self.state_size], tf.float32),
            ],
        )  # fmt: skip

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row: `ids [B]`, `state [B, S]` to `logits [B, V]`, `state [B, S]`."""
        logits, after = self._compiled(ids, state)
        return np.asarray(logits), np.array(after)  # TensorFlow's own memory is not to be written in

    def _step(self, ids: Any, state: Any) -> tuple[Any, Any]:
        inputs = tf.one_hot(ids, self.vocabulary_size) if self._is_one_hot else ids
        outputs, *after = self._twin([inputs[:, None], *tf.split(state, self._sizes, axis=1)], training=False)
        logits = outputs if len(outputs.shape) == 2 else outputs[:, -1]
        return tf.math.log(logits) if self._gives_probabilities else logits, tf.concat(after, 1)


def explicit_state_twin(model: keras.Model) -> keras.Model:
    """A functional model `[ids, *states] -> [output, *states]` that shares the weights of `model`.

    States in the order of the layers; an LSTM has two, hidden state and cell state.
    """
    source = model.inputs[0]
    ids = keras.Input(batch_shape=(None, *source.shape[1:]), dtype=source.dtype)
    states_in: list[Any] = []
    states_out: list[Any] = []

    def clone(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.RNN):
            return layer
        config = {**layer.get_config(), "stateful": False, "return_state": True}
        twin = type(layer).from_config(config)
        twin.build((None, *layer.input.shape[1:]))
        twin.set_weights(layer.get_weights())
        twin.gave_state = layer.return_state
        return twin

    # Any graph of layers: Keras' own walk over it, with another way to call a layer. (The public way to it,
    # clone_model, insists on building a model without the states among its inputs.)
    graph = model._functional if isinstance(model, keras.Sequential) else model
    x = graph._run_through_graph(
        keras.tree.pack_sequence_as(graph.input, [ids]),
        operation_fn=clone,
        call_fn=lambda layer, *args, **kwargs: _call(layer, args, kwargs, states_in, states_out),
    )
    x = keras.tree.flatten(x)[0]
    return keras.Model([ids, *states_in], [x, *states_out])


def _call(layer: Any, args: Any, kwargs: Any, states_in: list[Any], states_out: list[Any]) -> Any:
    if not isinstance(layer, keras.layers.RNN):
        return layer(*args, **kwargs)
    initial = [keras.Input((size,)) for size in _state_sizes(layer)]
    output, *after = layer(args[0], initial_state=initial)
    states_in += initial
    states_out += after
    return [output, *after] if layer.gave_state else output


def _state_sizes(layer: Any) -> list[int]:
    size = layer.state_size
    return [size] if isinstance(size, int) else list(size)


def _ends_in_softmax(model: keras.Model) -> bool:
    last = model.layers[-1]
    return isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax
