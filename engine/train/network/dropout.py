"""What keeps a network from learning its text by heart: dropout masks, and penalties on its activations.

They belong to training alone, and nothing of them is in the saved model. The masks of an update are a function of its
number and the seed, so that a resumed run draws the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from engine.train.hardware.distributed import Rank
from engine.train.settings import GATES, TrainSettings

Tensor = Any


@dataclass(frozen=True, slots=True)
class Masks:
    """Each mask is scaled by 1 / kept share already; None (or an empty tuple) where nothing is dropped.

    `outputs`, one `[1, B, H]` a layer, and `inputs [1, B, E]` (`[1, B, V]` of a one-hot input): one mask a lane for
    all steps (locked dropout, Gal and Ghahramani 2016). `kernels`, one `[H, G*H]` a layer: over the recurrent kernels
    (DropConnect, Merity et al. 2017). `tokens [V]`: whole rows of the embedding (Gal and Ghahramani 2016).
    """

    outputs: tuple[Tensor, ...] = ()
    kernels: tuple[Tensor, ...] = ()
    inputs: Tensor = None
    tokens: Tensor = None

    @classmethod
    def draw(cls, settings: TrainSettings, batch: int, update: Tensor, vocabulary_size: int) -> Masks:
        """The masks of update number `update`: the same ones whenever it is asked for them."""
        widths, gates = settings.widths, GATES[settings.cell]
        width = vocabulary_size if settings.input == "one-hot" else settings.embedding
        outputs = [settings.dropout] * (len(widths) - 1) + [settings.output_dropout]
        numbers = _Numbers(settings.seed, update)
        inputs = numbers.masks(2, [settings.dropout_input], [(1, batch, width)])
        tokens = numbers.masks(3, [settings.dropout_embedding], [(vocabulary_size,)])
        return cls(
            numbers.masks(0, outputs, [(1, batch, size) for size in widths]),
            numbers.masks(1, [settings.weight_drop] * len(widths), [(size, gates * size) for size in widths]),
            inputs[0] if inputs else None,
            tokens[0] if tokens else None,
        )

    def of(self, rank: Rank) -> Masks:
        """Those of one replica's lanes."""
        if rank is None:
            return self
        index, replicas = rank

        def part(mask: Tensor) -> Tensor:
            if mask is None:
                return None
            count = mask.shape[1] // replicas
            return mask[:, index * count : (index + 1) * count]

        return replace(self, outputs=tuple(map(part, self.outputs)), inputs=part(self.inputs))


NO_MASKS = Masks()


def activation_penalty(settings: TrainSettings, dropped: Tensor, whole: Tensor) -> Tensor:
    """What is added to the loss for the last layer's outputs `[T, B, H]`, with dropout and without.

    `ar` times the mean square of the former, and `tar` times that of the latter's change from one step to the next
    (Merity et al. 2017, "Revisiting activation regularization").
    """
    penalty = tf.constant(0.0)
    if settings.ar:
        penalty += settings.ar * tf.reduce_mean(tf.square(dropped))
    if settings.tar and whole.shape[0] > 1:
        penalty += settings.tar * tf.reduce_mean(tf.square(whole[1:] - whole[:-1]))
    return penalty


class _Numbers:
    """The random numbers of an update, in four streams."""

    def __init__(self, seed: int, update: Tensor) -> None:
        self._seed, self._update = seed, tf.cast(update, tf.int32)

    def masks(self, stream: int, shares: Sequence[float], shapes: Iterable[tuple[int, ...]]) -> tuple[Tensor, ...]:
        """A mask of each shape that drops its share, or nothing at all where no share is above 0."""
        if not any(shares):
            return ()
        sizes = [tf.TensorShape(shape).num_elements() for shape in shapes]
        uniform = tf.split(tf.random.stateless_uniform([sum(sizes)], self._key(stream)), sizes)
        return tuple(
            tf.reshape(tf.cast(numbers >= share, tf.float32) / (1 - share), shape) if share else None
            for numbers, share, shape in zip(uniform, shares, shapes, strict=True)
        )

    def _key(self, stream: int) -> Tensor:
        """Two numbers that no other update and stream of this run has: streams 2 and 3 count updates downwards."""
        second = (self._seed * 2 + stream % 2 + 2**31) % 2**32 - 2**31  # as a signed number
        return tf.stack([self._update if stream < 2 else -1 - self._update, second])
