"""The step function of a network: `(ids [B], state [B, S]) -> (logits [B, V], state [B, S])`.

`onnx` is the fast one for CPUs, `keras` the reference. State is a value: passed in and returned, never kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
State = NDArray[np.float32]
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a person wants to know of a network: its first recurrent layer's cell and units, its depth and size."""

    cell: str
    units: int
    layers: int
    parameters: int


class Step(Protocol):
    """A step program. A row's result never depends on the other rows."""

    shape: Shape
    state_size: int
    vocabulary_size: int

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row. The arrays returned are new; those passed in are not changed."""
        ...
