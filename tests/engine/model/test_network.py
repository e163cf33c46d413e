"""A network as data: sizes of its state and its weights."""

from __future__ import annotations

import numpy as np
import pytest

from engine.model.network import Array, Dense, Embedding, Network, Recurrent
from tests.networks import LETTERS, tiny_network


def recurrent(cell: str, activation: str = "tanh", gate: str = "sigmoid") -> Recurrent:
    gates = {"gru": 3, "lstm": 4, "rnn": 1}[cell]
    kernel: Array = np.zeros((5, 7 * gates), np.float32)
    return Recurrent(cell, kernel, np.zeros((7, 7 * gates), np.float32), None, activation, gate, reset_after=False)


@pytest.mark.parametrize(("cell", "size"), [("gru", 7), ("lstm", 14), ("rnn", 7)])
def test_the_state_is_what_a_cell_carries(cell: str, size: int) -> None:
    layer = recurrent(cell)
    assert layer.units == 7
    assert layer.state_size == size


@pytest.mark.parametrize(
    ("cell", "activation", "gate", "is_bounded"),
    [
        ("gru", "tanh", "sigmoid", True), ("lstm", "softsign", "hard_sigmoid", True), ("gru", "relu", "sigmoid", False),
        ("lstm", "tanh", "relu", False), ("rnn", "tanh", "linear", True), ("rnn", "relu", "linear", False),
    ],
)  # fmt: skip
def test_outputs_are_bounded_if_gates_and_activation_are(
    cell: str, activation: str, gate: str, is_bounded: bool
) -> None:
    assert recurrent(cell, activation, gate).is_bounded == is_bounded


def test_sizes_are_sums_over_the_layers() -> None:
    network = tiny_network(units=13, layers=2)
    size = len(LETTERS)
    assert network.vocabulary_size == size
    assert network.state_size == 26
    assert len(network.recurrent) == 2
    assert network.parameters == 5 * size + (5 + 13 + 2) * 39 + (13 + 13 + 2) * 39 + 14 * size


def test_a_one_hot_input_has_no_weights() -> None:
    kernel = np.ones((5, 5), np.float32)
    network = Network("n", (Embedding(np.eye(5, dtype=np.float32), is_one_hot=True), Dense(kernel, None, "linear")))
    assert [array is kernel for array in network.weights] == [True]
