"""What is read in one update, for every way to read: nothing twice, nothing left out, the same when begun midway."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TrainingError
from engine.text.vocabulary import Vocabulary
from engine.train.data import batches
from engine.train.data.batches import Batch, Lanes, Lines, Windows, make_sequences
from engine.train.data.boundaries import among
from engine.train.data.corpus import Corpus
from engine.train.settings import TrainSettings

EMPTY = np.zeros(0, np.int32)


def corpus_of(text: str, files: tuple[int, ...] = ()) -> Corpus:
    vocabulary = Vocabulary(tuple(sorted(set(text))))
    ids = vocabulary.encode(text).ids
    counts = {"training": len(text), "held_out": 0, "test": 0}
    return Corpus(vocabulary, ids, EMPTY, EMPTY, "", counts, 0, np.array(files, np.int64))


def same(one: Batch, other: Batch) -> bool:
    pairs = ((getattr(one, name), getattr(other, name)) for name in ("inputs", "targets", "keep", "weights"))
    return all(a is b is None or (a == b).all() for a, b in pairs)


@settings(deadline=None)
@given(st.integers(30, 300), st.integers(1, 6), st.integers(1, 9), st.integers(0, 5))
def test_windows_are_each_read_once_in_another_order(tokens: int, batch: int, steps: int, epoch: int) -> None:
    windows = Windows(np.arange(tokens), TrainSettings(batch=batch, steps=steps))
    parts = list(windows.read(epoch))
    assert len(parts) == windows.count(epoch) >= 1
    inputs = np.concatenate([part.inputs for part in parts], 1)  # [T, windows]
    assert inputs.shape == (steps, len(parts) * windows.batch)
    assert (np.diff(inputs, axis=0) == 1).all()
    assert all((part.targets == part.inputs + 1).all() for part in parts)
    assert len(np.unique(inputs)) == inputs.size
    assert inputs.size > tokens - 1 - 2 * steps - windows.batch * steps  # but the offset and what fills no batch


def test_windows_are_shuffled_anew_each_epoch() -> None:
    windows = Windows(np.arange(5000), TrainSettings(batch=4, steps=10))
    orders = [[int(begin) for part in windows.read(epoch) for begin in part.inputs[0]] for epoch in (0, 1, 0)]
    assert orders[0] != sorted(orders[0])
    assert orders[0] == orders[2] != orders[1]
    assert len({order[0] % 10 for order in orders}) == 2  # the offset has moved


@settings(deadline=None)
@given(st.text("\nab ", min_size=40, max_size=200), st.integers(1, 5), st.integers(2, 40), st.integers(0, 3))
def test_lines_are_rows_and_each_target_is_learned_once(text: str, batch: int, steps: int, epoch: int) -> None:
    text = "a\n b" + text
    corpus = corpus_of(text)
    lines = make_sequences(TrainSettings(batch=batch, steps=steps, sequences="lines"), corpus)
    parts = list(lines.read(epoch))
    assert len(parts) == lines.count(epoch)
    decode = corpus.vocabulary.decode
    found = []
    for part in parts:
        assert part.weights is not None
        assert part.inputs.shape[0] <= steps
        for row in range(lines.batch):
            real = int(part.weights[:, row].sum())
            assert (part.weights[:real, row] == 1).all()
            read, wanted = (decode(array[:real, row].tolist()) for array in (part.inputs, part.targets))
            assert read[1:] == wanted[:-1]
            assert read[:1] + wanted in text
            assert len([line for line in wanted.split("\n") if line.strip()]) <= 1  # and the blank ones after it
            found.append(wanted)
    assert sorted("".join(found)) == sorted(text[1:])


def test_a_long_line_is_cut_elsewhere_each_epoch() -> None:
    corpus = corpus_of("ab\n" + "abcdefghij" * 5 + "\nab\n")
    lines = make_sequences(TrainSettings(batch=3, steps=16, sequences="lines"), corpus)
    assert isinstance(lines, Lines)
    cuts = [tuple(sorted(lines._rows(epoch)[0].tolist())) for epoch in range(6)]
    assert len(set(cuts)) > 3
    assert all({0, 2, 53} <= set(cut) for cut in cuts)


def test_a_batch_of_short_lines_is_not_padded_to_all_steps() -> None:
    corpus = corpus_of("ab cd\n" * 30 + "x" * 100 + "\n")
    lines = make_sequences(TrainSettings(batch=4, steps=128, sequences="lines"), corpus)
    lengths = [len(part.inputs) for part in lines.read(0)]
    assert sorted(set(lengths)) in ([32, 96, 128], [32, 128], [32, 96])
    assert lengths.count(32) >= len(lengths) - 2
    weights = [part.weights for part in lines.read(0)]
    assert sum(float(w.sum()) for w in weights if w is not None) == len(corpus.training) - 1
    assert lines.tokens_an_update == round((len(corpus.training) - 1) / len(lengths))


@pytest.mark.parametrize(("reset", "places"), [("line", [2, 5, 10]), ("blank", [10]), ("file", [5, 8])])
def test_the_state_begins_anew_at_the_right_token(reset: str, places: list[int]) -> None:
    """aa.bb.cc  ..dd (with . for a line end): files at "cc" and at the end of it, where no line ends."""
    text = "aa\nbb\ncc  \ndd"
    corpus = corpus_of(text.replace("  ", "\n\n") if reset != "file" else text, files=(6, 8))
    lanes = make_sequences(TrainSettings(batch=2, steps=3, reset=reset), corpus)
    for epoch in range(3):
        for number, part in enumerate(lanes.read(epoch)):
            assert part.keep is not None
            offset = lanes._offset(epoch)  # type: ignore[attr-defined]
            length = (len(text) - 1 - offset) // 2
            for lane in range(2):
                begin = offset + lane * length + number * 3
                ids = corpus.training[begin : begin + 3]
                assert (part.inputs[:, lane] == ids).all()
                assert part.keep[:, lane].tolist() == [float(begin + t not in places) for t in range(3)]


def test_lanes_without_resets_have_no_mask_and_every_lane_has_a_chunk() -> None:
    ids = np.arange(8 * 9 + 1)
    lanes = Lanes(ids, TrainSettings(batch=8, steps=8))
    assert lanes.batch == 8
    for epoch in range(20):
        parts = list(lanes.read(epoch))
        assert len(parts) == lanes.count(epoch) == 1
        assert parts[0].keep is parts[0].weights is None


WAYS: list[dict[str, Any]] = [
    {}, {"reset": "line"}, {"reset": "blank"}, {"reset": "file"}, {"sequences": "windows"}, {"sequences": "lines"},
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_epoch_can_be_begun_in_its_middle(way: dict[str, Any]) -> None:
    corpus = corpus_of("the cat sat\non the mat.\n\n" * 60, files=(24, 480))
    sequences = make_sequences(TrainSettings(batch=4, steps=10, **way), corpus)
    for epoch in (0, 3):
        whole, rest = list(sequences.read(epoch)), list(sequences.read(epoch, start=7))
        assert len(whole) == sequences.count(epoch) > 8
        assert len(rest) == len(whole) - 7
        assert all(same(a, b) for a, b in zip(whole[7:], rest, strict=True))


@pytest.mark.parametrize(
    ("way", "what"), [({"reset": "line"}, "line ends"), ({"reset": "blank"}, "blank"), ({"sequences": "lines"}, "line")]
)
def test_a_text_without_such_lines_is_refused(way: dict[str, Any], what: str) -> None:
    with pytest.raises(TrainingError, match=f"has no {what}.*take --(sequences lanes|reset never)"):
        make_sequences(TrainSettings(batch=2, steps=4, **way), corpus_of("all in one line, all in one line"))


def test_resets_are_for_lanes() -> None:
    with pytest.raises(ValueError, match="--reset line: is for --sequences lanes; windows begin anew each"):
        TrainSettings(sequences="windows", reset="line")


def test_membership() -> None:
    places = np.array([[0, 5], [9, 10]])
    assert among(places, np.array([5, 9])).tolist() == [[False, True], [True, False]]
    assert not among(places, np.zeros(0, np.int64)).any()


@given(st.integers(40, 400), st.integers(1, 6), st.integers(1, 9), st.integers(0, 8))
def test_lanes_are_contiguous_and_targets_one_ahead(tokens: int, batch: int, steps: int, offset: int) -> None:
    ids = np.arange(tokens, dtype=np.int32)
    parts = list(batches.chunks(ids, batch, steps, offset))
    assert len(parts) == batches.chunk_count(tokens, batch, steps, offset)
    if not parts:
        return
    inputs = np.concatenate([x for x, _ in parts])  # [T, B]
    targets = np.concatenate([y for _, y in parts])
    assert inputs.shape == (len(parts) * steps, batch)
    assert (np.diff(inputs, axis=0) == 1).all()
    assert (targets == inputs + 1).all()
    assert inputs[0, 0] == offset
    assert targets.max() < tokens
    assert len(np.unique(inputs)) == inputs.size


def test_lanes_can_be_begun_in_the_middle_of_an_epoch() -> None:
    ids = np.arange(1000, dtype=np.int32)
    whole = list(batches.chunks(ids, 4, 16, 3))
    rest = list(batches.chunks(ids, 4, 16, 3, start=5))
    assert len(rest) == len(whole) - 5
    assert all((a[0] == b[0]).all() for a, b in zip(whole[5:], rest, strict=True))


def test_offsets_move_and_come_back() -> None:
    offsets = [batches.epoch_offset(1, epoch, 128) for epoch in range(20)]
    assert len(set(offsets)) > 10
    assert offsets == [batches.epoch_offset(1, epoch, 128) for epoch in range(20)]
    assert all(0 <= offset < 128 for offset in offsets)


@pytest.mark.parametrize(("tokens", "count"), [(10**6, 64), (64 * 129 + 1, 64), (64 * 129, 63), (300, 2), (2, 1)])
def test_a_short_text_has_fewer_lanes(tokens: int, count: int) -> None:
    assert batches.lane_count(tokens, 64, 128) == count
