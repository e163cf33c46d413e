"""How the benchmarks measure: times, rounds in turn, medians and centiles. Knows nothing of what is measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

Way = Callable[[], float]  # does some work and returns its figure, such as seconds


@contextmanager
def timed(milliseconds: list[float]) -> Iterator[None]:
    """Append how long the block took."""
    started = time.perf_counter()
    yield
    milliseconds.append(1e3 * (time.perf_counter() - started))


def in_turn(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Each way's figures, one per round. Each round runs all ways, for the machine's speed drifts."""
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            figures[name].append(way())
    return figures


def median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median over rounds of one way's figure over another's."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def millisecond_figures(name: str, milliseconds: Sequence[float]) -> dict[str, float]:
    """The figures `NAME_ms`, the median, and `NAME_ms_99`, the 99th centile."""
    return {f"{name}_ms": statistics.median(milliseconds), f"{name}_ms_99": centile_99(milliseconds)}


def centile_99(values: Sequence[float]) -> float:
    """The value that one in a hundred is above."""
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0]
