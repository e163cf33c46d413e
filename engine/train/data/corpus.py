"""The corpus of a run: token ids to learn from, to judge by and to test on.

The text is read once, as a stream, and its ids are written into a file that is mapped into memory, so that memory does
not grow with the text. Knows files and text; no TensorFlow and no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelLoadError, TrainingError
from engine.model.directory import NETWORK, VOCABULARY, ModelFiles, read_vocabulary
from engine.text.files import split_point
from engine.text.vocabulary import Vocabulary
from engine.train.data import cache, encode
from engine.train.data.boundaries import Indices, at_files, at_lines
from engine.train.reading.account import Account
from engine.train.reading.spool import PARTS, Inputs, OnProgress, Spool
from engine.train.settings import TrainSettings

Ids = NDArray[Any]  # whole numbers of any width
MOST_NAMED = 8  # characters, of those that a model never read


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as token ids: the part to learn from, the held-out part that judges epochs, the part to test on."""

    vocabulary: Vocabulary
    training: Ids  # [N]
    held_out: Ids  # [M], may be empty
    test: Ids  # [K], may be empty
    digest: str  # sha256 of the normalized text, of a vocabulary learned from it, and, for --reset file, of `files`
    characters: dict[str, int]  # of each part
    unseen: int  # characters or words that the vocabulary lacks
    files: NDArray[np.int64]  # for --reset file, where each file in `training` begins, but the first
    account: Account = field(default_factory=Account)  # what was read and what was left out
    strange: tuple[float, str] = (0.0, "")  # the share of characters that the `old` model never read, and which
    mapped: str = ""  # characters that are read as others, which the `old` model knows
    _boundaries: dict[str, Indices] = field(default_factory=dict, repr=False, compare=False)  # found so far

    def boundaries(self, kind: str) -> Indices:
        """The indices where a state may begin anew: at each "line", after each "blank" line, or at each "file".

        Each kind is searched for once.
        """
        if kind not in self._boundaries:
            if kind == "file":
                found = at_files(self.training, self.vocabulary, self.files)
            else:
                found = at_lines(self.training, self.vocabulary, after_blank=kind == "blank")
            self._boundaries[kind] = found
        return self._boundaries[kind]

    @property
    def training_characters(self) -> int:
        """How many characters are learned from."""
        return self.characters["training"]

    @property
    def held_out_characters(self) -> int:
        """How many are held out."""
        return self.characters["held_out"]

    @property
    def training_rate(self) -> float:
        """Tokens a character."""
        return len(self.training) / max(1, self.training_characters)

    @property
    def held_out_rate(self) -> float:
        """Tokens a character; of the text to learn from, where nothing is held out."""
        if not len(self.held_out):
            return self.training_rate
        return len(self.held_out) / max(1, self.held_out_characters)

    def describe(self) -> str:
        """The sizes of all parts, in half a line."""
        test = f", {len(self.test):,} to test" if len(self.test) else ""
        if self.vocabulary.level == "char":
            parts = (
                f"{len(self.training):,} characters to learn from, {len(self.held_out):,} held out{test}, "
                f"{len(self.vocabulary)} different"
            )
        else:
            different = f"{len(self.vocabulary):,} different"
            parts = (
                f"{len(self.training):,} tokens ({self.training_characters:,} characters) to learn from, "
                f"{len(self.held_out):,} ({self.held_out_characters:,}) held out{test}, {different}"
            )
        what = "read as others" if self.vocabulary.level == "bpe" else "unknown"
        return parts + (f", {self.unseen:,} {what}" if self.unseen else "")


def read_corpus(
    paths: Sequence[str | Path] | Inputs, held_out: float, steps: int, settings: TrainSettings | None = None,
    vocabulary: Vocabulary | None = None, folder: Path | None = None, on_progress: OnProgress = lambda *_: None,
    *, old: Vocabulary | None = None,
) -> Corpus:  # fmt: skip
    """Read all inputs in order as one text, and split off the last `held_out` share of its characters.

    Nothing is split off where validation files are named or every n-th file is held out. The vocabulary, if none is
    given, has the characters of all parts, so that none is unseen; one of words or byte pairs is learned from the text
    to learn from alone. Of `old`, if that is given, all tokens keep their ids, and new ones follow.
    Token files are kept in `folder`; `on_progress` hears what is being done and how many characters were read.
    Raises `TrainingError` if a source is unusable or the text is shorter than a few updates.
    """
    settings = settings or TrainSettings()
    inputs = paths if isinstance(paths, Inputs) else Inputs(tuple(map(str, paths)))
    folder = folder or cache.default_folder()
    has_tail = not (inputs.validation or settings.held_out_every)
    with cache.writing(folder) as temporary:
        spool = Spool(temporary)
        spool.fill(inputs, settings, on_progress)
        look = None if settings.level == "char" else lambda begin, end: "".join(spool.texts("training", begin, end))
        cut = split_point(spool.characters["training"], held_out if has_tail else 0.0, look)
        name = cache.key(
            text=spool.digest, cut=cut, level=settings.level, size=settings.vocabulary, split=settings.split,
            min_count=settings.min_count, vocabulary=vocabulary.to_json() if vocabulary else None,
            **({"files": spool.files} if settings.reset == "file" else {}), **({"old": old.to_json()} if old else {}),
        )  # fmt: skip
        found = cache.find(folder, name)
        if found is None:
            if not cut:
                raise TrainingError(_nothing_left(settings, held_out if has_tail else 0.0))
            entry = encode.write_tokens(spool, cut, settings, temporary, vocabulary, old, on_progress)
            found = cache.keep(folder, name, temporary, entry)
    if found is None:
        raise TrainingError(f"token files in {folder} do not last: look after the disk, or name another by --cache")
    entry, ids = found
    parts = {part: ids[slice(*entry.parts[part][:2])] for part in PARTS}
    digest = entry.digest
    if entry.files:
        digest = hashlib.sha256(f"{digest} {entry.files}".encode()).hexdigest()
    made = Vocabulary.from_json(entry.vocabulary)
    corpus = Corpus(
        made, parts["training"], parts["held_out"], parts["test"], digest,
        {part: entry.parts[part][2] for part in PARTS}, entry.unseen, np.array(entry.files, np.int64),
        spool.account, *_strange(spool.counts, old, made),
    )  # fmt: skip
    wants_held_out = not has_tail or held_out > 0
    _check(corpus, steps, has_tail=has_tail, wants_held_out=wants_held_out, wants_test=bool(inputs.test))
    return corpus


def _strange(counts: NDArray[np.int64], old: Vocabulary | None, made: Vocabulary) -> tuple[tuple[float, str], str]:
    """What of a text's characters, `counts` by code point, a model never read: as `Corpus.strange` and `mapped`."""
    known = {"char": old.tokens, "bpe": old.characters}.get(old.level, "") if old is not None else ""
    if not known:
        return (0.0, ""), ""
    others = counts.copy()
    others[[ord(character) for character in known if len(character) == 1]] = 0
    new = map(chr, np.flatnonzero(others))
    mapped = "".join(one for one in new if made.characters and one not in made.characters)
    others[[ord(character) for character in mapped]] = 0
    often = np.argsort(-others, kind="stable")[:MOST_NAMED]
    share = float(others.sum() / max(1, counts.sum()))
    return (share, "".join(chr(code) for code in often if others[code])), mapped


def _nothing_left(settings: TrainSettings, held_out: float) -> str:
    """Why there is nothing to learn from."""
    if settings.held_out_every:
        return (
            f"--held-out-every {settings.held_out_every}: holds out all there is: give more files, or a larger number"
        )
    return f"--held-out {held_out:g}: leaves nothing of so short a text to learn from: add text"


def _check(corpus: Corpus, steps: int, *, has_tail: bool, wants_held_out: bool, wants_test: bool) -> None:
    is_char = corpus.vocabulary.level == "char"
    unit = "characters" if is_char else "tokens"
    if len(corpus.vocabulary) < 2 and is_char:
        raise TrainingError("the text has a single character, over and over: give text to learn from")
    if len(corpus.vocabulary) < 2:
        raise TrainingError("no word occurs often enough for --min-count: lower it, or give more text")
    if len(corpus.training) < 2 * (steps + 1):
        raise TrainingError(
            f"the text is too short: {len(corpus.training) + len(corpus.held_out):,} {unit}, of which "
            f"{len(corpus.training):,} are to learn from, and --steps {steps} needs {2 * (steps + 1):,}; add text or "
            "lower --steps"
        )
    if wants_held_out and len(corpus.held_out) < 2:
        mend = "a larger --held-out, or 0 for none"
        if not has_tail:
            mend = "more text to --validation, or a smaller --held-out-every"
        raise TrainingError(f"the held-out text has {len(corpus.held_out)} {unit}, too few to judge by: give {mend}")
    if wants_test and len(corpus.test) < 2:
        raise TrainingError(f"--test has {len(corpus.test)} {unit}: give more text to test on")


def known_vocabulary(directory: Path) -> Vocabulary | None:
    """The vocabulary that a run began with, if it has written one. Raises `TrainingError` if it is damaged."""
    path = directory / VOCABULARY
    if not path.exists():
        return None
    try:
        return read_vocabulary(ModelFiles(directory.name, directory / NETWORK, path))
    except ModelLoadError as error:
        raise TrainingError(str(error)) from None
