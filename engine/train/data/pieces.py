"""Splits long texts into words by array operations, with the same result as `engine.text.words`.

A piece is a line end, a run of white space, or the text between these; for the split "words", punctuation marks are
pieces of their own. Array operations cut the bytes of a text into pieces and number them. The tokens of a piece are
looked up once, by a function that is passed in, for each context: after a space or not, after a token that joins it
or one that does not.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAIN, SPACE, LINE_END, RUN = range(4)  # kinds of bytes: a single space, other white space or more of it; marks
MAX_PIECES = 1 << 19  # that are remembered before all are forgotten
SLOTS, PROBES = 18, 4  # bits of a slot's number, slots that a piece may have
PACKED = 15  # bytes of a piece that is found by arrays; longer ones by a dictionary
WHITE = [chr(code) for code in range(0x3001) if chr(code).isspace() and code not in (10, 32)]
WITHIN = "'<>"  # ASCII marks that may be in the midst of a word, or of <unk>
WIDE_MARKS = "–—‘“”…"  # of three bytes of UTF-8, the first two alike
_WIDE = [white for white in WHITE if not white.isascii()]
_ASCII = bytes(range(128))
_LASTS = np.array([mark.encode()[2] for mark in WIDE_MARKS], np.uint8)
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(8)] + [(1 << 64) - 1], np.uint64)
_MIX, _TURN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


PieceIds = NDArray[np.int32]  # of pieces in a row: twice the number of each, plus one after a single space


@dataclass(frozen=True, slots=True)
class PieceValues:
    """What a piece becomes: ids, whether the next piece joins it, its characters, its unseen words."""

    values: list[int]
    joins: bool
    characters: int = 0
    unseen: int = 0


LookUp = Callable[[str, bool], PieceValues]  # a piece with the space before it, and whether it joins what stands before


class PreTokenizer:
    """Cuts text into pieces, and numbers them by their first occurrence."""

    def __init__(self, split: str) -> None:
        """`split` is as in `engine.text.words`."""
        self.split, self.pieces = split, list[bytes]()
        self._splits_marks = split == "words"
        self._table = _table(self._splits_marks)
        self._numbers: dict[bytes, int] = {}
        self._slots = np.full(1 << SLOTS, -1, np.int32)
        self._heads, self._tails = np.zeros(1 << SLOTS, np.uint64), np.zeros(1 << SLOTS, np.uint64)

    def cut(self, data: bytes) -> PieceIds:
        """The pieces of a part, given as UTF-8."""
        codes = np.frombuffer(data + bytes(16), np.uint8)
        kinds = self._kinds(data)
        begins = np.empty(len(kinds) + 1, bool)
        begins[0] = begins[-1] = True
        np.not_equal(kinds[1:], kinds[:-1], out=begins[1:-1])
        begins[1:-1] |= kinds[1:] == LINE_END
        bounds = np.flatnonzero(begins)
        firsts = kinds.take(bounds[:-1])
        kept = np.flatnonzero(firsts != SPACE)
        gaps = firsts.take(kept - 1, mode="wrap") == SPACE
        if len(kept) and not kept[0]:
            gaps[0] = False
        first = bounds.take(kept)
        size = bounds.take(kept + 1) - first
        piece_ids: PieceIds = 2 * self._number(data, codes, first, size) + gaps
        return piece_ids

    def _kinds(self, data: bytes) -> NDArray[np.uint8]:
        """The kind of each byte. A space is single unless other white space than a line end is beside it."""
        kinds = np.frombuffer(bytearray(data.translate(self._table)), np.uint8)
        if not data.isascii():
            _mark_wide(data, kinds, self._splits_marks)
        if b"  " in data or (kinds == RUN).any():
            is_white = np.zeros(len(kinds) + 2, bool)
            is_white[1:-1] = (kinds == SPACE) | (kinds == RUN)
            kinds[(kinds == SPACE) & (is_white[:-2] | is_white[2:])] = RUN
        return kinds

    def _number(
        self, data: bytes, codes: NDArray[np.uint8], first: NDArray[np.int64], size: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """The pieces' numbers. A dictionary has those that are in no slot."""
        words = np.ndarray((len(codes) - 7,), "<u8", codes, strides=(1,))
        heads = words[first] & _MASKS.take(size, mode="clip")
        tails = np.minimum(size, PACKED + 1).astype(np.uint64) << np.uint64(56)
        longer = np.flatnonzero(size > 8)
        tails[longer] |= words[first[longer] + 8] & _MASKS.take(np.minimum(size[longer] - 8, 7))
        mixed = heads * _MIX ^ tails * _TURN
        slots = (((mixed ^ (mixed >> np.uint64(29))) * _MIX) >> np.uint64(64 - SLOTS)).view(np.int64)
        numbers = self._found(slots, heads, tails)
        for probe in range(1, PROBES):
            missing = np.flatnonzero(numbers < 0)
            numbers[missing] = self._found((slots[missing] + probe) % (1 << SLOTS), heads[missing], tails[missing])
        for index in np.flatnonzero(numbers < 0).tolist():
            begin = int(first[index])
            piece = data[begin : begin + int(size[index])]
            number = self._numbers.get(piece)
            if number is None:
                self._numbers[piece] = number = len(self.pieces)
                self.pieces.append(piece)
                if len(piece) <= PACKED:
                    self._keep(int(slots[index]), number, heads[index], tails[index])
            numbers[index] = number
        return numbers

    def _found(
        self, slots: NDArray[np.int64], heads: NDArray[np.uint64], tails: NDArray[np.uint64]
    ) -> NDArray[np.int32]:
        """The numbers that these slots have for these pieces, -1 for none. No slot has a longer piece's tail."""
        numbers: NDArray[np.int32] = self._slots.take(slots)
        numbers[(self._heads.take(slots) != heads) | (self._tails.take(slots) != tails)] = -1
        return numbers

    def _keep(self, slot: int, number: int, head: np.uint64, tail: np.uint64) -> None:
        for probed in ((slot + probe) % (1 << SLOTS) for probe in range(PROBES)):
            if self._slots[probed] < 0:
                self._slots[probed], self._heads[probed], self._tails[probed] = number, head, tail
                return


class PieceReader:
    """Turns the pieces of a text into ids, a part at a time."""

    def __init__(self, look: LookUp, split: str, pretokenizer: PreTokenizer | None = None) -> None:
        """`split` is as in `engine.text.words`; `pretokenizer` may have cut other texts before."""
        self._look, self._joins = look, True
        self._reset(pretokenizer or PreTokenizer(split))

    def begin(self) -> None:
        """Begin a new text: the next part does not continue the last one."""
        self._joins = True

    def cut(self, data: bytes) -> PieceIds:
        """A part's pieces, numbered by `pretokenizer`, which is replaced by a new one when it knows too many pieces.

        Parts end at line ends or before a space.
        """
        if len(self.pretokenizer.pieces) > MAX_PIECES:
            self._reset(PreTokenizer(self.pretokenizer.split))
        return self.pretokenizer.cut(data)

    def values(self, piece_ids: PieceIds) -> tuple[NDArray[np.int32], int, int]:
        """The ids of pieces that `pretokenizer` has cut, their characters and unseen words."""
        if not len(piece_ids):
            return np.zeros(0, np.int32), 0, 0
        contexts = self._contexts(piece_ids)
        sizes, firsts = _view(self._sizes).take(contexts), _view(self._firsts).take(contexts)
        indices = np.repeat(firsts, sizes)
        longer = np.flatnonzero(sizes > 1)  # few: most pieces are one token
        further = sizes[longer]
        within = np.arange(further.sum()) - np.repeat(np.cumsum(further) - further, further)
        indices[np.repeat(np.cumsum(sizes)[longer] - further, further) + within] += within
        values = _view(self._values).take(indices)
        return values, int(_view(self._characters)[contexts].sum()), int(_view(self._unseen)[contexts].sum())

    def _reset(self, pretokenizer: PreTokenizer) -> None:
        self.pretokenizer = pretokenizer
        # by context: four times a piece's number, plus 2 after a space, plus 1 where it joins
        self._firsts, self._sizes, self._after = array("i"), array("i"), array("b")
        self._characters, self._unseen, self._values = array("i"), array("i"), array("i", [0])

    def _contexts(self, piece_ids: PieceIds) -> NDArray[np.int64]:
        """The context of each piece: four times its number, plus 2 after a space, plus 1 where it joins.

        Whether a piece joins depends on the piece before it, which may not have been looked up yet. An unknown context
        is assumed to end like the piece's other one, and all are resolved again until every context is known.
        """
        more = [0] * (4 * len(self.pretokenizer.pieces) - len(self._after))
        for values in (self._firsts, self._after, self._characters, self._unseen):
            values.extend(more)
        self._sizes.extend([-1] * len(more))
        while True:
            after = np.frombuffer(self._after, np.int8).reshape(-1, 2).take(piece_ids, 0)
            joins = resolve(after[:, 0], after[:, 1], self._joins)
            contexts: NDArray[np.int64] = 2 * piece_ids.astype(np.int64) + joins[:-1]
            new = contexts[_view(self._sizes).take(contexts) < 0]
            if not len(new):
                self._joins = bool(joins[-1])
                return contexts
            for context in np.unique(new).tolist():
                self._remember(context)

    def _remember(self, context: int) -> None:
        piece = self.pretokenizer.pieces[context // 4].decode()
        made = self._look(" " + piece if context & 2 else piece, bool(context & 1))
        self._firsts[context], self._sizes[context] = len(self._values), len(made.values)
        self._characters[context], self._unseen[context] = made.characters, made.unseen
        self._values.extend(made.values)
        self._after[context] = made.joins
        if self._sizes[context ^ 1] < 0:
            self._after[context ^ 1] = made.joins


class PieceFile:
    """The pieces of a text's first parts, kept in a file so that they need not be cut again."""

    def __init__(self, path: Path) -> None:
        self.pretokenizer: PreTokenizer | None = None
        self.characters = 0  # of the text that they are of
        self._path, self._sizes = path, list[int]()

    @property
    def split(self) -> str | None:
        """How they were cut; None while there are none."""
        return self.pretokenizer.split if self.pretokenizer else None

    def add(self, piece_ids: PieceIds, pretokenizer: PreTokenizer, characters: int) -> None:
        """Add a part of so many characters, unless a second pretokenizer has cut it."""
        self.pretokenizer = self.pretokenizer or pretokenizer
        if pretokenizer is self.pretokenizer:
            with self._path.open("ab") as file:
                file.write(piece_ids.data)
            self._sizes.append(len(piece_ids))
            self.characters += characters

    def __iter__(self) -> Iterator[PieceIds]:
        if self._sizes:
            with self._path.open("rb") as file:
                for size in self._sizes:
                    yield np.fromfile(file, np.int32, size)


def resolve(if_apart: NDArray[Any], if_joined: NDArray[Any], joins: bool) -> NDArray[np.int8]:
    """The states `[N+1]` of a chain that begins with `joins`, each step's outcome given for both states before it.

    Most steps end in one state whatever the state before. The others, the open ones, keep the state or flip it. After
    an open step, the state is that before its run of open steps, flipped as often as these have flipped it.
    """
    states = np.concatenate([[joins], if_apart]).astype(np.int8)
    open_steps = np.flatnonzero(if_apart != if_joined)
    if len(open_steps):
        is_first = np.diff(open_steps, prepend=-2) > 1
        turns = np.cumsum(if_apart[open_steps])
        first = np.maximum.accumulate(np.where(is_first, np.arange(len(open_steps)), 0))
        before = turns[first] - if_apart[open_steps[first]]
        states[open_steps + 1] = states[open_steps[first]] ^ ((turns - before) & 1)
    return states


def _view(values: array[int]) -> NDArray[np.int32]:
    """An array's values, without a copy. The array cannot grow while the view lives."""
    return np.frombuffer(values, np.int32)


def _table(splits_marks: bool) -> bytes:
    """The kind of each ASCII byte. A mark's kind is its own code, so that a run of one mark is one piece."""
    kinds = np.zeros(256, np.uint8)
    for code in range(128):
        letter = chr(code)
        if letter in WHITE:
            kinds[code] = RUN
        elif splits_marks and code > 32 and not letter.isalnum() and letter not in WITHIN and code < 127:
            kinds[code] = code
    kinds[[32, 10]] = SPACE, LINE_END
    return kinds.tobytes()


def _mark_wide(data: bytes, kinds: NDArray[np.uint8], splits_marks: bool) -> None:
    """Set the kinds of white space and marks that are not ASCII."""
    others = data.translate(None, _ASCII).decode()
    for white in (white.encode() for white in _WIDE if white in others):
        position = data.find(white)
        while position >= 0:
            kinds[position : position + len(white)] = RUN
            position = data.find(white, position + 1)
    if splits_marks:
        codes = np.frombuffer(data, np.uint8)
        indices = np.flatnonzero(codes == 0xE2)
        indices = indices[(codes[indices + 1] == 0x80) & np.isin(codes[indices + 2], _LASTS)]
        for offset in range(3):
            kinds[indices + offset] = codes[indices + 2]
