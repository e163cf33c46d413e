"""What is dropped and penalized while training: each mask where it belongs, and none of it in the saved model."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train import checkpoint  # noqa: E402
from engine.train.data.corpus import Corpus  # noqa: E402
from engine.train.network.build import StatelessNetwork, build_model  # noqa: E402
from engine.train.network.dropout import NO_MASKS, Masks, activation_penalty  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.network.gradients import SMALL  # noqa: E402

T, B, V = 8, 3, 7
PLAIN = TrainSettings(units=(6, 4), embedding=5, dropout=0.0, weight_drop=0.0)


def test_each_place_has_its_own_share() -> None:
    settings = dataclasses.replace(PLAIN, units=(60, 40), dropout=0.2, dropout_output=0.6, dropout_input=0.4)
    masks = Masks.draw(settings, 50, tf.constant(3), V)
    assert [mask.shape for mask in (*masks.outputs, masks.inputs)] == [(1, 50, 60), (1, 50, 40), (1, 50, 5)]
    for mask, share in zip((*masks.outputs, masks.inputs), (0.2, 0.6, 0.4), strict=True):
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1) / np.float32(1 - share)}
        assert np.mean(mask == 0) == pytest.approx(share, abs=0.08)
    assert (masks.kernels, masks.tokens) == ((), None)
    alone = Masks.draw(dataclasses.replace(settings, dropout=0.0), 50, tf.constant(3), V)
    assert alone.outputs[0] is None
    assert (alone.outputs[1] == masks.outputs[1]).numpy().all()
    assert Masks.draw(dataclasses.replace(settings, dropout_output="same"), 2, tf.constant(0), V).outputs[1] is not None


def test_the_streams_of_an_update_differ_and_any_seed_will_do() -> None:
    settings = dataclasses.replace(PLAIN, input="one-hot", dropout_input=0.5, dropout_embedding=0.5, seed=2**31 - 1)
    masks = [Masks.draw(settings, 1, tf.constant(update), 400) for update in (0, 1, 1)]
    inputs, tokens = ([np.ravel(getattr(mask, name)) for mask in masks] for name in ("inputs", "tokens"))
    assert (inputs[0] != inputs[1]).any()
    assert (inputs[1] == inputs[2]).all()
    assert (tokens[1] == tokens[2]).all()
    assert (inputs[1] != tokens[1]).any()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("kind", "batch"), [("embedding", B), ("embedding", 1), ("one-hot", B)])
def test_a_dropped_token_reads_as_nothing(kind: str, batch: int, fused: bool) -> None:
    """As if its row of the first table were zero, and the others larger; one step of one lane takes no folded table."""
    made = build_model(V, dataclasses.replace(PLAIN, input=kind))
    tokens = np.array([0, 2, 1, 0, 2, 2, 0], np.float32)
    ids = tf.constant(np.random.default_rng(1).integers(V, size=(T if batch > 1 else 1, batch)), tf.int32)
    found, _ = (network := StatelessNetwork(made, fused=fused)).forward(
        ids, network.zero_state(batch), Masks(tokens=tf.constant(tokens))
    )
    weights = made.get_weights()
    weights[0] = weights[0] * tokens[:, None]
    made.set_weights(weights)
    wanted, _ = network.forward(ids, network.zero_state(batch), NO_MASKS)
    assert found.numpy() == pytest.approx(wanted.numpy(), abs=1e-6)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", ["embedding", "one-hot"])
def test_an_input_mask_is_one_of_a_lane_for_all_steps(kind: str, fused: bool) -> None:
    made = build_model(V, dataclasses.replace(PLAIN, input=kind))
    rng = np.random.default_rng(1)
    width = V if kind == "one-hot" else 5
    inputs = rng.choice(np.array([0, 2], np.float32), (1, B, width))
    ids = tf.constant(rng.integers(V, size=(T, B)), tf.int32)
    network = StatelessNetwork(made, fused=fused)
    found, _ = network.forward(ids, network.zero_state(B), Masks(inputs=tf.constant(inputs)))
    weights = made.get_weights()
    for lane in range(B):  # the mask belongs to the first layer's rows as well as to its inputs
        place = 0 if kind == "one-hot" else 1
        masked = [weight * inputs[0, lane][:, None] if n == place else weight for n, weight in enumerate(weights)]
        made.set_weights(masked)
        wanted, _ = network.forward(ids[:, lane : lane + 1], network.zero_state(1), NO_MASKS)
        assert found.numpy()[:, lane] == pytest.approx(wanted.numpy()[:, 0], abs=1e-6)


def test_the_penalties_are_the_papers() -> None:
    rng = np.random.default_rng(3)
    dropped, whole = (rng.normal(size=(T, B, 4)).astype(np.float32) for _ in range(2))
    settings = dataclasses.replace(PLAIN, ar=2.0, tar=3.0)
    wanted = 2 * np.mean(dropped**2) + 3 * np.mean((whole[1:] - whole[:-1]) ** 2)
    assert float(activation_penalty(settings, tf.constant(dropped), tf.constant(whole))) == pytest.approx(wanted)
    one_step = activation_penalty(settings, tf.constant(dropped[:1]), tf.constant(whole[:1]))
    assert float(one_step) == pytest.approx(2 * np.mean(dropped[:1] ** 2))
    assert float(activation_penalty(PLAIN, tf.constant(dropped), tf.constant(whole))) == 0


def test_the_penalties_hold_the_outputs_back(corpus: Corpus) -> None:
    """And the loss that is told is without them."""
    losses, sizes = [], []
    for ar in (0.0, 50.0):
        trainer = Trainer(dataclasses.replace(SMALL, average=0.0, ar=ar, tar=ar), corpus)
        losses.append(list(itertools.islice(trainer.updates(), 30)))
        _, whole, _ = trainer.network.hidden(
            tf.constant(np.asarray(corpus.training[:9, None], np.int32)), trainer.network.zero_state(1), NO_MASKS
        )
        sizes.append(float(tf.reduce_mean(whole**2)))
    assert losses[0][0] == losses[1][0]
    assert sizes[1] < 0.3 * sizes[0]


def test_all_of_it_is_resumed_to_the_same_weights(corpus: Corpus, tmp_path: Path) -> None:
    tf.config.experimental.enable_op_determinism()
    straight, first, second = (Trainer(SMALL, corpus) for _ in range(3))
    losses = list(straight.updates())
    begun = list(itertools.islice(first.updates(), 12))
    checkpoint.save(tmp_path, first.run_state(()))
    saved = checkpoint.load(tmp_path)
    assert saved.settings == SMALL
    second.restore(saved)
    assert begun + list(second.updates()) == losses
    for group in ("weights", "average"):
        pairs = zip(straight.run_state(()).arrays[group], second.run_state(()).arrays[group], strict=True)
        assert all((one == other).all() for one, other in pairs)
    assert straight.end_epoch()["held_out_nats"] == second.end_epoch()["held_out_nats"]


def test_masks_keep_the_mean_and_come_back() -> None:
    settings = TrainSettings(units=64, layers=2, dropout=0.4, weight_drop=0.25)
    masks, again, other = (Masks.draw(settings, 50, tf.constant(update), V) for update in (3, 3, 4))
    assert (masks.outputs[1].numpy() == again.outputs[1].numpy()).all()
    assert (masks.outputs[1].numpy() != other.outputs[1].numpy()).any()
    assert set(np.unique(masks.kernels[1].numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    assert masks.outputs[1].numpy().mean() == pytest.approx(1, abs=0.05)
    assert masks.kernels[1].numpy().mean() == pytest.approx(1, abs=0.05)
    assert Masks.draw(TrainSettings(dropout=0, weight_drop=0), 2, tf.constant(0), V) == NO_MASKS
