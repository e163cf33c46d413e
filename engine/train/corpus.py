"""From what stands after --data to token ids, and what is held out of them.

The text is read once as a stream and its ids are written into a file that is mapped into memory, so that memory does
not grow with the text. Knows files and text; no TensorFlow and no network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelLoadError, TrainingError
from engine.model_dir import NETWORK, VOCABULARY, ModelFiles, read_vocabulary
from engine.text import split_point
from engine.train import cache, tokens
from engine.train.settings import TrainSettings
from engine.train.spool import PARTS, Inputs, Spool, Tell
from engine.vocabulary import Vocabulary

Ids = NDArray[Any]  # whole numbers of any width


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as token ids: what is learned from, what is held out to judge by, what is scored at the end."""

    vocabulary: Vocabulary
    training: Ids  # [N]
    held_out: Ids  # [M], may be empty
    test: Ids  # [K], may be empty
    digest: str  # sha256 of the normalized text, and of a vocabulary that was learned from it
    characters: dict[str, int]  # of each part
    unseen: int  # characters or words that the vocabulary lacks

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
        """How much there is of what, in half a line."""
        test = f", {len(self.test):,} to test" if len(self.test) else ""
        if self.vocabulary.level == "char":
            told = (
                f"{len(self.training):,} characters to learn from, {len(self.held_out):,} held out{test}, "
                f"{len(self.vocabulary)} different"
            )
        else:
            different = f"{len(self.vocabulary):,} different"
            told = (
                f"{len(self.training):,} tokens ({self.training_characters:,} characters) to learn from, "
                f"{len(self.held_out):,} ({self.held_out_characters:,}) held out{test}, {different}"
            )
        return told + (f", {self.unseen:,} unknown" if self.unseen else "")


def read_corpus(
    paths: Sequence[str | Path] | Inputs, held_out: float, steps: int, settings: TrainSettings | None = None,
    vocabulary: Vocabulary | None = None, folder: Path | None = None, tell: Tell = lambda *_: None,
) -> Corpus:  # fmt: skip
    """Read all inputs in order as one text, and split off the last `held_out` share of its characters.

    Nothing is split off where validation files are named or every n-th file is held out. The vocabulary, if none is
    given, has the characters of all parts, so that none is unseen; one of words or byte pairs is learned from the text
    to learn from alone. Token files are kept in `folder`; `tell` is told how far the reading is.
    Raises `TrainingError` if a source is unusable or the text is shorter than a few updates.
    """
    settings = settings or TrainSettings()
    inputs = paths if isinstance(paths, Inputs) else Inputs(tuple(map(str, paths)))
    folder = folder or cache.default_folder()
    has_tail = not (inputs.validation or settings.held_out_every)
    with cache.writing(folder) as temporary:
        spool = Spool(temporary)
        spool.fill(inputs, settings, tell)
        cut = split_point(spool.characters["training"], held_out if has_tail else 0.0)
        name = cache.key(
            text=spool.digest, cut=cut, level=settings.level, size=settings.vocabulary, split=settings.split,
            min_count=settings.min_count, vocabulary=vocabulary.to_json() if vocabulary else None,
        )  # fmt: skip
        found = cache.find(folder, name)
        if found is None:
            entry = _encode(spool, cut, settings, vocabulary, temporary, tell)
            cache.keep(folder, name, temporary, entry)
            found = cache.find(folder, name)
    if found is None:
        raise TrainingError(f"token files in {folder} do not last: look after the disk, or name another by --cache")
    entry, ids = found
    parts = {part: ids[slice(*entry.parts[part][:2])] for part in PARTS}
    corpus = Corpus(
        Vocabulary.from_json(entry.vocabulary), parts["training"], parts["held_out"], parts["test"], entry.digest,
        {part: entry.parts[part][2] for part in PARTS}, entry.unseen,
    )  # fmt: skip
    wants_held_out = not has_tail or held_out > 0
    _check(corpus, steps, has_tail=has_tail, wants_held_out=wants_held_out, wants_test=bool(inputs.test))
    return corpus


def _encode(
    spool: Spool, cut: int, settings: TrainSettings, vocabulary: Vocabulary | None, temporary: Path, tell: Tell
) -> cache.Entry:
    """Write the ids of all parts into a token file."""
    whole = spool.characters["training"]
    if vocabulary is None and settings.level == "char":
        vocabulary = tokens.from_counts(spool.counts, settings)
    elif vocabulary is None:
        tell("learning a vocabulary", 0, 0.0)
        vocabulary = tokens.learn(spool.texts("training", 0, cut), settings)
    places: dict[str, tuple[int, int, int]] = {}
    pieces: dict[str, list[tuple[str, int, int | None]]] = {
        "training": [("training", 0, cut)],
        "held_out": [("training", cut, whole), ("held_out", 0, None)],
        "test": [("test", 0, None)],
    }
    with (temporary / cache.TOKENS).open("wb") as file:
        encoder = tokens.Encoder(vocabulary, file, spool.counts)
        for part in PARTS:
            encoder.begin()
            begin = encoder.tokens
            for piece in pieces[part]:
                is_char = vocabulary.level == "char"
                for data in spool.blocks(*piece) if is_char else map(str.encode, spool.texts(*piece)):
                    encoder.add(data)
                    tell("making tokens", encoder.characters, 0.0)
            places[part] = begin, encoder.tokens, encoder.characters
        if not encoder.tokens:
            file.write(b"\0" * np.dtype(encoder.dtype).itemsize)  # nothing cannot be mapped
    digest = hashlib.sha256(spool.digest.encode()) if settings.level != "char" else None
    if digest is not None:
        digest.update(json.dumps(vocabulary.to_json()).encode())
    return cache.Entry(
        encoder.dtype, places, vocabulary.to_json(), digest.hexdigest() if digest else spool.digest, encoder.unseen, 0
    )


def _check(corpus: Corpus, steps: int, *, has_tail: bool, wants_held_out: bool, wants_test: bool) -> None:
    if len(corpus.vocabulary) < 2:
        raise TrainingError("the text has a single character, over and over: give text to learn from")
    if wants_held_out and not len(corpus.held_out) and not has_tail:
        raise TrainingError("nothing is held out: give more text to --validation, or a smaller --held-out-every")
    unit = "characters" if corpus.vocabulary.level == "char" else "tokens"
    if len(corpus.training) < 2 * (steps + 1) or (wants_held_out and len(corpus.held_out) < 2):
        raise TrainingError(
            f"the text is too short: {len(corpus.training) + len(corpus.held_out):,} {unit}, and training on lanes of "
            f"{steps} steps needs at least {2 * (steps + 1):,} beside the held-out part; add text or lower --steps"
        )
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
