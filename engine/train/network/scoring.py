"""The held-out score: a whole text in lanes side by side, each token once. Knows arrays and TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.train.data.corpus import Ids
from engine.train.hardware.distributed import SingleReplica
from engine.train.network.build import StatelessNetwork
from engine.train.network.dropout import NO_MASKS

SCORING_LANES = 64
SCORING_CONTEXT = 512  # tokens read before a lane is scored, so that its state is the carried one
SCORING_STEPS = 256
MustStop = Callable[[], bool]


class Stopped(Exception):
    """Scoring was given up because its caller asked for it."""


def never() -> bool:
    """Nobody asks."""
    return False


def scoring_lanes(tokens: int, lanes: int, context: int) -> tuple[NDArray[np.int64], int]:
    """Split the targets 1..tokens-1 into lanes that are scored side by side.

    Returns the first target of each lane `[B]` and the targets a lane (the last lanes may have fewer). Each
    lane reads `context` tokens before its first target without scoring them, so its state is carried in.
    """
    count = max(1, min(lanes, (tokens - 1) // max(1, context)))
    length = -(-(tokens - 1) // count)
    return 1 + np.arange(count) * length, length


class Scorer:
    """Scores a text with the weights of a network, its lanes divided over the replicas."""

    def __init__(self, network: StatelessNetwork, replicas: SingleReplica) -> None:
        self._network, self._replicas = network, replicas
        self._score = tf.function(self._score_chunk)

    def nats(self, ids: Ids, must_stop: MustStop = never) -> float:
        """Nats a token over `ids [N]`, but the first.

        Each lane has the state carried in over the 512 tokens before it. Raises `Stopped` where `must_stop`, which is
        asked now and then, says so.
        """
        replicas = self._replicas
        firsts, length = scoring_lanes(len(ids), SCORING_LANES, SCORING_CONTEXT)
        firsts = np.pad(firsts, (0, -len(firsts) % replicas.count), constant_values=len(ids))  # with empty lanes
        states = replicas.share_all(map(np.asarray, self._network.zero_state(len(firsts))), 0)
        total = 0.0
        for begin in range(-SCORING_CONTEXT, length, SCORING_STEPS):
            offsets = np.arange(begin, begin + SCORING_STEPS)[:, None]  # of targets in their lane, [T, 1]
            targets = firsts[None, :] + offsets  # [T, B]
            real = targets >= 1  # before the text begins there is nothing to feed
            counted = real & (offsets >= 0) & (offsets < length) & (targets < len(ids))
            inputs, wanted = ids[np.clip(targets - 1, 0, len(ids) - 1)], ids[np.clip(targets, 0, len(ids) - 1)]
            shared = (inputs.astype(np.int32), wanted.astype(np.int32), counted.astype(np.float32), real[-1:])
            nats, states = self._score(*replicas.share_all(shared), states)
            total += float(nats)
            if must_stop():
                raise Stopped
        return total / (len(ids) - 1)

    def _score_chunk(self, *arguments: Any) -> tuple[Any, Any]:
        return self._replicas.sum(self._nats, *arguments)

    def _nats(self, inputs: Any, targets: Any, counted: Any, has_begun: Any, states: Any) -> tuple[Any, Any]:
        hidden, _, after = self._network.hidden(inputs, states, NO_MASKS)
        return tf.reduce_sum(self._network.losses(hidden, targets) * counted), [
            tf.where(has_begun[0][:, None], state, 0.0) for state in after
        ]
