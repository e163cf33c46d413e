"""A small corpus for what is dropped and averaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.train.data.corpus import Corpus, read_corpus


@pytest.fixture
def corpus(plain_text: Path) -> Corpus:
    plain_text.write_text(plain_text.read_text()[:1600])
    return read_corpus([plain_text], 0.1, 8)
