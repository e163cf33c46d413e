"""The counts of the text that a model was trained on, as one file of its folder: what is kept of them, and how.

Long contexts that were met once are most of all contexts and say least, so they go first. Knows no folder.
"""

from __future__ import annotations

import io
import zipfile
from itertools import pairwise
from typing import Any

import numpy as np

from engine.memory.counts import Index, Numbers, Order, orders_of, shortest_of

FILE = "counts.npz"
MOST_TOKENS = 5_000_000  # of a text; a network learns a longer one's frequent words better than so few bytes hold them
MOST_BYTES = 3_000_000  # of the file
MOST_UNPACKED = 60_000_000  # bytes; a file that asks for more is not ours
LEAST = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 1024)  # how often a context that is kept was met


def packed(index: Index) -> bytes:
    """As much of the counts of a text as fits `MOST_BYTES`, as a file."""
    shortest = shortest_of(index.vocabulary_size)
    data = b""
    for short, long in pairwise(LEAST):
        arrays: dict[str, Any] = {"size": np.array(index.vocabulary_size)}
        for length, order in enumerate(index.orders[shortest:], shortest):
            keys, counts = _met(order, long if length > shortest + 1 else short, index.vocabulary_size + 1)
            arrays[f"keys{length}"], arrays[f"counts{length}"] = np.diff(keys, prepend=0), counts.astype(np.int32)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        data = file.getvalue()
        if len(data) <= MOST_BYTES:
            break
    return data


def _met(order: Order, least: int, digit: int) -> tuple[Numbers, Numbers]:
    """The keys and counts of those contexts, whole, that were met so often."""
    keys, counts = order.keys, order.counts
    if not len(keys):
        return keys, counts
    first = np.flatnonzero(np.diff(keys // digit, prepend=-1))
    times = np.add.reduceat(counts, first)
    is_kept = np.repeat(times >= least, np.diff(np.append(first, len(keys))))
    return keys[is_kept], counts[is_kept]


def unpacked(data: bytes, vocabulary_size: int) -> Index:
    """The counts in a file that `packed` made. Raises `ValueError` that says what is wrong with it."""
    digit, longest, shortest = vocabulary_size + 1, orders_of(vocabulary_size), shortest_of(vocabulary_size)
    empty = np.zeros(0, np.int64)
    orders = [Order(empty, empty, digit)] * shortest
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(part.file_size for part in file.infolist()) > MOST_UNPACKED:
                raise ValueError
        with np.load(io.BytesIO(data)) as arrays:
            size = int(arrays["size"])
            for length in range(shortest, longest + 1) if size == vocabulary_size else ():
                orders.append(_order(arrays[f"keys{length}"], arrays[f"counts{length}"], length, digit))
    except Exception:  # of a damaged file, zipfile and numpy raise nearly everything
        raise ValueError("is damaged") from None
    if size != vocabulary_size:
        raise ValueError(f"is of a vocabulary of {size:,} tokens, and this one has {vocabulary_size:,}")
    return Index(vocabulary_size, orders)


def _order(steps: Any, counts: Any, length: int, digit: int) -> Order:
    """The contexts of one length. Raises `ValueError` for what `packed` never writes."""
    if not (steps.ndim == 1 and steps.shape == counts.shape and steps.dtype == np.int64 and counts.dtype == np.int32):
        raise ValueError
    keys = np.cumsum(steps)
    if len(keys) and (min(steps.min(), counts.min(), keys.min()) < 1 or keys.max() >= digit ** (length + 1)):
        raise ValueError
    if (keys % digit == 0).any():  # no token
        raise ValueError
    return Order(keys, counts.astype(np.int64), digit)
