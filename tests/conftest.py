"""What many tests share: a tiny engine, a tiny model directory that Keras has written, and a small text."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.program import import_tensorflow
from engine.serving.engine import Engine
from tests.networks import LETTERS, tiny_engine
from tests.postgres import Server, start_postgres


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes what belongs to the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for kind in ("STATE", "DATA", "CONFIG", "CACHE"):
        os.environ[f"XDG_{kind}_HOME"] = str(home)
    os.environ["MPLCONFIGDIR"] = str(home)


@pytest.fixture(scope="session")
def tiny() -> Iterator[Engine]:
    """An engine with a batch of 64."""
    with tiny_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def keras_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with a stateful GRU stack, written by Keras. `make pythons` has none."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    import_tensorflow()
    from engine.model.directory import NETWORK, VOCABULARY, write_json
    from engine.text.vocabulary import Vocabulary
    from engine.train.network.build import build_model
    from engine.train.settings import TrainSettings

    folder = tmp_path_factory.mktemp("models") / "tiny-keras"
    folder.mkdir()
    build_model(len(LETTERS), TrainSettings(units=24, layers=2, embedding=8)).save(folder / NETWORK)
    write_json(folder / VOCABULARY, Vocabulary(tuple(LETTERS)).to_json())
    return folder


@pytest.fixture
def plain_text(tmp_path: Path) -> Path:
    """A small text with a pattern that a network learns at once."""
    path = tmp_path / "plain.txt"
    path.write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 200, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    yield from start_postgres()
