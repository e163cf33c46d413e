"""From text to token ids in a file: learns the vocabulary, then writes the ids of all parts.

Of words, the text to learn from is cut once: what was learned from is kept as pieces, and encoded from these.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.text import byte_pairs
from engine.text.substitutes import typographic
from engine.text.vocabulary import Vocabulary
from engine.text.words import UNKNOWN, joins_next, tokenize
from engine.train.data import cache
from engine.train.data.pieces import PieceFile, PieceIds, PieceReader, PieceValues, PreTokenizer
from engine.train.reading.spool import CODES, PARTS, OnProgress, Spool, wide_codes
from engine.train.settings import TrainSettings

CACHED = 1 << 18  # characters whose arrays of words stay in a core's cache
BYTES = 256
CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 after a character's first one
APART_WORD = "a"  # a token that joins nothing, in either split
_SPLIT_BEFORE = re.compile(rf"(?<!\S){UNKNOWN}(?!\S)")


def write_tokens(
    spool: Spool, cut: int, settings: TrainSettings, folder: Path, vocabulary: Vocabulary | None,
    old: Vocabulary | None, on_progress: OnProgress,
) -> cache.Entry:  # fmt: skip
    """Write the ids of all parts into `cache.TOKENS` in `folder`; from character `cut` on, training text is held out.

    Without a `vocabulary`, one is learned; of `old`, if that is given, all tokens keep their ids, and new ones follow.
    Raises `TrainingError` if no such vocabulary can be learned.
    """
    pieces = PieceFile(folder / "pieces")
    vocabulary = vocabulary or _make_vocabulary(spool, cut, settings, old, pieces, on_progress)
    is_cut = pieces.split == vocabulary.split
    ranges: dict[str, list[tuple[str, int, int | None]]] = {
        "training": [("training", pieces.characters if is_cut else 0, cut)],
        "held_out": [("training", cut, spool.characters["training"]), ("held_out", 0, None)],
        "test": [("test", 0, None)],
    }
    parts: dict[str, tuple[int, int, int]] = {}
    files = set[int]()
    with (folder / cache.TOKENS).open("wb") as file:
        encoder = Encoder(vocabulary, file, spool.counts, pieces.pretokenizer if is_cut else None)
        for part in PARTS:
            encoder.begin()
            begin = encoder.tokens
            for piece_ids in pieces if is_cut and part == "training" else ():
                encoder.add_pieces(piece_ids)
                on_progress("making tokens", encoder.characters, 0.0)
            for source, first, end in ranges[part]:
                for blocks in _blocks(spool, settings, vocabulary.level, source, first, end):
                    if part == "training" and settings.reset == "file":
                        files.add(encoder.tokens)
                    for data in blocks:
                        encoder.add(data)
                        on_progress("making tokens", encoder.characters, 0.0)
            parts[part] = begin, encoder.tokens, encoder.characters
        if not encoder.tokens:
            file.write(b"\0" * np.dtype(encoder.dtype).itemsize)  # an empty file cannot be mapped
    learned = vocabulary.to_json()
    digest = spool.digest
    if settings.level != "char":
        digest = hashlib.sha256(digest.encode() + json.dumps(learned).encode()).hexdigest()
    begins = [index for index in sorted(files) if 0 < index < parts["training"][1]]
    return cache.Entry(encoder.dtype, parts, learned, digest, encoder.unseen, 0, begins)


def _blocks(
    spool: Spool, settings: TrainSettings, level: str, part: str, begin: int, end: int | None
) -> Iterator[Iterator[bytes]]:
    """A part of the text as UTF-8, by file where states begin anew there; of characters, blocks may end anywhere."""
    if level == "char" and settings.reset != "file":
        return iter([spool.blocks(part, begin, end)])
    return (map(str.encode, texts) for texts in _texts(spool, settings, part, begin, end))


def _texts(spool: Spool, settings: TrainSettings, part: str, begin: int, end: int | None) -> Iterator[Iterator[str]]:
    if settings.reset == "file":
        return spool.texts_by_file(part, begin, end)
    return iter([spool.texts(part, begin, end)])


def _make_vocabulary(
    spool: Spool, cut: int, settings: TrainSettings, old: Vocabulary | None, pieces: PieceFile, on_progress: OnProgress
) -> Vocabulary:
    """The tokens of `old`, then those of the text. A byte-pair vocabulary covers every text, and stays as it is."""
    if old is not None and old.level == "bpe":
        return replace(old, characters=_characters(spool, old.characters) if old.characters else "")
    if settings.level == "char":
        learned = from_counts(spool.counts, settings)
    else:
        on_progress("learning a vocabulary", 0, 0.0)
        parts = itertools.chain.from_iterable(_texts(spool, settings, "training", 0, cut))
        learned = learn(parts, settings, pieces if settings.reset != "file" else None)  # files are encoded one by one
        if learned.level == "bpe":
            learned = replace(learned, characters=_characters(spool))
    return extended(old, learned) if old is not None else learned


def _characters(spool: Spool, known: str = "") -> str:
    """All characters of a text, and those that were `known`, in code point order.

    Where some were known, quotes and dashes that were not are read as those that were.
    """
    found = "".join(map(chr, np.flatnonzero(spool.counts)))
    return "".join(sorted({*known, *found} - {*typographic(found, known)}))


def extended(old: Vocabulary, learned: Vocabulary) -> Vocabulary:
    """The old tokens with their ids, then those that only the new text has."""
    known = set(old.tokens)
    if old.unknown is not None and learned.unknown is not None:
        known.add(learned.unknown)  # one is enough
    new = [token for token in learned.tokens if token not in known]
    return replace(old, tokens=(*old.tokens, *new), unknown=old.unknown or learned.unknown)


def from_counts(counts: NDArray[np.int64], settings: TrainSettings) -> Vocabulary:
    """The characters that occur often enough, in code point order; `counts [CODES]`."""
    often = np.flatnonzero(counts >= settings.min_count)
    if not len(often):
        raise TrainingError(f"no character occurs --min-count {settings.min_count} times: lower it, or give more text")
    return Vocabulary(tuple(map(chr, often)))


def learn(parts: Iterable[str], settings: TrainSettings, cuts: PieceFile | None = None) -> Vocabulary:
    """Learn a vocabulary of `--level word` or `bpe`. Parts end at line ends; the pieces of words are kept in `cuts`."""
    return _learn_words(parts, settings, cuts) if settings.level == "word" else _learn_byte_pairs(parts, settings)


def _learn_words(parts: Iterable[str], settings: TrainSettings, cuts: PieceFile | None) -> Vocabulary:
    """The unknown token, then the most frequent ones; of two as frequent, the first in alphabetical order."""
    parts = iter(parts)
    first = next(parts, "")
    split, numbers = settings.split, dict[str, int]()
    if split == "auto":
        split = "spaces" if _SPLIT_BEFORE.search(first) else "words"

    def look(piece: str, joins: bool) -> PieceValues:
        tokens = tokenize(piece, split, None if joins else APART_WORD)
        joins = joins_next(tokens[-1], split) if tokens else joins
        return PieceValues([numbers.setdefault(token, len(numbers)) for token in tokens], joins)

    pieces, counts = PieceReader(look, split), np.zeros(1 << 16, np.int64)
    for part in _smaller(itertools.chain([first], parts)):
        piece_ids = pieces.cut(part.encode())
        if cuts is not None:
            cuts.add(piece_ids, pieces.pretokenizer, len(part))
        found = np.bincount(pieces.values(piece_ids)[0])
        while len(counts) < len(found):
            counts = np.concatenate([counts, np.zeros_like(counts)])
        counts[: len(found)] += found
    often = [token for token, number in numbers.items() if counts[number] >= settings.min_count and token != UNKNOWN]
    ranked = sorted(often, key=lambda token: (-counts[numbers[token]], token))
    return Vocabulary((UNKNOWN, *ranked[: settings.vocabulary - 1]), "word", UNKNOWN, split)


def _smaller(parts: Iterable[str]) -> Iterator[str]:
    """A text in parts of about `CACHED` characters, each to the end of a line."""
    for part in parts:
        begin = 0
        while begin < len(part):
            end = part.find("\n", begin + CACHED) + 1 or len(part)
            yield part[begin:end]
            begin = end


def _learn_byte_pairs(parts: Iterable[str], settings: TrainSettings) -> Vocabulary:
    if settings.vocabulary < BYTES:
        raise TrainingError(
            f"--vocabulary {settings.vocabulary}: a byte-pair vocabulary has the {BYTES} bytes at least; give more"
        )
    tokens, merges = byte_pairs.train(parts, settings.vocabulary)
    return Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))


def smallest_type(size: int) -> str:
    """The smallest integers that hold `size` ids."""
    return "<u1" if size <= 1 << 8 else "<u2" if size <= 1 << 16 else "<i4"


class Encoder:
    """Writes the ids of a text into a file, a part at a time, and counts."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        file: IO[bytes],
        counts: NDArray[np.int64],
        pretokenizer: PreTokenizer | None = None,
    ) -> None:
        """`counts [CODES]` tells which characters will come; `pretokenizer` has cut the pieces that will come."""
        self.dtype = smallest_type(len(vocabulary) + 1)
        self._missing = len(vocabulary)
        known = [ord(token) for token in vocabulary.tokens if len(token) == 1]
        self._may_miss = int(counts[known].sum()) < int(counts.sum())
        self.tokens = self.characters = self.unseen = 0
        self._vocabulary, self._file = vocabulary, file
        self._pieces = PieceReader(self._look, vocabulary.split, pretokenizer) if vocabulary.level == "word" else None
        joins = [joins_next(token, vocabulary.split) for token in vocabulary.tokens] if self._pieces else []
        self._joins, self._apart = joins, joins.index(False) if False in joins else None
        self._table: NDArray[Any] | None = None
        if vocabulary.level == "char":
            self._table = np.full(CODES, self._missing, self.dtype)
            for index, token in enumerate(vocabulary.tokens):
                if len(token) == 1:
                    self._table[ord(token)] = index
            self._bytes = self._table[:128].tobytes() + bytes([self._missing]) * 128 if self.dtype == "<u1" else b""

    def begin(self) -> None:
        """Begin a new text: what is added next does not continue what came before."""
        self.characters = 0
        if self._pieces:
            self._pieces.begin()

    def add(self, data: bytes) -> None:
        """Write the ids of a part of normalized text, given as UTF-8."""
        if self._pieces:
            self.add_pieces(self._pieces.cut(data))
        elif (found := self._look_up(data)) is not None:
            self._write(found, len(found), 0)
        else:
            encoding = self._vocabulary.encode(data.decode())
            self._write(encoding.ids, encoding.characters, encoding.unseen)

    def add_pieces(self, piece_ids: PieceIds) -> None:
        """Write the ids of pieces that the pretokenizer has cut."""
        if self._pieces:
            self._write(*self._pieces.values(piece_ids))

    def _write(self, ids: NDArray[Any], characters: int, unseen: int) -> None:
        self.tokens += len(ids)
        self.characters += characters
        self.unseen += unseen
        self._file.write(ids.astype(self.dtype, copy=False).data)

    def _look(self, piece: str, joins: bool) -> PieceValues:
        """The ids of one piece."""
        encoding = self._vocabulary.encode(piece, None if joins else self._apart)
        ids = encoding.ids.tolist()
        return PieceValues(ids, self._joins[ids[-1]] if ids else joins, encoding.characters, encoding.unseen)

    def _look_up(self, data: bytes) -> NDArray[Any] | None:
        """The ids of characters, from a table; None if one is unseen, and for byte pairs."""
        if self._table is None:
            return None
        if not self._bytes:
            ids = self._table[np.frombuffer(data.decode().encode("utf-32-le"), np.uint32)]
            return None if self._may_miss and (ids == self._missing).any() else ids
        ids = np.frombuffer(data.translate(self._bytes, CONTINUATION), np.uint8)
        if data.isascii() and not self._may_miss:
            return ids
        missing, found = np.flatnonzero(ids == self._missing), self._table[wide_codes(data)]
        if len(missing) != len(found) or (found == self._missing).any():
            return None
        ids = ids.copy()
        ids[missing] = found
        return ids
