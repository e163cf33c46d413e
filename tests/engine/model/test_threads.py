"""Which threads are chosen, what is kept of it, and when spinning ones rest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.model import threads
from engine.model.onnx_step import OnnxStep
from engine.model.threads import Choice, Threads, possible
from tests.networks import tiny_network

ONE, CALM, SPINNING = Threads(1, spin=False), Threads(2, spin=False), Threads(2, spin=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr("engine.program.cores", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 0.1, 0.1))
    return tmp_path / "textrepl" / "threads.json"


class Clock:
    """A way's time a step, and how often it was asked for."""

    def __init__(self, **seconds: float) -> None:
        self._seconds, self.asked = {ONE: seconds["one"], CALM: seconds["calm"], SPINNING: seconds["spinning"]}, 0

    def __call__(self, way: Threads) -> float:
        self.asked += 1
        return self._seconds[way]


def test_a_small_network_and_a_given_number_leave_nothing_to_measure() -> None:
    assert possible(1000, None) == [ONE]
    assert possible(10**7, 1) == [ONE]
    assert possible(10**7, None) == [ONE, CALM, SPINNING]
    assert possible(10**7, 2) == [CALM, SPINNING]
    assert possible(1000, 3) == [Threads(3, spin=False), Threads(3, spin=True)]
    assert Choice("x", [ONE], lambda way: 1 / 0).way == ONE


def test_the_fastest_is_chosen_and_kept(cache: Path) -> None:
    ways, clock = possible(10**7, None), Clock(one=0.3, calm=0.2, spinning=0.1)
    choice = Choice("step one", ways, clock)
    assert not clock.asked  # not before it is needed
    assert choice.way == SPINNING
    before = clock.asked
    assert Choice("step one", ways, clock).way == SPINNING
    assert clock.asked == before
    assert Choice("step two", ways, Clock(one=0.1, calm=0.2, spinning=0.3)).way == ONE
    assert len(next(iter(json.loads(cache.read_text()).values()))) == 2


def test_what_was_found_on_a_busy_machine_holds_for_an_hour(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (5.0, 5.0, 5.0))
    ways, clock = possible(10**7, None), Clock(one=0.1, calm=0.2, spinning=0.3)
    assert Choice("step", ways, clock).way == ONE
    assert Choice("step", ways, Clock(one=0.3, calm=0.2, spinning=0.1)).way == ONE
    later = time.time() + 3601
    monkeypatch.setattr("time.time", lambda: later)
    assert Choice("step", ways, Clock(one=0.3, calm=0.2, spinning=0.1)).way == SPINNING


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "", lambda text: "[]", lambda text: "nothing", lambda text: text.replace("true", "7"),
        lambda text: text.replace("[2", '["two"'), lambda text: text.replace("0.2", "-1"),
        lambda text: text.replace("0.2", "NaN"),
    ],
)  # fmt: skip
def test_a_damaged_cache_is_measured_anew(cache: Path, spoil: Callable[[str], str]) -> None:
    ways, clock = possible(10**7, None), Clock(one=0.3, calm=0.2, spinning=0.1)
    assert Choice("step", ways, clock).way == SPINNING
    before = clock.asked
    cache.write_text(spoil(cache.read_text()))
    assert Choice("step", ways, clock).way == SPINNING
    assert clock.asked == 2 * before


def test_a_slow_step_and_a_system_that_tells_no_load_are_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.getloadavg")
    ways, clock = possible(10**7, None), Clock(one=1.2, calm=3.0, spinning=2.0)
    for _ in range(2):
        assert Choice("step", ways, clock).way == ONE
    assert clock.asked == len(ways) * (1 + threads.ROUNDS)


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    assert Choice("step", possible(10**7, None), Clock(one=0.3, calm=0.2, spinning=0.1)).way == SPINNING


def test_spinning_threads_rest_beside_busy_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    choice = Choice("step", possible(10**7, None), Clock(one=0.3, calm=0.2, spinning=0.1))
    for _ in range(20):
        choice.took(choice.way, 0.12)
    choice.took(choice.way, 0.5)  # one slow step is no neighbor
    assert choice.way == SPINNING
    for _ in range(20):
        choice.took(choice.way, 0.3)
    assert choice.way == CALM
    for _ in range(20):
        choice.took(choice.way, 0.9)  # of the others, nothing follows
    now += threads.BACK_OFF_SECONDS
    assert choice.way == SPINNING


def test_whatever_is_chosen_gives_the_same_bits() -> None:
    rng = np.random.default_rng(7)
    steps = [OnnxStep(tiny_network(units=512), threads=number) for number in (1, 2)]
    steps[1]._one = steps[1]._many = Choice("x", [SPINNING], lambda way: 0.1)
    for rows in (1, 5):
        ids = rng.integers(20, size=(60, rows)).astype(np.int32)
        state = np.zeros((rows, steps[0].state_size), np.float32)
        (one, after), (two, same) = [step.read(ids, state) for step in steps]
        assert (one == two).all()
        assert (after == same).all()
        assert all((a == b).all() for a, b in zip(steps[0](ids[0], state), steps[1](ids[0], state), strict=True))
