"""The step function on Keras and TensorFlow: for GPUs, for layers that `onnx_step` does not know, and as the reference
for its tests.

One step walks through the model's own graph with a sequence of one token and calls each recurrent layer's cell once,
with its state as input and output. At loading, some tokens are run one by one and as a whole text; where the two
differ, the model is refused. Knows no vocabulary.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ModelLoadError
from engine.model.keras_file import KERAS_2, UnfitError, opened, saving_advice
from engine.model.network_reader import read_network
from engine.model.step import Ids, Logits, Shape, State, fingerprint
from engine.model.stepwise import CANNOT, objection
from engine.program import import_tensorflow

try:
    import_tensorflow()
    import keras
    import tensorflow as tf
except ImportError:
    raise ModelLoadError(
        "--backend keras needs TensorFlow: install it with \"pip install 'textrepl[train]'\""
    ) from None

PROBED_TOKENS, PROBED_STEPS = 64, 8
TINY = np.finfo(np.float32).tiny
OTHER_FUNCTION = "hard_sigmoid"  # x / 5 + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3
PLAIN = "train one of Embedding, GRU or LSTM, and Dense"


class KerasStep:
    """A Keras model for one time step, compiled as one `tf.function`."""

    def __init__(self, path: Path) -> None:
        model = _load(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of layers that drop a mask
                self._prepare(model)
        except UnfitError as error:
            raise ModelLoadError(f"{path}: {error}") from None
        except Exception as error:  # Keras raises whatever its layers raise
            raise ModelLoadError(f"{path}: Keras cannot run it token by token ({_line(error)}): {PLAIN}") from None

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row: `ids [B]`, `state [B, S]` to `logits [B, V]`, `state [B, S]`."""
        logits, after = self._compiled(ids, state)
        return np.asarray(logits), np.array(after)  # TensorFlow's own memory is not to be written in

    def _prepare(self, model: Any) -> None:
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise UnfitError("must have one input and one output: save one that takes tokens and gives their logits")
        self._model, self._source = model, model.inputs[0]
        self.vocabulary_size = int(model.outputs[0].shape[-1])
        if len(self._source.shape) != 2 and self._source.shape[2:] != (self.vocabulary_size,):
            raise UnfitError(f"its input is neither token ids nor one-hot vectors of {self.vocabulary_size} tokens")
        walk = _Walk(None)
        outputs = walk.run(model, self._inputs(tf.range(min(self.vocabulary_size, PROBED_TOKENS)))[:, None])
        if not walk.layers:
            raise UnfitError(f"must have recurrent layers: {CANNOT}")
        self._gives_probabilities = _are_probabilities(np.asarray(_last(outputs)))
        self._sizes = [state.shape[-1] for state in walk.after]
        self.state_size = sum(self._sizes)
        self.shape = Shape(
            {"SimpleRNN": "rnn"}.get(type(walk.layers[0]).__name__, type(walk.layers[0]).__name__.lower()),
            self._sizes[0], len(walk.layers), model.count_params(),
        )  # fmt: skip
        self.fingerprint = fingerprint([np.asarray(variable, np.float32) for variable in model.weights])
        self._compiled = tf.function(
            self._step,
            input_signature=[
                tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, self.state_size], tf.float32),
            ],
        )  # fmt: skip
        self._check(walk.layers)

    def _inputs(self, ids: Any) -> Any:
        """Ids, or their one-hot vectors, of the type that the model takes."""
        is_one_hot = len(self._source.shape) == 3
        return tf.cast(tf.one_hot(ids, self.vocabulary_size) if is_one_hot else ids, self._source.dtype)

    def _step(self, ids: Any, state: Any) -> tuple[Any, Any]:
        walk = _Walk(tf.split(state, self._sizes, axis=1))
        logits = _last(walk.run(self._model, self._inputs(ids)[:, None]))
        return tf.math.log(tf.maximum(logits, TINY)) if self._gives_probabilities else logits, tf.concat(walk.after, 1)

    def _check(self, layers: list[Any]) -> None:
        """Raise unless some tokens, one of them 0, give the same one by one as in a whole text."""
        rows, length = self._source.shape[0] or 1, self._source.shape[1] or PROBED_STEPS
        ids = np.random.default_rng(0).integers(self.vocabulary_size, size=length).astype(np.int32)
        ids[length // 2] = 0
        for layer in layers:
            layer.reset_state()
        whole = np.asarray(tf.cast(self._model(tf.repeat(self._inputs(ids)[None], rows, axis=0))[0], tf.float32))
        state, steps = np.zeros((1, self.state_size), np.float32), []
        for token in ids:
            logits, state = self(np.array([token], np.int32), state)
            steps.append(np.exp(logits[0]) if self._gives_probabilities else logits[0])
        if not np.isfinite(whole).all():
            raise UnfitError("gives values that are no numbers: train it again")
        is_exact = all(layer.compute_dtype == "float32" for layer in layers)
        allowed = 0.01 if is_exact else 0.05  # of the spread
        if np.abs((steps if whole.ndim == 2 else steps[-1]) - whole).max() > allowed * np.ptp(whole) + 1e-6:
            raise UnfitError(f"gives for a text read token by token not what it gives for the whole: {CANNOT}; {PLAIN}")


class _Walk:
    """One run through a model for sequences of one token, in eager mode or traced."""

    def __init__(self, states: list[Any] | None) -> None:
        self._states = states  # in the order in which recurrent layers are called; None for zeros
        self.after: list[Any] = []
        self.layers: list[Any] = []

    def run(self, model: Any, x: Any) -> Any:
        """The output for `x [B, 1]` or `[B, 1, V]`. (The graph's public walk, clone_model, makes another model.)"""
        graph = model._functional if isinstance(model, keras.Sequential) else model
        return keras.tree.flatten(graph._run_through_graph(x, call_fn=self._call))[0]

    def _call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.layers.RNN):
            return self._recurrent(layer, *args, **kwargs)
        if isinstance(layer, keras.Model):
            if kwargs.get("mask") is not None:
                args[0]._keras_mask = kwargs["mask"]
            return self.run(layer, args[0])
        if isinstance(layer, keras.layers.CategoryEncoding) and len(args[0].shape) == 2:
            return layer(args[0][..., None])  # else it takes the one token of a row for its features
        return layer(*args, **kwargs)

    def _recurrent(self, layer: Any, x: Any, initial_state: Any = None, mask: Any = None, **kwargs: Any) -> list[Any]:
        """The output and the states of a layer; a step that is masked leaves them as they were."""
        if initial_state is not None:
            raise UnfitError(f"its layer {layer.name!r} begins with the state of another layer: {CANNOT}; {PLAIN}")
        cell, mask = layer.cell, getattr(x, "_keras_mask", None) if mask is None else mask
        cells = cell.cells if isinstance(cell, keras.layers.StackedRNNCells) else [cell]
        before = [self._state(size, x, cell) for size in keras.tree.flatten(cell.state_size)]
        is_single = isinstance(cell.state_size, int)
        packed = before if is_single else keras.tree.pack_sequence_as(cell.state_size, before)
        output, states = cell(x[:, 0], packed, training=False)
        states = keras.tree.flatten(states)
        if mask is not None:
            is_step = tf.cast(mask[:, :1], tf.bool)
            held = before[-len(keras.tree.flatten(cells[-1].state_size))]  # the hidden state of the last cell
            output = tf.where(is_step, output, tf.zeros_like(output) if layer.zero_output_for_mask else held)
            states = [tf.where(is_step, new, old) for new, old in zip(states, before, strict=True)]
        self.layers.append(layer)
        self.after += [tf.cast(state, tf.float32) for state in states]
        output = tf.cast(output, layer.compute_dtype)
        if layer.return_sequences:
            output = output[:, None]
            output._keras_mask = mask
        return [output, *states]

    def _state(self, size: int, x: Any, cell: Any) -> Any:
        state = tf.zeros((tf.shape(x)[0], size)) if self._states is None else self._states.pop(0)
        return tf.cast(state, cell.compute_dtype)


def _load(path: Path) -> Any:
    with opened(path) as keras_file:
        if reason := objection(keras_file.config):
            raise UnfitError(reason)
        is_keras_2 = keras_file.is_keras_2
        if is_keras_2 and OTHER_FUNCTION in str(keras_file.config):
            raise UnfitError(f"was written by {KERAS_2}, whose {OTHER_FUNCTION} was another: {_way(path)}")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        if is_keras_2:
            raise ModelLoadError(f"{path}: was written by {KERAS_2}, so Keras 3 cannot load it: {_way(path)}") from None
        raise ModelLoadError(
            f"{path}: Keras cannot load it ({_line(error)}): save it again with stock layers"
        ) from None


def _way(path: Path) -> str:
    """What to do with a file of Keras 2."""
    try:
        read_network(path)
    except ModelLoadError:
        return saving_advice(path)
    return "leave out --backend keras, for the fast backend reads it"


def _line(error: Exception) -> str:
    """The first line of an error of Keras."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0][:200]


def _last(outputs: Any) -> Any:
    return tf.cast(outputs if len(outputs.shape) == 2 else outputs[:, -1], tf.float32)


def _are_probabilities(outputs: np.ndarray[Any, Any]) -> bool:
    """Whether each row `[B, V]` is a distribution, wherever the softmax was written."""
    return bool((outputs >= 0).all() and (np.abs(outputs.sum(-1) - 1) < 0.01).all())
