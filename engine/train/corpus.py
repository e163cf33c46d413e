"""From files to token ids, and what is held out of them.

Knows files and text; no TensorFlow and no network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelLoadError, TrainingError
from engine.model_dir import NETWORK, VOCABULARY, ModelFiles, read_vocabulary
from engine.text import read_texts, split_point
from engine.train import tokens
from engine.train.settings import TrainSettings
from engine.vocabulary import Vocabulary

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as token ids, the head for training and the tail held out."""

    vocabulary: Vocabulary
    training: Ids  # [N]
    held_out: Ids  # [M], may be empty
    digest: str  # sha256 of the normalized text, and of a vocabulary that was learned from it
    training_characters: int
    held_out_characters: int

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
        if self.vocabulary.level == "char":
            return (
                f"{len(self.training):,} characters to learn from, {len(self.held_out):,} held out, "
                f"{len(self.vocabulary)} different"
            )
        return (
            f"{len(self.training):,} tokens ({self.training_characters:,} characters) to learn from, "
            f"{len(self.held_out):,} ({self.held_out_characters:,}) held out, {len(self.vocabulary):,} different"
        )


def read_corpus(
    paths: Sequence[str | Path], held_out: float, steps: int, settings: TrainSettings | None = None,
    vocabulary: Vocabulary | None = None,
) -> Corpus:  # fmt: skip
    """Read `paths` in order as one text, and split off the last `held_out` share of its characters.

    The vocabulary, if none is given, has every character of the whole text, so that none is unseen; one of words or
    byte pairs is learned from the head alone.
    Raises `EngineError` if a file is unusable, `TrainingError` if the text is shorter than a few updates.
    """
    settings = settings or TrainSettings()
    text = read_texts(paths)
    cut = split_point(len(text), held_out)
    head, tail = text[:cut], text[cut:]
    if vocabulary is None:
        vocabulary = Vocabulary.from_text(text) if settings.level == "char" else tokens.learn([head], settings)
    if len(vocabulary) < 2:
        raise TrainingError("the text has a single character, over and over: give text to learn from")
    training, ending = vocabulary.encode(head), vocabulary.encode(tail)
    if len(training.ids) < 2 * (steps + 1) or (held_out and len(ending.ids) < 2):
        unit = "characters" if settings.level == "char" else "tokens"
        raise TrainingError(
            f"the text is too short: {len(training.ids) + len(ending.ids):,} {unit}, and training on lanes of {steps} "
            f"steps needs at least {2 * (steps + 1):,} beside the held-out part; add text or lower --steps"
        )
    digest = hashlib.sha256(text.encode())
    if settings.level != "char":
        digest.update(json.dumps(vocabulary.to_json()).encode())
    return Corpus(vocabulary, training.ids, ending.ids, digest.hexdigest(), training.characters, ending.characters)


def known_vocabulary(directory: Path) -> Vocabulary | None:
    """The vocabulary that a run began with, if it has written one. Raises `TrainingError` if it is damaged."""
    path = directory / VOCABULARY
    if not path.exists():
        return None
    try:
        return read_vocabulary(ModelFiles(directory.name, directory / NETWORK, path))
    except ModelLoadError as error:
        raise TrainingError(str(error)) from None
