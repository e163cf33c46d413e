"""Fixtures for the terminal's tests: a session, sessions in a store, a keyboard, a model on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input

import engine
from engine.serving.engine import Engine
from repl.session.session import Session
from tests.repl.session.lines import Sessions


@pytest.fixture
def model(keras_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The tiny model, and a home of one's own for what is kept."""
    for kind in ("STATE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path))
    return str(keras_model_dir)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of one's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'stories.db'}"


@pytest.fixture
def session(tiny: Engine) -> Session:
    return Session(tiny, engine.Sampling(seed=4, length=20, temperature=1.0))


@pytest.fixture
def sessions(tiny: Engine, tmp_path: Path) -> Iterator[Sessions]:
    made = Sessions(tiny, f"sqlite:///{tmp_path / 'stories.db'}")
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made
