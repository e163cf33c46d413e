"""From files to token ids, and what is held out of them.

Knows files and text; no TensorFlow and no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.text import read_texts, split_point
from engine.vocabulary import Vocabulary

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as token ids, the head for training and the tail held out."""

    vocabulary: Vocabulary
    training: Ids  # [N]
    held_out: Ids  # [M], may be empty
    digest: str  # sha256 of the normalized text


def read_corpus(paths: Sequence[str | Path], held_out: float, steps: int) -> Corpus:
    """Read `paths` in order as one text, and split off the last `held_out` share of it.

    The vocabulary is made from the whole text, so that no character of it is unseen.
    Raises `EngineError` if a file is unusable, `TrainingError` if the text is shorter than a few updates.
    """
    text = read_texts(paths)
    vocabulary = Vocabulary.from_text(text)
    if len(vocabulary) < 2:
        raise TrainingError("the text has a single character, over and over: give text to learn from")
    ids = vocabulary.encode(text).ids
    cut = split_point(len(ids), held_out)
    if cut < 2 * (steps + 1) or (held_out and len(ids) - cut < 2):
        raise TrainingError(
            f"the text is too short: {len(ids):,} characters, and training on lanes of {steps} steps needs "
            f"at least {2 * (steps + 1):,} beside the held-out part; add text or lower --steps"
        )
    return Corpus(vocabulary, ids[:cut], ids[cut:], hashlib.sha256(text.encode()).hexdigest())
