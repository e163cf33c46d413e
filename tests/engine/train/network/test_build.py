"""Every network that can be trained: our recurrences against Keras' layers, what is saved against what was trained."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.program import import_tensorflow

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from engine import program  # noqa: E402
from engine.model.directory import NETWORK, VOCABULARY, write_json  # noqa: E402
from engine.train.data.corpus import read_corpus  # noqa: E402
from engine.train.network.build import StatelessNetwork, build_model  # noqa: E402
from engine.train.network.dropout import NO_MASKS, Masks  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.network.gradients import SHAPES, B, H, T, V, loss_and_gradients, random_model, settings_of  # noqa: E402


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_our_recurrence_is_keras_forward_and_backward(shape: str, is_masked: bool) -> None:
    settings = settings_of(shape)
    made = random_model(settings)
    masks = Masks.draw(settings, B, tf.constant(5), V) if is_masked else NO_MASKS
    masks = dataclasses.replace(masks, inputs=None) if is_masked and shape == "widths" else masks  # a folded table
    ours, theirs = (
        loss_and_gradients(StatelessNetwork(made, fused=fused, is_tied=settings.tied), masks) for fused in (False, True)
    )
    assert ours[0] == pytest.approx(theirs[0], abs=1e-5)
    assert len(ours[2]) == settings.layers * (2 if settings.cell == "lstm" else 1)
    for one, other in zip(ours[2], theirs[2], strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    for one, other in zip(ours[1], theirs[1], strict=True):
        assert np.abs(other).max() > 0
        assert np.abs(one - other).max() <= 1e-5 * max(1.0, np.abs(other).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_saved_is_stock_keras_and_what_was_trained(shape: str, tmp_path: Path) -> None:
    """The network, the saved file in Keras and the engine's step agree over chunks with the state carried."""
    settings = settings_of(shape)
    made = random_model(settings)
    network = StatelessNetwork(made, is_tied=settings.tied)
    network.finish()
    made.save(tmp_path / NETWORK)
    write_json(tmp_path / VOCABULARY, engine.Vocabulary(tuple("\nabcdef")).to_json())
    ids = np.random.default_rng(1).integers(V, size=40).astype(np.int32)
    state, parts = network.zero_state(1), []
    for chunk in np.split(ids, 4):
        logits, state = network.forward(tf.constant(chunk[:, None]), state, NO_MASKS)
        parts.append(logits.numpy()[:, 0])
    logits = np.concatenate(parts)
    loaded = keras.models.load_model(tmp_path / NETWORK)
    assert logits == pytest.approx(np.asarray(loaded(ids[None]))[0], abs=1e-5)
    nats = np.log(np.exp(logits[:-1].astype(np.float64)).sum(-1)) - logits[np.arange(39), ids[1:]]
    for backend in ("onnx", "keras"):
        with engine.load(tmp_path, backend=backend) as model:
            assert model.info.cell == settings.cell
            assert model.info.layers == settings.layers
            score = model.score_tokens(ids, 40)
            assert score.surprisal_bits[1:] * np.log(2) == pytest.approx(nats, abs=1e-4)


@pytest.mark.parametrize("shape", ["tied lstm"])
def test_it_learns_and_goes_on_to_the_same_weights(shape: str, plain_text: Path) -> None:
    tf.config.experimental.enable_op_determinism()
    more = {"units": 24, "embedding": 24, "batch": 8, "steps": 16, "epochs": 1, "rate": 1e-2, "warmup": 10}
    settings = TrainSettings(**{"layers": 2, **SHAPES[shape], **more, "dropout": 0.1})  # type: ignore[arg-type]
    corpus = read_corpus([plain_text], 0.1, 16)
    straight = Trainer(settings, corpus)
    losses = list(straight.updates())
    assert np.mean(losses[-10:]) < 0.8 * losses[0]
    first = Trainer(settings, corpus)
    begun = list(itertools.islice(first.updates(), 20))
    second = Trainer(settings, corpus)
    second.restore(first.run_state(()))
    assert begun + list(second.updates()) == losses
    for one, other in zip(straight.network.variables, second.network.variables, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all()
    if settings.tied:
        assert straight.parameters < straight.model.count_params()


def test_what_cannot_be_tied_is_refused() -> None:
    with pytest.raises(ValueError, match="needs --embedding 512"):
        TrainSettings(tied=True)
    with pytest.raises(ValueError, match="no embedding to tie"):
        TrainSettings(tied=True, input="one-hot", embedding=512)


@pytest.mark.parametrize("shape", ["gru", "lstm", "rnn", "normalized"])
def test_states_begin_anew_in_the_midst_of_a_chunk(shape: str) -> None:
    """With a mask, a chunk is what its parts are when each is fed alone: forward, backward, and the states after."""
    network = StatelessNetwork(random_model(settings_of(shape)))
    rng = np.random.default_rng(4)
    ids = rng.integers(V, size=(T, B)).astype(np.int32)
    weights = rng.normal(size=(T, B, V)).astype(np.float32)
    first = [tf.constant(rng.normal(0, 0.5, (B, H)).astype(np.float32)) for _ in network.zero_state(B)]
    keep = np.ones((T, B), np.float32)
    breaks = [[0, 4], [3, 4, T - 1], []]  # of each lane
    for lane, places in enumerate(breaks):
        keep[places, lane] = 0

    def masked() -> tuple[Any, list[Any]]:
        logits, after = network.forward(tf.constant(ids), first, NO_MASKS, tf.constant(keep))
        return tf.reduce_sum(logits * weights), after

    def in_parts() -> tuple[Any, list[Any]]:
        loss, ends = tf.constant(0.0), []
        for lane, places in enumerate(breaks):
            state = [s[lane : lane + 1] for s in first]
            for begin, end in itertools.pairwise([*sorted({0, *places}), T]):
                state = network.zero_state(1) if begin in places else state
                logits, state = network.forward(tf.constant(ids[begin:end, lane : lane + 1]), state, NO_MASKS)
                loss += tf.reduce_sum(logits * weights[begin:end, lane : lane + 1])
            ends.append(state)
        return loss, [tf.concat(list(states), 0) for states in zip(*ends, strict=True)]

    found = []
    for run in (masked, in_parts):
        with tf.GradientTape() as tape:
            tape.watch(first)
            loss, after = run()
            total = loss + tf.add_n([(n + 1) * tf.reduce_sum(state**2) for n, state in enumerate(after)])
        gradients = tape.gradient(total, [*(variable.value for variable in network.variables), *first])
        found.append(
            [total.numpy(), *(a.numpy() for a in after), *(tf.convert_to_tensor(g).numpy() for g in gradients)]
        )
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() <= 2e-5 * max(1.0, np.abs(other).max())
    assert all((g[0] == 0).all() and (g[1:] != 0).any() for g in found[0][-len(first) :])  # lane 0 begins anew at once


def test_the_fused_layers_refuse_to_begin_anew() -> None:
    network = StatelessNetwork(random_model(settings_of("gru")), fused=True)
    with pytest.raises(ValueError, match="keep: the fused kernels"):
        network.forward(tf.zeros([T, B], tf.int32), network.zero_state(B), NO_MASKS, tf.ones([T, B]))


@pytest.mark.parametrize("shape", ["gru", "lstm", "tied"])
def test_lanes_in_parts_are_lanes_together(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part with its own share of the masks: the same losses, gradients and states."""
    network = StatelessNetwork(random_model(settings_of(shape)), is_tied=shape == "tied")
    ids = tf.constant(np.random.default_rng(4).integers(V, size=(T, 6)).astype(np.int32))
    masks = Masks.draw(settings_of(shape), 6, tf.constant(3), V)
    found = []
    for parts in (1, 3):
        monkeypatch.setattr(network, "_parts", lambda batch, parts=parts: parts)
        with tf.GradientTape() as tape:
            dropped, whole, after = network.hidden(ids, network.zero_state(6), masks, tf.ones([T, 6]))
            losses = network.losses(dropped, ids)
            loss = tf.reduce_mean(losses) + tf.reduce_mean(whole**2)
        gradients = tape.gradient(loss, [variable.value for variable in network.variables])
        found.append(
            [losses.numpy(), *(a.numpy() for a in after), *(tf.convert_to_tensor(g).numpy() for g in gradients)]
        )
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-6


def test_lanes_are_divided_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "cores", lambda: 4)
    parts = {}
    for units, dtype in [(512, "bfloat16"), (1024, "bfloat16"), (512, "float32")]:
        network = StatelessNetwork(build_model(V, TrainSettings(units=units, layers=1)), dtype=dtype)
        parts[units, dtype] = [network._parts(batch) for batch in (1, 20, 32, 54, 64, 200)]
    assert parts[512, "bfloat16"] == [1, 1, 2, 3, 4, 4]
    assert parts[1024, "bfloat16"] == parts[512, "float32"] == [1] * 6


def test_weights_are_spread_evenly() -> None:
    made = build_model(30, TrainSettings(units=40, layers=2, embedding=20, init_scale=0.1, normalization=True))
    for layer in made.layers:
        for variable in layer.trainable_variables:
            values = np.asarray(variable)
            if "normalization" in layer.name:
                assert set(np.unique(values)) <= {0.0, 1.0}
            else:
                assert 0.07 < np.abs(values).max() <= 0.1
                assert np.abs(values).mean() == pytest.approx(0.05, abs=0.015)
    again = build_model(30, TrainSettings(units=40, layers=2, embedding=20, init_scale=0.1, normalization=True))
    assert all((a == b).all() for a, b in zip(made.get_weights(), again.get_weights(), strict=True))


SETTINGS = TrainSettings(units=6, layers=2, embedding=5, dropout=0.3, weight_drop=0.3)


def test_the_table_and_the_product_are_the_same_projection() -> None:
    """Few tokens are multiplied, many are looked up in the folded table: V = 7, so one lane of 3 is multiplied."""
    network = StatelessNetwork(random_model(SETTINGS))
    ids = tf.constant(np.arange(6).reshape(3, 2).astype(np.int32) % V)
    few, _ = network.forward(ids[:, :1], network.zero_state(1), NO_MASKS)
    many, _ = network.forward(tf.tile(ids, [1, 4]), network.zero_state(8), NO_MASKS)
    assert few.numpy()[:, 0] == pytest.approx(many.numpy()[:, 0], abs=1e-5)


def test_the_stateless_network_is_the_saved_model() -> None:
    made = random_model(SETTINGS)
    ids = np.random.default_rng(1).integers(V, size=(1, 40)).astype(np.int32)
    network = StatelessNetwork(made)
    state = network.zero_state(1)
    parts = []
    for chunk in np.split(ids[0], 4):  # the state carried over chunks
        logits, state = network.forward(tf.constant(chunk[:, None]), state, NO_MASKS)
        parts.append(logits.numpy()[:, 0])
    assert np.concatenate(parts) == pytest.approx(np.asarray(made(ids))[0], abs=1e-5)
