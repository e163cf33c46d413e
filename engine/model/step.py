"""What a step function is: `(ids [B], state [B, S]) -> (logits [B, V], state [B, S])`.

State is a value: passed in and returned, never kept. `onnx_step` has the fast one for CPUs, `keras_step` the reference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.sampling import Draws

Ids = NDArray[np.int32]
State = NDArray[np.float32]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """A network in figures: its first recurrent layer's cell and units, its recurrent layers, its trained numbers."""

    cell: str
    units: int
    layers: int
    parameters: int


def fingerprint(weights: Sequence[NDArray[np.float32]]) -> bytes:
    """The sha256 of some arrays with their shapes."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, np.float32).data)
    return digest.digest()


class StepFunction(Protocol):
    """Runs a network for one time step. A row's result never depends on the other rows."""

    shape: Shape
    state_size: int
    vocabulary_size: int

    @property
    def fingerprint(self) -> bytes:
        """The sha256 of all weights, in the order of the layers and as Keras orders a layer's."""
        ...

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row. The arrays returned are new and may be written in; those passed in are not changed."""
        ...


@runtime_checkable
class BlockStep(StepFunction, Protocol):
    """One that takes many steps before it comes back, and draws between them as `engine.sampling.Sampler` would."""

    def read(self, ids: Ids, state: State, begin: int = 0) -> tuple[Logits, State]:
        """Feed many tokens a row: `ids [T, B]`, `state [B, S]` to the `logits [T - begin, B, V]` after each token from
        `begin` on, and `state [B, S]`: the same as one by one."""
        ...

    def write(self, ids: Ids, state: State, draws: Draws) -> tuple[Ids, State]:
        """Feed `ids [B]`, draw a token a row, feed it, and so on: to the tokens drawn `[N, B]` and the state `[B, S]`
        before the last is fed."""
        ...


def read_one_by_one(step: StepFunction, ids: Ids, state: State, begin: int) -> tuple[Logits, State]:
    """`BlockStep.read` by steps."""
    kept = []
    for place, row_ids in enumerate(ids):
        logits, state = step(row_ids, state)
        if place >= begin:
            kept.append(logits)
    return np.stack(kept), state
