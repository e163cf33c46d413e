"""The running average of the weights."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from engine.model.network_reader import read_network
from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.data.corpus import Corpus  # noqa: E402
from engine.train.network.averaging import Average  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.network.gradients import SMALL  # noqa: E402


def test_the_averages_are_judged_and_saved_and_training_goes_on_from_the_weights(
    corpus: Corpus, tmp_path: Path
) -> None:
    trainer = Trainer(SMALL, corpus)
    wanted = [np.asarray(variable, np.float64) for variable in trainer.network.variables]
    for update, _ in enumerate(itertools.islice(trainer.updates(), 40)):
        share = min(0.98, (1 + update) / (10 + update))
        now = [np.asarray(variable) for variable in trainer.network.variables]
        wanted = [share * old + (1 - share) * new for old, new in zip(wanted, now, strict=True)]
    trained = [np.asarray(variable) for variable in trainer.network.variables]
    trainer.save_model(tmp_path / "model.keras", trainer.weights())
    judged = trainer.held_out_nats()
    for variable, value in zip(trainer.network.variables, trained, strict=True):
        assert (np.asarray(variable) == value).all()
    saved = read_network(tmp_path / "model.keras").weights
    for found, value in zip([*saved[:-2], saved[-1]], wanted, strict=True):  # all but the output's copy of the input
        assert found == pytest.approx(value, abs=1e-5)
    assert (saved[-2] == saved[0].T).all()
    with trainer.average.in_place():
        assert trainer.scorer.nats(trainer.corpus.held_out) == judged
    assert trainer.scorer.nats(trainer.corpus.held_out) != judged


def test_an_error_on_the_way_leaves_the_trained_weights() -> None:
    variable = tf.Variable([1.0, 2.0])
    average = Average([variable], 0.5)
    variable.assign([3.0, 4.0])

    def interrupted() -> None:
        with average.in_place():
            assert variable.numpy().tolist() == [1.0, 2.0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert variable.numpy().tolist() == [3.0, 4.0]
