"""Contiguous lanes for truncated backpropagation: plain NumPy.

A text of N tokens is cut into B equal lanes, read side by side T tokens at a time; a lane's state is carried
from one chunk to the next, so each lane is one long stream. The starting offset moves between epochs, so that
the cuts between chunks fall elsewhere each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Tokens = NDArray[Any]  # ids as a token file has them, whole numbers of any width


def lane_count(tokens: int, batch: int, steps: int) -> int:
    """As many lanes as asked for, or as few as a short text can fill with one chunk each."""
    return max(1, min(batch, (tokens - 1) // (steps + 1)))


def epoch_offset(seed: int, epoch: int, steps: int) -> int:
    """Where the first lane of an epoch begins: drawn from [0, steps), the same each time it is asked."""
    return int(np.random.default_rng((seed, epoch)).integers(steps))


def chunk_count(tokens: int, batch: int, steps: int, offset: int) -> int:
    """How many chunks of `steps` tokens each lane has."""
    return (tokens - 1 - offset) // batch // steps


def lane_begins(tokens: int, batch: int, offset: int) -> NDArray[np.int64]:
    """The place of each lane's first token `[B]`."""
    return offset + np.arange(batch, dtype=np.int64) * ((tokens - 1 - offset) // batch)


def chunks(ids: Tokens, batch: int, steps: int, offset: int, start: int = 0) -> Iterator[tuple[Ids, Ids]]:
    """The inputs and targets `[T, B]` of an epoch, from chunk `start` on; targets are one token ahead."""
    count = chunk_count(len(ids), batch, steps, offset)
    length = (len(ids) - 1 - offset) // batch
    lanes = ids[offset : offset + batch * length].reshape(batch, length)  # [B, length]
    ahead = ids[offset + 1 : offset + 1 + batch * length].reshape(batch, length)
    for index in range(start, count):
        here = slice(index * steps, (index + 1) * steps)
        yield np.ascontiguousarray(lanes[:, here].T, np.int32), np.ascontiguousarray(ahead[:, here].T, np.int32)


def scoring_lanes(tokens: int, lanes: int, context: int) -> tuple[NDArray[np.int64], int]:
    """Split the targets 1..tokens-1 into lanes that are scored side by side.

    Returns the first target of each lane `[B]` and the targets a lane (the last lanes may have fewer). Each
    lane reads `context` tokens before its first target without scoring them, so its state is carried in.
    """
    count = max(1, min(lanes, (tokens - 1) // max(1, context)))
    length = -(-(tokens - 1) // count)
    return 1 + np.arange(count) * length, length
