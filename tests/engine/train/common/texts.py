"""What training reads of files, as one text, and how it refuses them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TrainingError
from engine.train.data.corpus import read_corpus
from engine.train.reading import filters, formats, sources
from engine.train.reading.account import Account
from engine.train.settings import TrainSettings

RAIN = "It rained on the harbor all night, and nobody came.\n" * 20


def written(path: Path, content: Any, **how: Any) -> Path:
    """A file with this content, as JSON unless it is text or bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content, **how)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(*names: str | Path, **settings: Any) -> str:
    """The text of all sources, filtered."""
    made = TrainSettings(**settings)
    apply = filters.make_filter(is_ascii=made.ascii, is_lower=made.lower, keep=made.keep)
    return "".join(
        part
        for source in sources.open_all(names)
        for part in filters.normalized(formats.read(source, made.field, made.names, has_bots=made.bots), apply)
    )


def read_with_omissions(*names: str | Path, **how: Any) -> tuple[str, dict[str, int]]:
    """The text of all sources as their formats have it, and what was left out."""
    account = Account()
    wanted = {"field": "", "is_named_speech": False, "has_bots": False, **how}
    texts = [part for source in sources.open_all(names) for part in formats.read(source, account=account, **wanted)]
    return "".join(texts), account.left_out


def account_lines(folder: Path, *names: str | Path, **settings: Any) -> list[str]:
    """What a run tells of its text; token files lie in `folder`."""
    corpus = read_corpus(list(names), 0.1, 16, TrainSettings(**settings), folder=folder / ".cache")
    return corpus.account.lines()


def corpus_refused(folder: Path, *names: str | Path, **settings: Any) -> str:
    """The one line that says why a run refuses its text."""
    with pytest.raises(TrainingError) as caught:
        account_lines(folder, *names, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(*names: str | Path, **settings: Any) -> str:
    """The one line that says why these sources are refused."""
    with pytest.raises(TrainingError) as caught:
        read(*names, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def zipped(path: Path, **members: str | bytes) -> Path:
    """An archive; "__" in a member's name stands for "/", "_" for "."."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path
