"""Words of long texts by arrays, against `engine.text.words` one by one."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.text.vocabulary import Vocabulary, normalize
from engine.text.words import SPLITS, joins_next, tokenize
from engine.train.data import encode, pieces
from engine.train.data.pieces import PieceFile, PieceReader, PieceValues
from engine.train.reading.spool import CODES, count_characters
from engine.train.settings import TrainSettings

ODD = "\"'’‘“”()[]{}<>-–—…._*!?,;:#$%&@/\\|~^`+=«»"
ODD += "\t\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2028\u202f\u205f\u3000\u200b\u2060\0"
LETTERS = "abçßЖ漢𝄞\u0301٣7"
texts = st.text(st.sampled_from(f"{LETTERS}{ODD}  \n"), max_size=60) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=40
)
texts |= st.lists(
    st.sampled_from(["<unk>", "don’t", "a--b", "...", " ", "  ", "\n", '"', " '", "word" * 6, "(", "é"])
).map("".join)


def by_pieces(parts: list[str], split: str) -> list[list[str]]:
    numbers: dict[str, int] = {}

    def look(piece: str, joins: bool) -> PieceValues:
        found = tokenize(piece, split, None if joins else "a")
        return PieceValues(
            [numbers.setdefault(t, len(numbers)) for t in found], joins_next(found[-1], split) if found else joins
        )

    reader = PieceReader(look, split)
    read = [reader.values(reader.cut(part.encode()))[0].tolist() for part in parts]
    names = list(numbers)
    return [[names[index] for index in part] for part in read]


@settings(deadline=None)
@given(st.lists(texts.map(normalize), max_size=4), st.sampled_from(SPLITS))
@example(['"', ' "', '" "'], "words")
@example(["a  ", " b", " \n c\t \n"], "words")
@example(["x" * 15 + " " + "x" * 16, "x" * 15 + "\0 " + "x" * 14], "words")
def test_pieces_are_the_tokens_of_each_part(parts: list[str], split: str) -> None:
    expected, before = [], None
    for part in parts:
        expected.append(tokenize(part, split, before))
        before = expected[-1][-1] if expected[-1] else before
    assert by_pieces(parts, split) == expected


VOCABULARIES = [
    Vocabulary(("<unk>", "\n", "a", "é", '"', "'", "(", "⁠a", " \n", "word", "-", "..."), "word", "<unk>", split)
    for split in SPLITS
] + [Vocabulary(("a", "⁠a", " ,", "b"), "word"), Vocabulary(("(", "'"), "word")]


@settings(deadline=None)
@given(st.lists(texts.map(normalize), max_size=4), st.sampled_from(VOCABULARIES))
def test_ids_characters_and_unseen_are_those_of_the_vocabulary(parts: list[str], vocabulary: Vocabulary) -> None:
    file = io.BytesIO()
    encoder = encode.Encoder(vocabulary, file, np.zeros(CODES, np.int64))
    before, ids, characters, unseen = None, [], 0, 0
    for part in parts:
        encoder.add(part.encode())
        encoding = vocabulary.encode(part, before)
        ids += encoding.ids.tolist()
        before = ids[-1] if ids else None
        characters += encoding.characters
        unseen += encoding.unseen
    assert np.frombuffer(file.getvalue(), encoder.dtype).tolist() == ids
    assert (encoder.characters, encoder.unseen) == (characters, unseen)


def test_nothing_changes_where_pieces_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [f"(one {number}, two's {number % 3}... “end”\n" for number in range(40)]
    whole = by_pieces(parts, "words")
    monkeypatch.setattr(pieces, "MAX_PIECES", 5)
    monkeypatch.setattr(pieces, "SLOTS", 2)  # most pieces share a slot
    assert by_pieces(parts, "words") == whole == [tokenize(part, "words") for part in parts]


@pytest.mark.parametrize("most", [pieces.MAX_PIECES, 5])
def test_what_was_cut_is_not_cut_again(most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same ids, where all parts were kept and where pieces were forgotten after some."""
    monkeypatch.setattr(pieces, "MAX_PIECES", most)
    parts = [f"(one {number}, two's {number % 3}... “end”\n" for number in range(40)]
    cuts = PieceFile(tmp_path / "cuts")
    vocabulary = encode.learn(parts, TrainSettings(level="word", vocabulary=30), cuts)
    assert len(list(cuts)) == 40 if most > 40 else 1 <= len(list(cuts)) < 40
    count = len(list(cuts))
    assert cuts.characters == sum(map(len, parts[:count]))
    written = []
    for kept in (0, count):
        file = io.BytesIO()
        encoder = encode.Encoder(vocabulary, file, np.zeros(CODES, np.int64), cuts.pretokenizer)
        for piece_ids in itertools.islice(cuts, kept):
            encoder.add_pieces(piece_ids)
        for part in parts[kept:]:
            encoder.add(part.encode())
        written.append((file.getvalue(), encoder.tokens, encoder.characters, encoder.unseen))
    assert written[0] == written[1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans())), st.booleans())
def test_a_chain_of_states_is_resolved(steps: list[tuple[bool, bool]], joins: bool) -> None:
    states = [joins]
    for if_apart, if_joined in steps:
        states.append(if_joined if states[-1] else if_apart)
    outcomes = np.array(steps, np.int32).reshape(-1, 2)
    assert pieces.resolve(outcomes[:, 0], outcomes[:, 1], joins).tolist() == states


@settings(deadline=None)
@given(st.lists(texts.map(normalize), min_size=1, max_size=4), st.sampled_from([2, 255, 256, 300]), st.booleans())
def test_characters_are_those_of_the_vocabulary(parts: list[str], size: int, misses: bool) -> None:
    """Vocabularies of one byte an id and of two, with all of the characters and with some."""
    counts = np.zeros(CODES, np.int64)
    for part in parts:
        count_characters(part.encode(), counts)
    plain = np.bincount([ord(letter) for letter in "".join(parts)] or [0], minlength=CODES) * bool("".join(parts))
    assert (counts == plain).all()
    known = sorted(set("".join(parts)))[int(misses) :]
    fill = (chr(code) for code in range(0x4E00, 0x5E00) if chr(code) not in known)
    known += [next(fill) for _ in range(size - len(known))]
    vocabulary, file = Vocabulary(tuple(sorted(known))), io.BytesIO()
    encoder = encode.Encoder(vocabulary, file, counts)
    for part in parts:
        encoder.add(part.encode())
    expected = [index for part in parts for index in vocabulary.encode(part).ids.tolist()]
    assert np.frombuffer(file.getvalue(), encoder.dtype).tolist() == expected
    assert encoder.characters == len(expected)
