"""A turn comes back from its row as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.conversation.checkpoint import Checkpoint, State
from engine.conversation.tree import Turn
from engine.sampling import Sampling
from engine.store import records

ZEROS: State = np.zeros(3, np.float32)
IDS = st.lists(st.integers(0, 2**31 - 1), max_size=4).map(tuple)
NUMBERS = st.integers(0, 2**64 - 1)


def never(turn: int, generator: str) -> Any:
    raise AssertionError("nothing is read later")


def read(row: dict[str, Any], stored: Any = never) -> Turn:
    (turn,) = records.read_turns([row], ZEROS, stored)  # type: ignore[list-item]
    return turn


@given(st.text(), IDS, IDS, NUMBERS, NUMBERS, st.integers(0, 2**53), st.lists(st.floats(width=32), min_size=3))
def test_a_turn_comes_back(
    text: str, tokens: tuple[int, ...], pending: tuple[int, ...], seed: int, key: int, offset: int, values: list[float]
) -> None:
    state = np.array(values, np.float32)
    checkpoint = Checkpoint(state, pending, seed, key, offset, weights=b"w")
    turn = Turn(2, "reply", text, tokens, 1, checkpoint, Sampling(stop=("é",), seed=seed), "stop", 5)
    back = read(records.row_of(turn, None))
    assert back.checkpoint.weights == b"w"
    assert back.checkpoint.state.tobytes() == state.tobytes()
    assert (back.text, back.tokens, back.sampling) == (text, tokens, turn.sampling)
    assert (back.checkpoint.pending, back.checkpoint.seed, back.checkpoint.key) == (pending, seed, key)
    assert (back.checkpoint.offset, back.finish_reason, back.drawn) == (offset, "stop", 5)


def test_half_a_surrogate_pair_is_stored_too() -> None:
    turn = Turn(1, "prompt", "a\ud83d", (1,), 0, Checkpoint(ZEROS, (1,), 1, 2, 3))
    assert read(records.row_of(turn, None)).text == "a\ud83d"


def test_the_start_has_no_state_of_its_own() -> None:
    row = records.row_of(Turn(0, "start", "", (), None, Checkpoint(ZEROS, (), 1, 2, 0)), None)
    assert row["state"] == b""
    assert read(row).checkpoint.state is ZEROS


def test_what_a_row_leaves_out_is_read_when_it_is_asked_for() -> None:
    class Later:
        def state(self) -> State:
            return ZEROS + 1

        def tokens(self) -> tuple[int, ...]:
            return (7, 8)

    row = records.row_of(Turn(4, "reply", "x", (1,), 1, Checkpoint(ZEROS, (1,), 1, 2, 3)), None)
    asked: list[tuple[int, str]] = []

    def stored(turn: int, generator: str) -> Later:
        asked.append((turn, generator))
        return Later()

    turn = read({k: v for k, v in row.items() if k not in ("state", "tokens")}, stored)
    assert asked == [(4, "[1, 2, 3]")]
    assert turn.tokens == (7, 8)
    assert turn.checkpoint.state.tolist() == [1, 1, 1]


@pytest.mark.parametrize("text", ["", "a", "漢\0é"])
def test_texts_are_bytes_in_a_row(text: str) -> None:
    row = records.row_of(Turn(1, "prompt", text, (1,), 0, Checkpoint(ZEROS, (1,), 1, 2, 3)), None)
    assert row["text"] == text.encode()
    assert records.read_text(row["text"]) == text


def test_the_weights_of_a_memory_are_stored_where_they_change() -> None:
    before = Turn(1, "prompt", "a", (1,), 0, Checkpoint(ZEROS, (1,), 1, 2, 3, weights=b"learned"))
    after = Turn(2, "reply", "b", (2,), 1, Checkpoint(ZEROS, (2,), 1, 2, 4, weights=b"learned"))
    rows = [records.row_of(before, None), records.row_of(after, before)]
    assert [row["weights"] for row in rows] == [b"learned", None]
    read_back = records.read_turns(rows, ZEROS, never)  # type: ignore[arg-type]
    assert [turn.checkpoint.weights for turn in read_back] == [b"learned", b"learned"]
