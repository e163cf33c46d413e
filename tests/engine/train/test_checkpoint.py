"""A run on disk: what an old program wrote is read, what is damaged is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()
from engine.model.directory import CHECKPOINT  # noqa: E402
from engine.train import checkpoint  # noqa: E402
from engine.train.data.corpus import Corpus, read_corpus  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.common.small_runs import SETTINGS  # noqa: E402


@pytest.fixture
def corpus(plain_text: Path) -> Corpus:
    return read_corpus([plain_text], 0.1, SETTINGS.steps)


@pytest.mark.parametrize(("optimizer", "decay"), [("sgd", 0.0), ("adam", 0.0), ("adamw", 0.01)])
def test_weight_decay_of_an_old_run_is_adamws_alone(
    corpus: Corpus, tmp_path: Path, optimizer: str, decay: float
) -> None:
    """As a run was kept before there were averages."""
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer, weight_decay=0.01)
    checkpoint.save(tmp_path, Trainer(settings, corpus).run_state(()))
    with np.load(tmp_path / CHECKPOINT) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(str(arrays.pop("header")))
    assert checkpoint.load(tmp_path).settings.decay_of_weights(100) == 0.01
    del header["settings"]["average"], header["settings"]["time"], header["progress"]["elapsed"], header["origin"]
    np.savez(tmp_path / CHECKPOINT, header=np.array(json.dumps(header)), **arrays)
    assert checkpoint.load(tmp_path).settings.decay_of_weights(100) == decay


def test_damaged_checkpoints_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, Trainer(SETTINGS, corpus).run_state(()))
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for size in (0, 100, len(whole) // 2):
        (tmp_path / CHECKPOINT).write_bytes(whole[:size])
        with pytest.raises(TrainingError, match="cannot be read"):
            checkpoint.load(tmp_path)
