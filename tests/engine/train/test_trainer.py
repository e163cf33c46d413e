"""Training runs of seconds: they must learn, stop anywhere, and go on to the same weights."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train import checkpoint  # noqa: E402
from engine.train.data.corpus import Corpus, read_corpus  # noqa: E402
from engine.train.hardware.distributed import SingleReplica  # noqa: E402
from engine.train.hardware.precision import fastest_precision  # noqa: E402
from engine.train.network.dropout import NO_MASKS  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer, make_optimizer, rate_at  # noqa: E402
from tests.engine.train.common.small_runs import SETTINGS, train  # noqa: E402

SCHEDULES = ("constant", "step", "exponential")


@pytest.fixture
def corpus(plain_text: Path) -> Corpus:
    return read_corpus([plain_text], 0.1, SETTINGS.steps)


def test_it_learns(corpus: Corpus) -> None:
    trainer = Trainer(SETTINGS, corpus)
    before = trainer.held_out_nats()
    losses = train(trainer)
    assert len(losses) == trainer.total_updates
    assert losses[0] == pytest.approx(math.log(len(corpus.vocabulary)), abs=0.3)
    assert trainer.progress.history[-1]["held_out_nats"] < 0.5 * before
    assert np.mean(losses[-10:]) < 0.5 * losses[0]


@pytest.mark.parametrize("stop_after", [7, 140])
@pytest.mark.parametrize(("precision", "batch"), [("float32", 8), ("bfloat16", 64)])  # 64 lanes: some on each core
def test_a_run_that_was_interrupted_ends_in_the_same_weights(
    corpus: Corpus, tmp_path: Path, stop_after: int, precision: str, batch: int
) -> None:
    tf.config.experimental.enable_op_determinism()
    settings = dataclasses.replace(SETTINGS, precision=precision, batch=batch)
    straight = Trainer(settings, corpus)
    losses = train(straight)
    first = Trainer(settings, corpus)
    begun = train(first, stop_after)
    checkpoint.save(tmp_path, first.run_state(("plain.txt",)))
    saved = checkpoint.load(tmp_path)
    assert saved.settings == settings
    assert saved.data == ("plain.txt",)
    second = Trainer(saved.settings, corpus)
    second.restore(saved)
    assert begun + train(second) == losses
    for one, other in zip(straight.network.variables, second.network.variables, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all()
    assert [row["held_out_nats"] for row in second.progress.history] == [
        row["held_out_nats"] for row in straight.progress.history
    ]


def test_a_checkpoint_of_another_text_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    trainer = Trainer(SETTINGS, corpus)
    checkpoint.save(tmp_path, trainer.run_state(("a",)))
    (other := tmp_path / "other.txt").write_text("something else entirely. " * 40)
    with pytest.raises(TrainingError, match="the text has changed"):
        Trainer(SETTINGS, read_corpus([other], 0.1, 16)).restore(checkpoint.load(tmp_path))


def test_a_checkpoint_of_another_network_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, Trainer(SETTINGS, corpus).run_state(()))
    with pytest.raises(TrainingError, match="of another network"):
        Trainer(dataclasses.replace(SETTINGS, units=SETTINGS.widths[0] + 1), corpus).restore(checkpoint.load(tmp_path))


def test_a_useless_loss_stops_the_run(corpus: Corpus) -> None:
    trainer = Trainer(TrainSettings(units=32, batch=8, steps=16, rate=10.0, warmup=0, clip=1e6), corpus)
    with pytest.raises(TrainingError, match=r"lower --rate \(now 10\)"):
        train(trainer)
    broken = Trainer(SETTINGS, corpus)
    broken.network.variables[0].assign(np.full(broken.network.variables[0].shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match="the loss became nan"):
        train(broken)


def test_the_rate_warms_up_and_follows_a_cosine() -> None:
    settings = TrainSettings(rate=1.0, warmup=10, final_rate=0.1)
    rates = [rate_at(settings, update, 110) for update in range(110)]
    assert rates[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.55)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_the_other_schedules() -> None:
    made = {name: TrainSettings(rate=1.0, warmup=0, epochs=8, schedule=name, decay=0.5) for name in SCHEDULES}
    rates = {name: [rate_at(settings, update, 80) for update in range(80)] for name, settings in made.items()}
    assert set(rates["constant"]) == {1.0}
    assert rates["step"][:40] == [1.0] * 40  # --decay-after 4
    assert rates["step"][40:60] == [0.5] * 10 + [0.25] * 10
    assert rates["step"][-1] == 0.5**4
    assert rates["exponential"][::10] == pytest.approx([0.5**epoch for epoch in range(8)])
    assert all(a > b for a, b in itertools.pairwise(rates["exponential"]))


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])  # adamw is that of all other runs
def test_every_optimizer_learns_and_is_resumed(corpus: Corpus, optimizer: str) -> None:
    tf.config.experimental.enable_op_determinism()
    rate = 0.5 if optimizer == "sgd" else 3e-3
    settings = dataclasses.replace(
        SETTINGS, layers=1, units=16, epochs=1, optimizer=optimizer, rate=rate, schedule="constant"
    )
    straight, first, second = (Trainer(settings, corpus) for _ in range(3))
    losses = train(straight)
    assert np.mean(losses[-10:]) < 0.9 * losses[0]
    begun = train(first, 12)
    second.restore(first.run_state(()))
    assert begun + train(second) == losses
    for one, other in zip(straight.network.variables, second.network.variables, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all()


WAYS: list[dict[str, Any]] = [
    {"reset": "file"}, {"sequences": "windows", "cell": "rnn"}, {"sequences": "lines", "cell": "rnn"},
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_to_read_learns_and_is_resumed(tmp_path: Path, way: dict[str, Any]) -> None:
    tf.config.experimental.enable_op_determinism()
    for name in "abcdef":
        (tmp_path / f"{name}.txt").write_text("the cat sat on the mat.\nthe dog sat.\n\n" * 20)
    settings = dataclasses.replace(SETTINGS, layers=1, units=16, steps=32, rate=3e-2, **way)
    corpus = read_corpus([tmp_path], 0.1, settings.steps, settings, folder=tmp_path / "cache")
    straight, resumed = Trainer(settings, corpus), Trainer(settings, corpus)
    losses = train(straight, 2 + straight.total_updates // 2)  # in the second epoch
    begun = len(losses)
    checkpoint.save(tmp_path, straight.run_state(()))
    losses += train(straight)
    assert len(losses) == straight.total_updates
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
    resumed.restore(checkpoint.load(tmp_path))
    assert train(resumed) == losses[begun:]
    for one, other in zip(straight.network.variables, resumed.network.variables, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all()


def test_padding_is_not_learned_from(tmp_path: Path) -> None:
    """The loss of a batch of lines is the mean over the lines' own tokens, whatever stands in the padding."""
    (path := tmp_path / "lines.txt").write_text("a\nabcabcab\nabc\n" * 30)
    settings = dataclasses.replace(SETTINGS, sequences="lines", dropout=0.0, weight_drop=0.0)
    trainer = Trainer(settings, read_corpus([path], 0.1, 16, settings, folder=tmp_path))
    batch = next(iter(trainer.sequences.read(0)))
    assert batch.weights is not None
    assert 0 < batch.weights.mean() < 1
    logits, _ = trainer.network.forward(tf.constant(batch.inputs), trainer.network.zero_state(trainer.batch), NO_MASKS)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch.targets, logits=logits).numpy()
    assert next(trainer.updates()) == pytest.approx(losses[batch.weights > 0].mean(), rel=1e-5)


def test_fused_kernels_and_resets_exclude_each_other(corpus: Corpus) -> None:
    with pytest.raises(TrainingError, match="--reset line: a GPU's fused kernels cannot begin anew"):
        Trainer(dataclasses.replace(SETTINGS, reset="line"), corpus, fused=True)


def test_patience_ends_a_run_that_gets_no_better(corpus: Corpus) -> None:
    trainer = Trainer(dataclasses.replace(SETTINGS, patience=2), corpus)
    trainer.progress.best_epoch = 3
    given_up = []
    for epoch in range(4, 8):
        trainer.progress.epoch = epoch  # as many have ended
        given_up.append(trainer.has_given_up)
    assert given_up == [False, False, True, True]
    assert not Trainer(SETTINGS, corpus).has_given_up


def test_a_loss_three_times_the_first_stops_the_run(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(SETTINGS, corpus)
    updates = trainer.updates()
    first = next(updates)
    assert trainer.progress.first_loss == pytest.approx(max(first, math.log(len(corpus.vocabulary))))
    monkeypatch.setattr(trainer, "_step", lambda *_: (3.01 * max(first, math.log(18)), trainer.states))
    before = trainer.progress.update
    with pytest.raises(TrainingError, match=r"lower --rate"):
        next(updates)
    assert trainer.progress.update == before


def test_momentum_is_nesterovs_where_asked_for() -> None:
    settings = TrainSettings(optimizer="sgd", nesterov=True, momentum=0.8)
    assert make_optimizer(settings, 1).nesterov
    assert not make_optimizer(dataclasses.replace(settings, nesterov=False), 1).nesterov


def test_automatic_precision_is_settled_anew_on_each_machine(plain_text: Path) -> None:
    settings = TrainSettings(units=8, batch=4, steps=8, embedding=4, precision="auto")
    trainer = Trainer(settings, read_corpus([plain_text], 0.1, 8))
    assert trainer.precision == fastest_precision() != "auto"
    assert trainer.run_state(()).settings.precision == "auto"


def test_automatic_precision_is_that_of_the_slowest_machine(plain_text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithASlower(SingleReplica):
        def agree(self, *flags: bool) -> tuple[bool, ...]:
            return tuple(True for _ in flags)

    monkeypatch.setattr("engine.train.trainer.fastest_precision", lambda **_: "bfloat16")
    settings, corpus = TrainSettings(units=8, batch=4, steps=8, embedding=4), read_corpus([plain_text], 0.1, 8)
    assert Trainer(settings, corpus).precision == "bfloat16"
    assert Trainer(settings, corpus, replicas=WithASlower()).precision == "float32"


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_weight_decay_is_decoupled_for_every_optimizer(optimizer: str) -> None:
    """With gradients of zero, weights fall by rate times decay and nothing else."""
    settings: dict[str, Any] = {"optimizer": optimizer, "rate": 0.25}
    for given, share in ((0.1, 0.1), (0.0, 0.0), ("auto", 0.3 if optimizer == "adamw" else 0.0)):
        made = make_optimizer(TrainSettings(**settings, weight_decay=given), 1)
        variable = tf.Variable([8.0, -2.0])
        made.build([variable])
        made.apply([tf.zeros(2)])
        assert variable.numpy() == pytest.approx(np.array([8.0, -2.0]) * (1 - 0.25 * share))
