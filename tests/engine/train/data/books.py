"""Chapters of a book, and a corpus read of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.train.data.corpus import Corpus, read_corpus
from engine.train.reading.spool import Inputs
from engine.train.settings import TrainSettings

CHAPTERS = [f"chapter {n}\nThe cat sat on the mat {'and sat ' * n}.\n" for n in range(1, 21)]


def read(folder: Path, *names: Path | str, held_out: float = 0.1, **settings: Any) -> Corpus:
    """The corpus of some sources; token files lie in `folder`."""
    inputs = names[0] if isinstance(names[0], Inputs) else Inputs(tuple(map(str, names)))
    return read_corpus(inputs, held_out, 4, TrainSettings(**settings), folder=folder)


def text_of(corpus: Corpus, part: str) -> str:
    """A part as text."""
    return corpus.vocabulary.decode(getattr(corpus, part))
