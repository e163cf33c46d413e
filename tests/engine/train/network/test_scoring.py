"""The held-out score in lanes: each token once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.program import import_tensorflow

import_tensorflow()

from engine.train.data.corpus import Corpus, read_corpus  # noqa: E402
from engine.train.network import scoring  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.common.small_runs import SETTINGS, train  # noqa: E402


@given(st.integers(2, 5000), st.integers(1, 64), st.integers(0, 600))
def test_each_target_is_scored_once(tokens: int, count: int, context: int) -> None:
    firsts, length = scoring.scoring_lanes(tokens, count, context)
    scored = (firsts[:, None] + np.arange(length)).ravel()
    assert sorted(scored[scored < tokens]) == list(range(1, tokens))


@pytest.fixture
def corpus(plain_text: Path) -> Corpus:
    return read_corpus([plain_text], 0.1, SETTINGS.steps)


def test_the_held_out_score_is_that_of_the_text_fed_whole(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(SETTINGS, corpus)
    train(trainer, 30)
    in_lanes = trainer.held_out_nats()
    ids = corpus.held_out
    logits = np.asarray(trainer.model(ids[None, :-1]))[0].astype(np.float64)
    nats = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids) - 1), ids[1:]]
    monkeypatch.setattr("engine.train.network.scoring.SCORING_CONTEXT", 40)
    assert in_lanes == pytest.approx(nats.mean(), abs=1e-5)  # one lane, for the text is short
    assert trainer.held_out_nats() == pytest.approx(nats.mean(), abs=5e-3)  # many lanes
