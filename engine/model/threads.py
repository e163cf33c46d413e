"""How many threads share a step, and whether they spin while they wait for each other: what is fastest on this machine.

A step of a small network takes less time than waking a thread, so threads that spin may be twice as fast; beside busy
neighbors they are slower than those that sleep, and weights that one core's cache holds want one thread. No rule knows
that, so it is measured where the network runs: once, and kept in the user's cache. Knows no network.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from engine import program

SMALL_PARAMETERS, MAX_THREADS = 300_000, 4
ROUNDS = 3
QUIET = 0.7  # of the cores: what was found on a busier machine holds for BUSY_SECONDS only
BUSY_SECONDS = 3600.0
MOST_SECONDS = 60.0  # of a step that the file may tell
KEPT = 200  # choices in the file for a machine, and machines: the newest
SLOWER, IN_A_ROW = 1.2, 6  # so much slower than threads that do not spin were, so often: then they rest
BACK_OFF_SECONDS = 1.0


class Threads(NamedTuple):
    """A number of threads, and whether they spin."""

    number: int
    spin: bool


def possible(parameters: int, threads: int | None) -> list[Threads]:
    """What may be fastest for a network of so many parameters; only such as have `threads`, if that is given."""
    most = min(MAX_THREADS, program.cores()) if threads is None else threads
    if most == 1 or (threads is None and parameters < SMALL_PARAMETERS):
        return [Threads(most if threads else 1, spin=False)]
    return [*([Threads(1, spin=False)] if threads is None else []), Threads(most, spin=False), Threads(most, spin=True)]


class Choice:
    """The threads for one kind of work, made when they are first asked for.

    `seconds` does a little of the work with some threads and gives the time that a step took.
    """

    def __init__(self, name: str, ways: Sequence[Threads], seconds: Callable[[Threads], float]) -> None:
        self._name, self._ways, self._seconds = name, list(ways), seconds
        self._best: Threads | None = self._ways[0] if len(self._ways) == 1 else None
        self._calm = self._ways[0]
        self._calm_seconds = 0.0  # that a step took with threads that do not spin
        self._slow = 0  # how many of the latest steps were much slower
        self._resting = 0.0  # until then spinning threads rest

    @property
    def way(self) -> Threads:
        """The threads to use now."""
        if self._best is None:
            return self._made()
        return self._calm if self._best.spin and time.monotonic() < self._resting else self._best

    def took(self, way: Threads, seconds: float) -> None:
        """A step took so long. Threads that spin rest for a while where steps are slower than without spinning."""
        if not (way.spin and self._calm_seconds):
            return
        self._slow = self._slow + 1 if seconds > SLOWER * self._calm_seconds else 0
        if self._slow >= IN_A_ROW:
            self._resting, self._slow = time.monotonic() + BACK_OFF_SECONDS, 0

    def _made(self) -> Threads:
        found = self._kept()
        if found is None:
            times = {way: self._seconds(way) for way in self._ways}  # to warm up
            times |= {way: min(self._seconds(way) for _ in range(ROUNDS)) for way in self._ways}
            best = min(times, key=lambda way: times[way])
            calm = min((way for way in self._ways if not way.spin), key=lambda way: times[way])
            found = best, calm, times[calm]
            _write(self._name, [*best, *calm, times[calm], None if _is_quiet() else time.time() + BUSY_SECONDS])
        self._best, self._calm, self._calm_seconds = found
        return found[0]

    def _kept(self) -> tuple[Threads, Threads, float] | None:
        """The best threads, the best that do not spin, and a step's time with these, as the cache has them."""
        try:
            number, spin, calm_number, calm_spin, seconds, until = _read().get(_machine(), {})[self._name]
            found = Threads(number, spin), Threads(calm_number, calm_spin), float(seconds)
            holds = until is None or time.time() < float(until)
        except (KeyError, TypeError, ValueError):
            return None
        is_possible = found[0] in self._ways and found[1] in self._ways and 0 < found[2] < MOST_SECONDS
        return found if holds and is_possible else None


def _is_quiet() -> bool:
    try:
        return os.getloadavg()[0] < QUIET * program.cores()
    except (AttributeError, OSError):  # of some systems nobody can know
        return False


@functools.cache
def _machine() -> str:
    """What choices hold for: the processor, and how many of its cores are ours."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {program.cores()} cores"


def _path() -> Path:
    return Path(platformdirs.user_cache_dir("textrepl")) / "threads.json"


def _read() -> dict[str, dict[str, Any]]:
    """The choices kept for each machine; none if there are none that can be read."""
    try:
        kept = json.loads(_path().read_text(encoding="utf-8"))
        return {machine: choices for machine, choices in kept.items() if isinstance(choices, dict)}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(name: str, found: list[Any]) -> None:
    """Keep a choice, beside the newest others. A cache that cannot be written is done without."""
    kept = _read()
    choices = {**kept.pop(_machine(), {}), name: found}
    machines = {**kept, _machine(): dict(list(choices.items())[-KEPT:])}
    path = _path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(dict(list(machines.items())[-KEPT:])), encoding="utf-8")
        draft.replace(path)
