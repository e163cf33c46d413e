"""One pass over all sources: their text, filtered, into temporary files for the passes to come.

Sources are read once (standard input can be read no oftener); what is learned on the way is how much text there is,
its digest, and how often each character occurs.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.train import formats, sources
from engine.train.filters import make_filter, normalized, whole_lines
from engine.train.settings import TrainSettings

PARTS = ("training", "held_out", "test")
CODES = 0x110000
READ = 1 << 20
Tell = Callable[[str, int, float], None]  # what is done, characters done, seconds


@dataclass(frozen=True, slots=True)
class Inputs:
    """The names that stand after --data, --validation and --test."""

    training: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def words(self) -> tuple[str, ...]:
        """As they stand on the command line after --data."""
        further = (("--validation", self.validation), ("--test", self.test))
        return (*self.training, *(word for flag, names in further if names for word in (flag, *names)))

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Inputs:
        """What `words` gave."""
        lists: dict[str, list[str]] = {"--data": [], "--validation": [], "--test": []}
        now = "--data"
        for word in words:
            if word in lists:
                now = word
            else:
                lists[now].append(word)
        return cls(*map(tuple, lists.values()))


class Spool:
    """The text of each part in a file of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.characters = dict.fromkeys(PARTS, 0)
        self.counts: NDArray[np.int64] = np.zeros(CODES, np.int64)  # of each character, in all parts
        self.files: dict[str, list[int]] = {part: [] for part in PARTS}  # the place of each file's first character
        self._folder = folder
        self._digests = {part: hashlib.sha256() for part in PARTS}

    @property
    def digest(self) -> str:
        """The sha256 of the text; of the parts' digests, where there are more."""
        if not (self.characters["held_out"] or self.characters["test"]):
            return self._digests["training"].hexdigest()
        return hashlib.sha256("".join(digest.hexdigest() for digest in self._digests.values()).encode()).hexdigest()

    def fill(self, inputs: Inputs, settings: TrainSettings, tell: Tell) -> None:
        """Read everything. Raises `TrainingError` for a source that cannot be read or has no text."""
        apply = make_filter(is_ascii=settings.ascii, is_lower=settings.lower, keep=settings.keep)
        named = (inputs.training, inputs.validation, inputs.test)
        self._began = time.monotonic()
        for part, names in zip(PARTS, named, strict=True):
            every = settings.held_out_every if part == "training" else 0
            for number, source in enumerate(sources.open_all(names), 1):
                self._add("held_out" if every and number % every == 0 else part, source, settings, apply, tell)

    def _add(
        self, part: str, source: sources.Source, settings: TrainSettings, apply: Callable[[str], str], tell: Tell
    ) -> None:
        is_empty, raw = True, False
        self.files[part].append(self.characters[part])
        with (self._folder / part).open("ab") as file:
            text = formats.read(source, settings.field, settings.names)
            for piece in normalized(text, apply):
                raw = True
                is_empty = is_empty and not piece.strip()
                self._write(part, piece, file)
                tell(f"reading {source.name}", sum(self.characters.values()), time.monotonic() - self._began)
        if is_empty and source.is_named:
            why = "has nothing left by --keep, --ascii or --lower" if raw and settings.keep else "is empty"
            raise TrainingError(f"{source.name} {why}: give a file with text in it")

    def _write(self, part: str, piece: str, file: IO[bytes]) -> None:
        data = piece.encode()
        file.write(data)
        self._digests[part].update(data)
        self.characters[part] += len(piece)
        if len(data) == len(piece):  # ASCII alone
            self.counts[:128] += np.bincount(np.frombuffer(data, np.uint8), minlength=128)
        else:
            counts = np.bincount(np.frombuffer(piece.encode("utf-32-le"), np.int32))
            self.counts[: len(counts)] += counts

    def texts(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[str]:
        """A part's characters from `begin` to `end`, in pieces that end at line ends or between words."""
        return whole_lines(self._slices(part, begin, self.characters[part] if end is None else end))

    def texts_by_file(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[Iterator[str]]:
        """The same for each file, so that no piece has text of two. Take all of one before the next."""
        numbered = self._by_file(part, begin, self.characters[part] if end is None else end)
        for _, pieces in itertools.groupby(numbered, itemgetter(0)):
            yield whole_lines(text for _, text in pieces)

    def _by_file(self, part: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
        """Pieces of text, each of one file, with its number."""
        files, place = self.files[part], begin
        for text in self._slices(part, begin, end):
            here = 0
            while here < len(text):
                number = bisect_right(files, place + here)
                cut = files[number] - place if number < len(files) else len(text)
                yield number, text[here:cut]
                here = min(cut, len(text))
            place += len(text)

    def _slices(self, part: str, begin: int, end: int) -> Iterator[str]:
        path = self._folder / part
        if not path.exists():
            return
        place = 0
        with path.open("rb") as file:
            decoder = codecs.getincrementaldecoder("utf-8")()
            while place < end and (data := file.read(READ)):
                text = decoder.decode(data)
                here, place = place, place + len(text)
                if wanted := text[max(0, begin - here) : max(0, end - here)]:
                    yield wanted
