"""Each kind of layer, run token by token, against Keras itself over the whole text; and what cannot be run so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelLoadError
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.stepwise import LAYERS
from engine.program import import_tensorflow
from tests.engine.model.layers import (
    BY_BOTH,
    BY_KERAS,
    FIXED,
    STEPS,
    L,
    branched,
    gru,
    logs,
    lstm,
    of_the_whole,
    refusal,
    saved,
    text_model,
)
from tests.keras_models import V, chain, randomized, run

import keras  # isort: skip
import tensorflow as tf  # isort: skip
from engine.model.keras_step import KerasStep  # isort: skip

import_tensorflow()


@pytest.mark.filterwarnings("ignore:Layer 'seq:UserWarning")  # that a model inside another drops a mask
@pytest.mark.parametrize("name", [*BY_BOTH, *BY_KERAS])
def test_what_a_backend_gives_token_by_token_is_what_keras_gives_for_the_whole_text(name: str, tmp_path: Path) -> None:
    model = randomized({**BY_BOTH, **BY_KERAS}[name]())
    for variable in model.non_trainable_variables:
        if "variance" in variable.path:
            variable.assign(abs(variable) + 0.1)
        if "state" in variable.path:
            variable.assign(0 * variable)
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    ids[[0, 5, 6, -2]] = 0
    whole = of_the_whole(model, ids)
    steps = [KerasStep(path), OnnxStep(read_network(path))] if name in BY_BOTH else [KerasStep(path)]
    for step in steps:
        stepped = logs(np.stack(run(step, ids)))
        assert np.abs(stepped[-len(whole) :] - whole).max() < 1e-4
    if name in BY_KERAS:
        with pytest.raises(ModelLoadError, match="which the fast backend does not know: use --backend keras"):
            read_network(path)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_read(dtype: str, tmp_path: Path) -> None:
    def build(policy: str) -> keras.Model:
        return chain(
            L.Embedding(V, 5, dtype=policy),
            gru(dtype=policy, recurrent_initializer="zeros"),
            lstm(dtype=policy, recurrent_initializer="zeros"),
            L.Dense(V, dtype=policy),
        )

    model = randomized(build(dtype))
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    exact = build("float32")
    exact.set_weights([np.asarray(weight, np.float32) for weight in model.get_weights()])
    fast = logs(np.stack(run(OnnxStep(read_network(path)), ids)))
    assert np.abs(fast - of_the_whole(exact, ids)).max() < 1e-4
    stepped = logs(np.stack(run(KerasStep(path), ids)))
    whole = logs(np.asarray(tf.cast(model(ids[None]), tf.float32))[0])
    assert np.abs(stepped - whole).max() < 0.02


@pytest.mark.parametrize("change", ["lora", "int8"])
def test_added_ranks_and_quantized_weights_are_left_to_keras(change: str, tmp_path: Path) -> None:
    model = randomized(text_model(L.Dense(8)))
    if change == "lora":
        model.layers[1].enable_lora(2)
        model.layers[-1].enable_lora(2)
        model.layers[-1].lora_kernel_b.assign(np.ones((2, V)))
    else:
        for layer in (model.layers[1], *model.layers[-2:]):
            layer.quantize("int8")
    path = saved(model, tmp_path)
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    stepped = logs(np.stack(run(KerasStep(path), ids)))
    assert np.abs(stepped - of_the_whole(keras.models.load_model(path), ids)).max() < 1e-4
    assert refusal(path, read_network).endswith(
        "with LoRA or quantization, which the fast backend does not know: use --backend keras"
    )


def test_what_the_list_does_not_foresee_is_found_by_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.model.stepwise.LAYERS", LAYERS | {"Conv1D", "GlobalAveragePooling1D", "MaxPooling1D"})
    for number, model in enumerate([
        text_model(L.Conv1D(7, 3, padding="causal")),
        text_model(L.GlobalAveragePooling1D()),
        text_model(L.MaxPooling1D(2, 1, padding="same")),
        branched(lambda x, y: L.Add()([x, L.GRU(7)(x)])),  # the last state, added to every step
    ]):  # fmt: skip
        model.save(path := tmp_path / f"{number}.keras")
        assert "token by token" in refusal(path, KerasStep)


def test_a_state_of_another_layer_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((None,), dtype="int32")
    x = L.Embedding(V, 5)(inputs)
    _, state = L.GRU(7, return_state=True)(x)
    path = saved(keras.Model(inputs, L.Dense(V)(gru()(x, initial_state=state))), tmp_path)
    assert "begins with the state of another layer: such a model cannot write" in refusal(path, KerasStep)


def test_inputs_and_outputs_that_are_no_tokens_are_refused(tmp_path: Path) -> None:
    scaled = keras.Sequential([keras.Input((FIXED, 1)), L.LSTM(4), L.Dense(V, activation="softmax")])
    path = saved(scaled, tmp_path)
    for load in (read_network, KerasStep):
        assert "its input is neither token ids nor one-hot vectors" in refusal(path, load)
    path = saved(keras.Sequential([keras.Input((FIXED,)), L.Embedding(V, 5), L.Dense(V)]), tmp_path)
    for load in (read_network, KerasStep):
        assert "must have recurrent layers" in refusal(path, load)
    inputs = keras.Input((None,), dtype="int32")
    x = gru()(L.Embedding(V, 5)(inputs))
    path = saved(keras.Model(inputs, [L.Dense(V)(x), L.Dense(2)(x)]), tmp_path)
    assert "one output" in refusal(path, KerasStep)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = text_model()
    model.set_weights([np.full(w.shape, np.nan, np.float32) for w in model.get_weights()])
    for load in (read_network, KerasStep):
        assert "no numbers" in refusal(saved(model, tmp_path), load)


def test_the_keras_backend_refuses_what_it_cannot_load(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelLoadError, match=str(path)):
        KerasStep(path)


def frozen() -> keras.Model:
    model = text_model(gru())
    for layer in model.layers:
        layer.trainable = False
    return model


@pytest.mark.parametrize("make", [lambda: text_model(gru(), L.BatchNormalization()), frozen])
def test_weights_that_are_not_trained_tell_models_apart_too(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    model = make()
    one = KerasStep(saved(model, tmp_path)).fingerprint
    for variable in model.non_trainable_variables:
        if "variance" in variable.path or "embeddings" in variable.path:
            variable.assign(variable + 0.1)
    assert KerasStep(saved(model, tmp_path)).fingerprint != one


def test_a_frozen_model_has_one_fingerprint_in_both_backends(tmp_path: Path) -> None:
    path = saved(frozen(), tmp_path)
    assert KerasStep(path).fingerprint == OnnxStep(read_network(path)).fingerprint
