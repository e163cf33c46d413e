"""One pass over all sources, which writes their filtered text into temporary files for later passes.

Each source is read once, since standard input cannot be read again. The pass counts the text, its files and each of its
characters, and takes its digest.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError, TrainingError
from engine.names import normalize
from engine.program import temporary_folder
from engine.train.reading import formats, sources
from engine.train.reading.account import Account
from engine.train.reading.filters import make_filter, normalized, whole_lines
from engine.train.settings import TrainSettings

PARTS = ("training", "held_out", "test")
CODES = 0x110000
ASCII = bytes(range(128))
OnProgress = Callable[[str, int, float], None]  # what is done, characters done, seconds


@dataclass(frozen=True, slots=True)
class Inputs:
    """The names that stand after --data, --validation and --test."""

    training: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def or_else(self, others: Inputs) -> Inputs:
        """These names, and the names of `others` for parts that have none."""
        return Inputs(self.training or others.training, self.validation or others.validation, self.test or others.test)

    def words(self) -> tuple[str, ...]:
        """As words of a command line, after --data."""
        further = (("--validation", self.validation), ("--test", self.test))
        return (*self.training, *(word for flag, names in further if names for word in (flag, *names)))

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Inputs:
        """The inputs of such words."""
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
        self.account = Account()
        self.files: dict[str, list[int]] = {part: [] for part in PARTS}  # the position of each file's first character
        self._folder = folder
        self._is_line_open = dict.fromkeys(PARTS, False)  # whether the text so far ends without a line end
        self._ends: dict[str, list[tuple[int, int]]] = {part: [(0, 0)] for part in PARTS}  # characters, bytes
        self._digests = {part: hashlib.sha256() for part in PARTS}

    @property
    def digest(self) -> str:
        """The sha256 of the text; with several parts, of their digests."""
        if not (self.characters["held_out"] or self.characters["test"]):
            return self._digests["training"].hexdigest()
        return hashlib.sha256("".join(digest.hexdigest() for digest in self._digests.values()).encode()).hexdigest()

    def fill(self, inputs: Inputs, settings: TrainSettings, on_progress: OnProgress) -> None:
        """Read everything. Raises `TrainingError` for a source that cannot be read or has no text."""
        named = (inputs.training, inputs.validation, inputs.test)
        self._filter = make_filter(is_ascii=settings.ascii, is_lower=settings.lower, keep=settings.keep)
        self._began = time.monotonic()
        with ThreadPoolExecutor(1) as hashing:
            for part, names in zip(PARTS, named, strict=True):
                every, before = settings.held_out_every if part == "training" else 0, self.account.files
                for number, source in enumerate(sources.open_all(names, self._folder, self.account), 1):
                    here = "held_out" if every and number % every == 0 else part
                    self._add(here, source, settings, on_progress, hashing)
                if names and self.account.files == before:
                    raise TrainingError(
                        f"{' '.join(names)}: no text is in it{self.account.in_brackets()}: give other text"
                    )

    def _add(
        self, part: str, source: sources.Source, settings: TrainSettings, on_progress: OnProgress, hashing: Executor,
    ) -> None:  # fmt: skip
        flags = " and ".join(["--ascii"] * settings.ascii + ["--keep"] * bool(settings.keep))
        account = Account()
        is_empty, is_blank, whole = True, True, 0  # after the filters; before them; characters before them

        def seen(texts: Iterator[str]) -> Iterator[str]:
            nonlocal is_blank
            for text in texts:
                is_blank = is_blank and not text.strip()
                account.characters += len(text)
                yield text

        def counted(text: str) -> str:
            nonlocal whole
            whole += len(text)
            return self._filter(text)

        with (self._folder / part).open("ab") as file:
            if self._is_line_open[part]:  # else the last word before and the first one here would be one
                self._write(part, "\n", file, hashing)
            self.files[part].append(begin := self.characters[part])
            texts = seen(formats.read(source, settings.field, settings.names, has_bots=settings.bots, account=account))
            for piece in normalized(texts, counted):
                is_empty = is_empty and not piece.strip()
                self._write(part, piece, file, hashing)
                on_progress(f"reading {source.name}", sum(self.characters.values()), time.monotonic() - self._began)
        if is_empty and source.is_named:
            raise TrainingError(_nothing_in(source.name, account, flags, is_blank=is_blank))
        if flags and not is_blank:
            account.leave_out(f"characters by {flags}", max(0, whole - (self.characters[part] - begin)))
        account.leave_out("carriage returns and separate accents", max(0, account.characters - whole))
        if is_empty and not is_blank:
            account.leave_out(f"files with nothing left by {flags}")
        elif is_empty and not account.left_out:  # else it is told already why it has no text
            account.leave_out("empty files")
        account.files += not is_empty
        account.speakers = self._as_filtered(account.speakers)
        self.account.add(account)

    def _as_filtered(self, speakers: Counter[str]) -> Counter[str]:
        """Who speaks how often, by the names that the filtered text has."""
        made = Counter[str]()
        for name, lines in speakers.items():
            if filtered := self._filter(normalize(name)).strip():
                made[filtered] += lines
        return made

    def _write(self, part: str, piece: str, file: IO[bytes], hashing: Executor) -> None:
        data = piece.encode("utf-8", "replace")  # half a surrogate pair is no character
        hashed = hashing.submit(self._digests[part].update, data)  # on another core
        file.write(data)
        self._is_line_open[part] = not piece.endswith("\n")
        self.characters[part] += len(piece)
        self._ends[part].append((self.characters[part], self._ends[part][-1][1] + len(data)))
        count_characters(data, self.counts)
        hashed.result()

    def texts(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[str]:
        """A part's characters from `begin` to `end`, in pieces that end at line ends or between words."""
        return whole_lines(block.decode() for block in self.blocks(part, begin, end))

    def texts_by_file(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[Iterator[str]]:
        """A part's characters, file by file, so that no piece has text of two files. Exhaust each before the next."""
        for _, pieces in itertools.groupby(self._by_file(part, begin, end), itemgetter(0)):
            yield whole_lines(text for _, text in pieces)

    def _by_file(self, part: str, begin: int, end: int | None) -> Iterator[tuple[int, str]]:
        """Pieces of text, each from one file, with the file's number."""
        files, position = self.files[part], begin
        for text in map(bytes.decode, self.blocks(part, begin, end)):
            here = 0
            while here < len(text):
                number = bisect_right(files, position + here)
                cut = files[number] - position if number < len(files) else len(text)
                yield number, text[here:cut]
                here = min(cut, len(text))
            position += len(text)

    def blocks(self, part: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """A part's characters from `begin` to `end` as UTF-8, in blocks of whole characters."""
        path = self._folder / part
        if not path.exists():
            return
        end = self.characters[part] if end is None else end
        with path.open("rb") as file:
            for (first, start), (last, stop) in itertools.pairwise(self._ends[part]):
                if last <= begin or first >= end:
                    continue
                file.seek(start)
                data = file.read(stop - start)
                yield (
                    data
                    if begin <= first and last <= end
                    else data.decode()[max(0, begin - first) : end - first].encode()
                )


def _nothing_in(name: str, account: Account, flags: str, *, is_blank: bool) -> str:
    """Why a source has no text."""
    if not is_blank:
        return f"{name} has nothing left by {flags}: give it other text, or leave {flags} out"
    if account.left_out:
        return f"{name} has no text in it{account.in_brackets()}: give a file with text in it"
    return f"{name} is empty: give a file with text in it"


def count_characters(data: bytes, counts: NDArray[np.int64]) -> None:
    """Add how often each character occurs in UTF-8 to `counts [CODES]`. ASCII is counted two bytes at a time."""
    pairs = np.bincount(np.frombuffer(data, np.uint16, len(data) // 2), minlength=1 << 16).reshape(256, 256)
    counts[:128] += pairs.sum(0)[:128] + pairs.sum(1)[:128]
    if len(data) % 2 and data[-1] < 128:
        counts[data[-1]] += 1
    if not data.isascii():
        others = np.bincount(wide_codes(data))
        counts[: len(others)] += others


def wide_codes(data: bytes) -> NDArray[np.int32]:
    """The codes of the characters of UTF-8 that are not ASCII, in order."""
    return np.frombuffer(data.translate(None, ASCII).decode().encode("utf-32-le"), np.int32)


def read_whole(data: Sequence[str], settings: TrainSettings, tell: OnProgress) -> tuple[str, list[str]]:
    """All sources as one normalized text, and remarks on what was left out. Raises `EngineError`."""
    try:
        with temporary_folder() as folder:
            spool = Spool(folder)
            spool.fill(Inputs(tuple(data)), settings, tell)
            text = "".join(spool.texts("training"))
    except OSError as error:
        raise EngineError(f"cannot keep the text in {tempfile.gettempdir()}: {error.strerror}") from None
    is_partly = spool.account.left_out or spool.account.remarks
    return text, [*spool.account.lines()] if is_partly else []


def read_files(*names: str) -> tuple[str, list[str]]:
    """The texts of files, folders, packed files and chats as one, read as the trainer reads them; and remarks.

    Raises `EngineError` that says what to do.
    """
    return read_whole(names, TrainSettings(), lambda what, characters, seconds: None)
