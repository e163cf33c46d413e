"""Words of long texts at the speed of arrays: what `engine.text.words` would give, piece by piece and remembered.

A piece is a line end, a run of white space, or what stands between; for the split "words", punctuation marks stand
apart, too. The bytes of a text are cut into pieces and each is given a number by array operations; what a piece's
tokens are is asked once, of a function that is passed in, for each way it may be met: after a space or not, after a
token that joins it or one that does not.
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


Met = NDArray[np.int32]  # pieces in a row


@dataclass(frozen=True, slots=True)
class Made:
    """What a piece is made into: some numbers, whether what follows joins, characters, unseen words."""

    values: list[int]
    joins: bool
    characters: int = 0
    unseen: int = 0


Look = Callable[[str, bool], Made]  # a piece with the space before it, and whether it joins what stands before


class Cutter:
    """Cuts text into pieces and numbers them."""

    def __init__(self, split: str) -> None:
        """`split` is that of `engine.text.words`."""
        self.split, self.pieces = split, list[bytes]()
        self._splits_marks = split == "words"
        self._table = _table(self._splits_marks)
        self._numbers: dict[bytes, int] = {}
        self._slots = np.full(1 << SLOTS, -1, np.int32)
        self._heads, self._tails = np.zeros(1 << SLOTS, np.uint64), np.zeros(1 << SLOTS, np.uint64)

    def cut(self, data: bytes) -> Met:
        """The pieces of a part, as they are met: twice the number of each, plus one after a single space."""
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
        met: Met = 2 * self._number(data, codes, first, size) + gaps
        return met

    def _kinds(self, data: bytes) -> NDArray[np.uint8]:
        """The kind of each byte. A space is single if no other white space but a line end is beside it."""
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
        """The pieces' numbers; those that no slot has are looked up in a dictionary one by one."""
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
        for place in np.flatnonzero(numbers < 0).tolist():
            begin = int(first[place])
            piece = data[begin : begin + int(size[place])]
            number = self._numbers.get(piece)
            if number is None:
                self._numbers[piece] = number = len(self.pieces)
                self.pieces.append(piece)
                if len(piece) <= PACKED:
                    self._keep(int(slots[place]), number, heads[place], tails[place])
            numbers[place] = number
        return numbers

    def _found(
        self, slots: NDArray[np.int64], heads: NDArray[np.uint64], tails: NDArray[np.uint64]
    ) -> NDArray[np.int32]:
        """The numbers that these slots have for these pieces, -1 for none. No slot has a longer piece's tail."""
        numbers: NDArray[np.int32] = self._slots.take(slots)
        numbers[(self._heads.take(slots) != heads) | (self._tails.take(slots) != tails)] = -1
        return numbers

    def _keep(self, slot: int, number: int, head: np.uint64, tail: np.uint64) -> None:
        for place in ((slot + probe) % (1 << SLOTS) for probe in range(PROBES)):
            if self._slots[place] < 0:
                self._slots[place], self._heads[place], self._tails[place] = number, head, tail
                return


class Pieces:
    """Reads a text a part at a time."""

    def __init__(self, look: Look, split: str, cutter: Cutter | None = None) -> None:
        """`split` is that of `engine.text.words`; `cutter` may have cut other texts before."""
        self._look, self._joins = look, True
        self._forget(cutter or Cutter(split))

    def begin(self) -> None:
        """What comes next does not follow what came before."""
        self._joins = True

    def cut(self, data: bytes) -> Met:
        """A part's pieces, numbered by `cutter`. Where there are too many different ones, a new one begins.

        Parts end at line ends or before a space.
        """
        if len(self.cutter.pieces) > MAX_PIECES:
            self._forget(Cutter(self.cutter.split))
        return self.cutter.cut(data)

    def values(self, met: Met) -> tuple[NDArray[np.int32], int, int]:
        """The numbers of pieces that `cutter` has cut, their characters and unseen words."""
        if not len(met):
            return np.zeros(0, np.int32), 0, 0
        ways = self._ways(met)
        sizes, firsts = _view(self._sizes).take(ways), _view(self._firsts).take(ways)
        places = np.repeat(firsts, sizes)
        longer = np.flatnonzero(sizes > 1)  # few: most pieces are one token
        further = sizes[longer]
        within = np.arange(further.sum()) - np.repeat(np.cumsum(further) - further, further)
        places[np.repeat(np.cumsum(sizes)[longer] - further, further) + within] += within
        values = _view(self._values).take(places)
        return values, int(_view(self._characters)[ways].sum()), int(_view(self._unseen)[ways].sum())

    def _forget(self, cutter: Cutter) -> None:
        self.cutter = cutter
        # of each way to meet a piece, by four times its number, plus 2 after a space, plus 1 where it joins
        self._firsts, self._sizes, self._after = array("i"), array("i"), array("b")
        self._characters, self._unseen, self._values = array("i"), array("i"), array("i", [0])

    def _ways(self, met: Met) -> NDArray[np.int64]:
        """The way each piece is met, from twice its number plus its gap.

        What a new piece joins is not known before it is looked up, and that depends on what it is joined to: a way
        that is not known is taken to end like the other one, and all is resolved again until every way is known.
        """
        more = [0] * (4 * len(self.cutter.pieces) - len(self._after))
        for values in (self._firsts, self._after, self._characters, self._unseen):
            values.extend(more)
        self._sizes.extend([-1] * len(more))
        while True:
            after = np.frombuffer(self._after, np.int8).reshape(-1, 2).take(met, 0)
            joins = resolve(after[:, 0], after[:, 1], self._joins)
            ways: NDArray[np.int64] = 2 * met.astype(np.int64) + joins[:-1]
            new = ways[_view(self._sizes).take(ways) < 0]
            if not len(new):
                self._joins = bool(joins[-1])
                return ways
            for way in np.unique(new).tolist():
                self._remember(way)

    def _remember(self, way: int) -> None:
        piece = self.cutter.pieces[way // 4].decode()
        made = self._look(" " + piece if way & 2 else piece, bool(way & 1))
        self._firsts[way], self._sizes[way] = len(self._values), len(made.values)
        self._characters[way], self._unseen[way] = made.characters, made.unseen
        self._values.extend(made.values)
        self._after[way] = made.joins
        if self._sizes[way ^ 1] < 0:
            self._after[way ^ 1] = made.joins


class Cuts:
    """The first parts of a text as they were cut once, in a file, to be read again without cutting."""

    def __init__(self, path: Path) -> None:
        self.cutter: Cutter | None = None
        self.characters = 0  # of the text that they are of
        self._path, self._sizes = path, list[int]()

    @property
    def split(self) -> str | None:
        """How they were cut; None while there are none."""
        return self.cutter.split if self.cutter else None

    def add(self, met: Met, cutter: Cutter, characters: int) -> None:
        """One more part, of so many characters. What a second cutter has cut is left out."""
        self.cutter = self.cutter or cutter
        if cutter is self.cutter:
            with self._path.open("ab") as file:
                file.write(met.data)
            self._sizes.append(len(met))
            self.characters += characters

    def __iter__(self) -> Iterator[Met]:
        if self._sizes:
            with self._path.open("rb") as file:
                for size in self._sizes:
                    yield np.fromfile(file, np.int32, size)


def resolve(if_apart: NDArray[Any], if_joined: NDArray[Any], joins: bool) -> NDArray[np.int8]:
    """The states `[N+1]` of a chain that begins with `joins`, each step's outcome given for both states before it.

    Most steps end in one state whatever was before. The others keep the state or turn it; after one of them it is what
    it was before the first of their row, turned as often as they have turned it since.
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
    """An array's values; to be gone before it grows."""
    return np.frombuffer(values, np.int32)


def _table(splits_marks: bool) -> bytes:
    """The kinds of bytes of ASCII; a mark's is its own code, so that runs of one mark are a piece."""
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
        place = data.find(white)
        while place >= 0:
            kinds[place : place + len(white)] = RUN
            place = data.find(white, place + 1)
    if splits_marks:
        codes = np.frombuffer(data, np.uint8)
        places = np.flatnonzero(codes == 0xE2)
        places = places[(codes[places + 1] == 0x80) & np.isin(codes[places + 2], _LASTS)]
        for offset in range(3):
            kinds[places + offset] = codes[places + 2]
