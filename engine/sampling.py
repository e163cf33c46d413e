"""Draws the next token: the random numbers and the sampler, in NumPy. Knows no network and no thread.

The order of the filters is that of Hugging Face's generation: repetition penalty (Keskar et al. 2019,
arXiv 1909.05858), temperature, top-k (Fan et al. 2018), top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024).
A token is then drawn by inverting the cumulative distribution at one uniform number. So each token takes exactly one
number, and depends on its own row's logits, settings and number alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.settings import PENALTY_WINDOW as PENALTY_WINDOW
from engine.settings import Sampling as Sampling

Probabilities = NDArray[np.float64]
Logits = NDArray[np.float32]
Floating = TypeVar("Floating", bound=np.floating[Any])


def uniforms(keys: Sequence[int] | int, offsets: Sequence[int] | int, count: int) -> NDArray[np.float64]:
    """The numbers `offset`, `offset + 1`, ... of each key's stream `[B, count]`, in [0, 1) with 52 random bits.

    SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator: a checkpoint keeps its two integers, and
    number n is the same however it was reached.
    """
    counters = _as_uint64(offsets)[..., None] + np.arange(1, count + 1, dtype=np.uint64)
    x: NDArray[np.uint64] = np.multiply(counters, 0x9E3779B97F4A7C15, dtype=np.uint64) + _as_uint64(keys)[..., None]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    # 52 bits and not 53: then u times a total is below the total, also after rounding
    return np.asarray(((x ^ (x >> np.uint64(31))) >> np.uint64(12)) * (1.0 / (1 << 52)))


def _as_uint64(numbers: Sequence[int] | int) -> NDArray[np.uint64]:
    return np.array(numbers & _MASK if isinstance(numbers, int) else [number & _MASK for number in numbers], np.uint64)


_MASK = (1 << 64) - 1


def derive_key(*parts: int) -> int:
    """A 64-bit key, hashed from some integers."""
    data = ",".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


class Sampler:
    """The settings of a batch's rows as vectors, made once for as long as the rows stay the same."""

    def __init__(self, settings: Sequence[Sampling], unwritten: Sequence[int] = ()) -> None:
        self._unwritten = list(unwritten)
        self._greedy = np.array([s.temperature == 0 for s in settings])
        self._any_greedy, self._all_greedy = bool(self._greedy.any()), bool(self._greedy.all())
        self._inverse = np.array([[min(1.0 / s.temperature, 1e30) if s.temperature else 1.0] for s in settings])
        self._filtered = [(row, s) for row, s in enumerate(settings) if s.top_k or s.top_p < 1 or s.min_p]
        self.penalized = [(row, s) for row, s in enumerate(settings) if s.repetition_penalty > 1]

    def __call__(
        self, logits: Logits, numbers: Sequence[float] | NDArray[np.float64], recent: Sequence[Sequence[int]]
    ) -> NDArray[np.intp]:
        """Draw `ids [B]` from `logits [B, V]`, a uniform number and the latest tokens of each row."""
        logits = self._prepare(logits, recent)
        if self._all_greedy:
            return np.asarray(logits.argmax(axis=1))
        weights = self._weights(logits)
        totals = np.cumsum(weights, axis=1)
        ids = (totals <= np.array(numbers)[:, None] * totals[:, -1:]).sum(axis=1)
        if self._any_greedy:
            ids = np.where(self._greedy, logits.argmax(axis=1), ids)
        return np.asarray(ids)

    def probabilities(self, logits: Logits, recent: Sequence[Sequence[int]]) -> Probabilities:
        """The distribution `[B, V]` that the rows' tokens are drawn from."""
        logits = self._prepare(logits, recent)
        weights = self._weights(logits)
        weights[self._greedy] = np.eye(logits.shape[1])[logits.argmax(axis=1)[self._greedy]]
        return np.asarray(weights / np.cumsum(weights, axis=1)[:, -1:])

    def _prepare(self, logits: Logits, recent: Sequence[Sequence[int]]) -> Logits:
        if not self._unwritten and not self.penalized:
            return logits
        logits = logits.copy()
        if len(self._unwritten) < logits.shape[1]:
            logits[:, self._unwritten] = -np.inf
        for row, settings in self.penalized:
            seen = list(set(recent[row]))
            values, penalty = logits[row, seen], np.float32(settings.repetition_penalty)
            logits[row, seen] = np.where(values > 0, values / penalty, values * penalty)
        return logits

    def _weights(self, logits: Logits) -> Probabilities:
        """Probabilities times any number `[B, V]`, zero where a filter left a token out."""
        weights = np.exp((logits - logits.max(axis=1, keepdims=True)) * self._inverse)
        for row, settings in self._filtered:
            weights[row] = _filter(weights[row], settings)
        return np.asarray(weights)


def _filter(weights: Probabilities, settings: Sampling) -> Probabilities:
    """One row `[V]` with top-k, top-p and min-p applied; ties go to the lower id."""
    order = np.argsort(-weights, kind="stable")
    ranked = weights[order]
    kept = len(ranked)
    if settings.top_k:
        kept = min(kept, settings.top_k)
    if settings.top_p < 1:
        totals = np.cumsum(ranked[:kept])
        kept = min(kept, 1 + int((totals < settings.top_p * totals[-1]).sum()))
    if settings.min_p:
        kept = min(kept, max(1, int((ranked[:kept] >= settings.min_p * ranked[0]).sum())))
    filtered = np.zeros_like(weights)
    filtered[order[:kept]] = ranked[:kept]
    return filtered


def only(logits: NDArray[Floating], ids: Sequence[int]) -> NDArray[Floating]:
    """The logits `[V]` with all but some ids impossible."""
    kept = np.full_like(logits, -np.inf)
    kept[ids] = logits[ids]
    return kept


def surprisal_nats(logits: Logits | Probabilities, ids: NDArray[np.int32]) -> NDArray[np.float64]:
    """`-log p` of each row's id: `logits [N, V]` and `ids [N]` to `[N]`, in double precision."""
    x = logits.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(ids)), ids])
