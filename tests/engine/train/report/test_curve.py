from __future__ import annotations

import math

import pytest

from engine.train.quantities import LN2
from engine.train.report.curve import MAX_POINTS, Curve


def falling(updates: int = 1000) -> Curve:
    curve = Curve(updates)
    for update in range(1, updates + 1):
        curve.add_training(update, 2 + 4 * math.exp(-update / 100))
    return curve


def test_there_is_nothing_to_draw_of_nothing() -> None:
    curve = Curve(10)
    assert curve.drawn(40, 5) == []
    curve.add_training(1, 3.0)
    assert curve.drawn(40, 5) == []


def test_few_points_are_kept_of_many_updates() -> None:
    assert len(falling(100_000).training) <= MAX_POINTS + 1


@pytest.mark.parametrize(("columns", "rows"), [(40, 5), (10, 2), (200, 20)])
def test_the_curve_falls_from_the_left_above_to_the_right_below(columns: int, rows: int) -> None:
    lines = falling().drawn(columns, rows)
    assert len(lines) == rows
    assert max(map(len, lines)) <= columns
    first, last = lines[0].split(), lines[-1].split()
    assert float(first[0]) > float(last[0]) == pytest.approx(2.0, abs=0.03)
    assert lines[0].rstrip() == lines[0]
    assert len(lines[-1]) == columns  # it ends in the corner
    assert len(lines[0]) < columns


def test_the_steep_beginning_does_not_press_the_rest_flat() -> None:
    window = falling().window()
    assert window is not None
    assert window[2] < 3


def test_held_out_losses_are_marked_in_bits_a_character() -> None:
    curve = falling()
    rows = [
        {"epoch": epoch, "training_nats": 3.0, "held_out_nats": 4.0 * LN2, "held_out_rate": 0.5} for epoch in (0, 1)
    ]
    curve.add_history(rows, 1000)
    assert curve.held_out == [(500.0, 2.0), (1000.0, 2.0)]
    assert "".join(curve.drawn(40, 5)).count("o") == 2


def test_a_resumed_run_has_its_epochs_in_the_curve() -> None:
    curve = Curve(100)
    curve.add_history([{"epoch": 0, "training_nats": 2.0, "held_out_nats": 2.0}], 25)
    curve.add_training(26, 2.5)
    assert [x for x, _ in curve.training] == [25.0, 26]
    assert curve.drawn(40, 5)


def test_losses_beyond_all_use_are_left_out() -> None:
    curve = falling(100)
    curve.add_training(101, math.inf)
    curve.add_epoch({"epoch": 0, "training_nats": math.nan, "held_out_nats": math.nan}, 100)
    assert len(curve.drawn(40, 5)) == 5
