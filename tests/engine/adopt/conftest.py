"""Tiny models made elsewhere, a text that they know, and a command that must fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.adopt import __main__ as adopt
from engine.program import import_tensorflow
from tests.engine.adopt.models import ROUND, TEXT, Refused, knowing_model

import_tensorflow()
import keras  # noqa: E402


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some tiny models, made once."""
    folder = tmp_path_factory.mktemp("foreign")
    tokens = sorted(ROUND)
    plain = knowing_model(tokens)
    plain.save(folder / "plain.keras")
    plain.save(folder / "plain.h5")
    plain.save_weights(folder / "some.weights.h5")
    knowing_model(["", "[UNK]", *tokens]).save(folder / "masked.keras")
    knowing_model(tokens, keras.layers.PReLU(shared_axes=[1])).save(folder / "prelu.keras")
    knowing_model(tokens, keras.layers.BatchNormalization()).save(folder / "normalized.keras")
    knowing_model(tokens, keras.layers.Dense(len(tokens), "elu")).save(folder / "untrained.keras")
    early = keras.layers.UnitNormalization()
    knowing_model(tokens, before=[early]).save(folder / "early.keras")
    lost = knowing_model(tokens)
    lost.layers[-1].set_weights([np.zeros((len(tokens), len(tokens))), np.zeros(len(tokens))])
    lost.save(folder / "flat.keras")
    rarity = [np.log(0.8) if token == "a" else np.log(0.2) if token == "b" else -20 for token in tokens]
    lost.layers[-1].set_weights([np.zeros((len(tokens), len(tokens))), np.array(rarity)])
    lost.save(folder / "frequencies.keras")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail by one line, and returns that."""

    def run(*arguments: object) -> str:
        assert adopt.main([str(argument) for argument in arguments]) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    return run
