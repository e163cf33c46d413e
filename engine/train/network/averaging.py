"""A running average of the weights, which often writes better than the weights themselves (Polyak and Juditsky 1992).

It forgets old weights exponentially, so it works with every schedule and needs not know when training has converged.
With a constant rate it does what a falling rate would; with a cosine it changes little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf


class Average:
    """The averages of some variables; with a share of 0, nothing."""

    def __init__(self, variables: Sequence[Any], share: float) -> None:
        """`share` of the average is kept at each update, and less in the first ones."""
        self._share = share
        self._trained = list(variables) if share else []
        self.variables = [tf.Variable(variable, trainable=False) for variable in self._trained]

    def begin(self) -> None:
        """Begin anew from the weights as they are."""
        for average, variable in zip(self.variables, self._trained, strict=True):
            average.assign(variable)

    def add(self, update: Any) -> None:
        """Take the weights in that update number `update` has left, counted from 0.

        The share grows as (1 + n) / (10 + n) until it is reached, so that the first weights do not last.
        """
        number = tf.cast(update, tf.float32)
        share = tf.minimum(self._share, (1 + number) / (10 + number))
        for average, variable in zip(self.variables, self._trained, strict=True):
            average.assign_sub((1 - share) * (average - variable))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Swap the averages in for the trained weights, and back at the end."""
        trained = [tf.identity(variable) for variable in self._trained]
        for average, variable in zip(self.variables, self._trained, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(self._trained, trained, strict=True):
                variable.assign(value)
