"""Mixing weights come back as they were, and follow what is surprising."""

from __future__ import annotations

import numpy as np
import pytest

from engine.memory.weights import CLASSES, EXPERTS, Weights, classes_of, sets_of


def test_weights_that_learned_nothing_are_no_bytes() -> None:
    assert Weights().packed() == b""
    assert Weights.unpacked(b"").at(sets_of((3, True), None, 1, 2)) == Weights().at(sets_of((3, True), None, 1, 2))


def test_what_was_learned_comes_back_to_the_last_bit() -> None:
    weights = Weights()
    slopes = np.random.default_rng(1).normal(size=(50, EXPERTS)).tolist()
    for number, slope in enumerate(slopes):
        training = None if number % 4 else (number % 5 - 1, number % 3 == 0)
        weights.learn(sets_of((number % 8 - 1, number % 2 == 0), training, number % 5, number % 3), slope)
    again = Weights.unpacked(weights.packed())
    assert again.packed() == weights.packed()
    for one in (weights, again):
        one.learn(sets_of((1, False), None, 1, 1), slopes[0])
    assert again.packed() == weights.packed()
    assert len(weights.packed()) < 3000


def test_a_step_goes_against_the_slope_and_gets_shorter() -> None:
    weights, sets = Weights(), sets_of((2, False), None, 0, 0)
    before = weights.at(sets)
    weights.learn(sets, [1.0, 0.0, -1.0])
    first = [now - then for now, then in zip(weights.at(sets), before, strict=True)]
    assert first[0] < 0 == first[1] < first[2]
    for _ in range(9):
        weights.learn(sets, [0.0] * EXPERTS)
    before = weights.at(sets)
    weights.learn(sets, [1.0, 0.0, -1.0])
    assert abs(weights.at(sets)[0] - before[0]) < abs(first[0])


def test_one_surprise_moves_no_weight_out_of_the_way() -> None:
    weights, sets = Weights(), sets_of((2, False), None, 0, 0)
    before = weights.at(sets)
    weights.learn(sets, [1e3, -1e3, 0.0])
    assert all(abs(now - then) < 0.3 for now, then in zip(weights.at(sets), before, strict=True))


@pytest.mark.parametrize("data", [b"x", b"\0" * 40, Weights().packed() + b"?"])
def test_damaged_weights_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="damaged: go to another turn"):
        Weights.unpacked(data)


def test_classes_go_by_the_first_character() -> None:
    assert classes_of(["a", "b", "an", "c", "bee"]) == (0, 1, 0, 2, 1)
    assert max(classes_of([chr(0x4E00 + n) for n in range(3000)])) == CLASSES - 1
