from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.serving.scheduler import QUANTUM, Scheduler


@dataclass(eq=False)
class Row:
    owner: str
    left: int
    finished: int = 0

    def __repr__(self) -> str:
        return self.owner


def run(scheduler: Scheduler[Row], arrivals: dict[int, list[Row]], steps: int) -> list[Row]:
    """Do what the engine does, without a network; returns the rows in the order they finished."""
    done: list[Row] = []
    for step in range(steps):
        for row in arrivals.get(step, []):
            scheduler.add(row)
        scheduler.admit()
        for row in scheduler.running:
            row.left -= 1
        for row in [row for row in scheduler.running if row.left == 0]:
            row.finished = step
            done.append(row)
        scheduler.keep([index for index, row in enumerate(scheduler.running) if row.left])
        expired = scheduler.expired()
        rows = [scheduler.running[index] for index in expired]
        scheduler.keep([index for index in range(len(scheduler.running)) if index not in expired])
        for row in rows:
            scheduler.add(row)
    return done


def test_owners_take_turns() -> None:
    scheduler: Scheduler[Row] = Scheduler(4)
    for owner in "aaaaab":
        scheduler.add(Row(owner, 1))
    scheduler.add(Row("c", 1))
    assert str(scheduler.admit()) == "[a, b, c, a]"
    assert scheduler.admit() == []
    scheduler.keep([1, 2])
    assert str(scheduler.admit()) == "[a, a]"
    assert len(scheduler) == 5


def test_nobody_gives_way_while_nobody_waits() -> None:
    scheduler: Scheduler[Row] = Scheduler(2)
    rows = [Row("a", 500), Row("b", 500)]
    assert run(scheduler, {0: rows}, 500) == rows
    assert [row.finished for row in rows] == [499, 499]


def test_a_short_request_does_not_wait_for_long_ones() -> None:
    scheduler: Scheduler[Row] = Scheduler(8)
    short = Row("short", 5)
    run(scheduler, {0: [Row(str(n), 10_000) for n in range(8)], 100: [short]}, 200)
    assert short.finished <= 100 + 1 + 5


def test_an_owner_with_many_requests_does_not_slow_another() -> None:
    scheduler: Scheduler[Row] = Scheduler(4)
    lone = Row("lone", 100)
    run(scheduler, {0: [Row("loud", 1000) for _ in range(300)], 10: [lone]}, 1000)
    assert lone.finished <= 10 + QUANTUM + 100 + 2 * QUANTUM


def test_a_thousand_requests_of_a_hundred_owners_end_together() -> None:
    scheduler: Scheduler[Row] = Scheduler(64)
    rows = [Row(str(n % 100), 200) for n in range(1000)]
    run(scheduler, {0: rows}, 10_000)
    fair = 1000 * 200 / 64
    last = {row.owner: max(r.finished for r in rows if r.owner == row.owner) for row in rows}
    assert max(last.values()) <= 1.3 * fair


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60), st.integers(0, 100)), max_size=30),
)
def test_everybody_is_served_and_places_are_never_left_empty(size: int, requests: list[tuple[str, int, int]]) -> None:
    scheduler: Scheduler[Row] = Scheduler(size)
    arrivals: dict[int, list[Row]] = {}
    for owner, length, step in requests:
        arrivals.setdefault(step, []).append(Row(owner, length))
    done = run(scheduler, arrivals, 100 + sum(length for _, length, _ in requests) + 1)
    assert len(done) == len(requests)
    assert Counter(row.owner for row in done) == Counter(owner for owner, _, _ in requests)
    assert len(scheduler) == 0


def test_waiting_rows_can_be_dropped_and_all_be_cleared() -> None:
    scheduler: Scheduler[Row] = Scheduler(1)
    rows = [Row("a", 1), Row("a", 2), Row("b", 3)]
    for row in rows:
        scheduler.add(row)
    scheduler.admit()
    assert scheduler.drop_waiting(lambda row: row.owner == "b") == [rows[2]]
    assert scheduler.drop_waiting(lambda row: row.owner == "b") == []
    assert len(scheduler) == 2
    assert scheduler.clear() == rows[:2]
    assert len(scheduler) == 0
    assert scheduler.admit() == []


def test_a_row_that_is_cancelled_while_others_are_dropped_is_not_lost() -> None:
    scheduler = Scheduler[Row](1)
    rows = [Row("a", 1), Row("a", 1), Row("b", 1)]
    for row in rows:
        scheduler.add(row)
    asked: Counter[int] = Counter()

    def is_dropped(row: Row) -> bool:
        """Each row is cancelled just after it was asked about."""
        asked[id(row)] += 1
        return asked[id(row)] > 1

    assert scheduler.drop_waiting(is_dropped) == []
    assert scheduler.drop_waiting(is_dropped) == rows
    assert scheduler.admit() == []
    assert not len(scheduler)


def test_a_batch_must_have_room() -> None:
    with pytest.raises(ValueError, match="max_batch 0"):
        Scheduler(0)
