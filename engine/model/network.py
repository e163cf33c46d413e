"""What a trained network is, as data: a chain of layers with their weights. Knows no file and nothing that runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector for each token: `table [V, E]`, the unit matrix for one-hot input.

    With `mask_zero` the id 0 is no step: recurrent layers keep their state and repeat their last output.
    """

    table: Array
    is_one_hot: bool = False
    mask_zero: bool = False


@dataclass(frozen=True, slots=True)
class Recurrent:
    """A recurrent layer in Keras' layout, gates side by side: GRU z, r, c; LSTM i, f, c, o; SimpleRNN one.

    `kernel [I, G*H]`, `recurrent [H, G*H]`, `bias` None, `[G*H]`, or `[2, G*H]` (GRU with `reset_after`).
    """

    cell: str  # "gru", "lstm" or "rnn"
    kernel: Array
    recurrent: Array
    bias: Array | None
    activation: str
    recurrent_activation: str
    reset_after: bool

    @property
    def units(self) -> int:
        """H."""
        return len(self.recurrent)

    @property
    def is_bounded(self) -> bool:
        """Whether its outputs always lie within [-1, 1]."""
        gates = self.cell == "rnn" or self.recurrent_activation in ("sigmoid", "hard_sigmoid")
        return gates and self.activation in ("tanh", "sigmoid", "hard_sigmoid", "softsign")

    @property
    def state_size(self) -> int:
        """Floats of state: H, or 2H for an LSTM (hidden state, then cell state)."""
        return self.units * (2 if self.cell == "lstm" else 1)


@dataclass(frozen=True, slots=True)
class Normalization:
    """Layer normalization over the last axis (Ba et al. 2016)."""

    gamma: Array | None
    beta: Array | None
    epsilon: float


@dataclass(frozen=True, slots=True)
class Dense:
    """`x kernel + bias`, then the activation."""

    kernel: Array
    bias: Array | None
    activation: str


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of each number; `slope` is that of "leaky_relu" below zero."""

    name: str
    slope: float = 0.0


Layer = Embedding | Recurrent | Normalization | Dense | Activation


@dataclass(frozen=True, slots=True)
class Network:
    """A chain of layers from token ids to logits; a softmax at its end has been left out."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def recurrent(self) -> tuple[Recurrent, ...]:
        """The layers that have state, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def state_size(self) -> int:
        """S: floats of state of one conversation."""
        return sum(layer.state_size for layer in self.recurrent)

    @property
    def weights(self) -> list[Array]:
        """All trained arrays, as Keras orders them; a one-hot input has none."""
        return [
            array
            for layer in self.layers
            if not (isinstance(layer, Embedding) and layer.is_one_hot)
            for name in ("table", "kernel", "recurrent", "bias", "gamma", "beta")
            if (array := getattr(layer, name, None)) is not None
        ]

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(array.size for array in self.weights)

    @property
    def vocabulary_size(self) -> int:
        """V: ids taken, which is also the number of logits."""
        return len(self.layers[0].table) if isinstance(self.layers[0], Embedding) else 0
