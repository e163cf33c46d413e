"""From files to token ids: reads text strictly, and says what is wrong with it.

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
from engine.vocabulary import Vocabulary, normalize

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as token ids, the head for training and the tail held out."""

    vocabulary: Vocabulary
    training: Ids  # [N]
    held_out: Ids  # [M], may be empty
    digest: str  # sha256 of the normalized text


def read_text(path: str | Path) -> str:
    """The text of one UTF-8 file, NFC-normalized, line ends as "\\n".

    Raises `TrainingError` for a file that is missing, empty, binary or not UTF-8.
    """
    try:
        data = Path(path).read_bytes()
    except IsADirectoryError:
        raise TrainingError(f"{path} is a folder: name the text files in it, as in {path}/*.txt") from None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from None
    if b"\0" in data:
        raise TrainingError(f"{path} is not text (it has NUL bytes): give a plain UTF-8 text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrainingError(
            f"{path} is not UTF-8 (byte {error.start}): convert it, as in "
            f"'iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8.txt'"
        ) from None
    if not text.strip():
        raise TrainingError(f"{path} is empty: give a file with text in it")
    return normalize(text)


def read_corpus(paths: Sequence[str | Path], held_out: float, steps: int) -> Corpus:
    """Read `paths` in order as one text, and split off the last `held_out` share of it.

    The vocabulary is made from the whole text, so that no character of it is unseen.
    Raises `TrainingError` if a file is unusable or the text is shorter than a few updates.
    """
    text = "".join(read_text(path) for path in paths)
    vocabulary = Vocabulary.from_text(text)
    if len(vocabulary) < 2:
        raise TrainingError("the text has a single character, over and over: give text to learn from")
    ids = vocabulary.encode(text).ids
    cut = int(len(ids) * (1 - held_out))
    if cut < 2 * (steps + 1) or (held_out and len(ids) - cut < 2):
        raise TrainingError(
            f"the text is too short: {len(ids):,} characters, and training on lanes of {steps} steps needs "
            f"at least {2 * (steps + 1):,} beside the held-out part; add text or lower --steps"
        )
    return Corpus(vocabulary, ids[:cut], ids[cut:], hashlib.sha256(text.encode()).hexdigest())
