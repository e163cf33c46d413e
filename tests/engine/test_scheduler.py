from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.scheduler import Scheduler


def test_rows_come_in_as_places_become_free_in_their_order() -> None:
    scheduler: Scheduler[str] = Scheduler(2)
    for row in "abcd":
        scheduler.add(row)
    assert scheduler.admit() == ["a", "b"]
    assert scheduler.admit() == []
    scheduler.leave([1])
    assert scheduler.admit() == ["c"]
    assert scheduler.running == ["b", "c"]
    assert scheduler.drop_waiting(lambda row: row == "d") == ["d"]
    assert len(scheduler) == 2
    assert scheduler.clear() == ["b", "c"]
    assert len(scheduler) == 0


@given(st.integers(1, 4), st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=40))
def test_never_more_than_fit_and_nobody_is_lost(size: int, events: list[int | None]) -> None:
    scheduler: Scheduler[int] = Scheduler(size)
    added, left = 0, []
    for event in events:
        if event is None:
            scheduler.add(added)
            added += 1
        elif scheduler.running:
            gone = event % len(scheduler.running)
            left.append(scheduler.running[gone])
            scheduler.leave([place for place in range(len(scheduler.running)) if place != gone])
        scheduler.admit()
        assert len(scheduler.running) <= size
        assert len(scheduler.running) == min(size, added - len(left))
    assert sorted(left + scheduler.clear()) == list(range(added))


def test_a_batch_must_have_room() -> None:
    with pytest.raises(ValueError, match="max_batch 0"):
        Scheduler(0)
