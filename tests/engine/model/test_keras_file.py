"""Files of Keras 2, and files that are no `.keras` file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from engine.model.keras_file import CONFIG, WEIGHTS, tensors
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.stepwise import RECURRENT
from tests.engine.model.layers import (
    STEPS,
    L,
    gru,
    logs,
    lstm,
    of_the_whole,
    ops,
    refusal,
    saved,
    text_model,
)
from tests.keras_models import V, chain, randomized, run

from engine.model.keras_step import KerasStep  # isort: skip


def of_keras_2(path: Path, version: str, change: Callable[[Any], Any] = lambda config: config) -> None:
    """Write the file anew as an older Keras wrote it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["metadata.json"] = json.dumps({"keras_version": version}).encode()
    parts[CONFIG] = json.dumps(change(json.loads(parts[CONFIG]))).encode()
    if version < "2.15":
        with h5py.File(buffer := io.BytesIO(parts[WEIGHTS]), "r+") as file:
            layers = file["layers"]
            for name in list(layers):
                stem, _, number = name.rpartition("_")
                if number.isdigit():
                    layers.move(name, f"{stem}_{2 * int(number)}")
            file.move("layers", "_layer_checkpoint_dependencies")
        parts[WEIGHTS] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def old_nodes(config: Any) -> Any:
    """A functional model's nodes as lists, which Keras 3 does not load."""
    for layer in config["config"]["layers"]:
        layer["inbound_nodes"] = [
            [[*tensor, {}] for tensor in tensors(node["args"])] for node in layer["inbound_nodes"]
        ]
        if "batch_shape" in layer["config"]:
            layer["config"]["batch_input_shape"] = layer["config"].pop("batch_shape")
        if layer["class_name"] in RECURRENT:
            layer["config"]["time_major"] = False
    return config


@pytest.mark.parametrize("version", ["2.13.1", "2.15.0"])
@pytest.mark.parametrize("name", ["time-distributed", "activations", "two-of-a-kind", "one-hot", "softmax"])
def test_files_of_keras_2_are_read(name: str, version: str, tmp_path: Path) -> None:
    model = randomized({
        "time-distributed": lambda: text_model(L.TimeDistributed(L.Dense(8, "relu")), L.TimeDistributed(L.Dense(6))),
        "activations": lambda: text_model(L.Dense(6, "tanh"), L.LeakyReLU(0.2), L.LayerNormalization()),
        "two-of-a-kind": lambda: text_model(lstm(4), gru(5), lstm(3)),
        "one-hot": lambda: chain(lstm(), L.Dense(V), ids=False),
        "softmax": lambda: text_model(L.Dense(V, "softmax")),
    }[name]())  # fmt: skip
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    of_keras_2(path := saved(model, tmp_path), version, old_nodes)
    if name == "softmax":
        assert f"was written by Keras 2 (TensorFlow before 2.16): save it there as {path.stem}.h5, and let" in refusal(
            path, read_network
        )
        assert "was written by Keras 2 (TensorFlow before 2.16)" in refusal(path, KerasStep)
        return
    assert np.abs(logs(np.stack(run(OnnxStep(read_network(path)), ids))) - of_the_whole(model, ids)).max() < 1e-4
    assert refusal(path, KerasStep).endswith("leave out --backend keras, for the fast backend reads it")


def test_keras_2_had_another_hard_sigmoid(tmp_path: Path) -> None:
    model = randomized(
        chain(L.Embedding(V, 5), L.Dense(5, "hard_sigmoid"), gru(recurrent_activation="hard_sigmoid"), L.Dense(V))
    )
    of_keras_2(path := saved(model, tmp_path), "2.15.0", old_nodes)
    assert "whose hard_sigmoid was another: leave out --backend keras" in refusal(path, KerasStep)
    other = chain(
        L.Embedding(V, 5), L.Dense(5), lambda x: ops.clip(0.2 * x + 0.5, 0, 1),
        gru(recurrent_activation=lambda x: ops.clip(0.2 * x + 0.5, 0, 1)), L.Dense(V),
    )  # fmt: skip
    other.set_weights(model.get_weights())
    ids = np.random.default_rng(1).integers(V, size=STEPS).astype(np.int32)
    assert np.abs(logs(np.stack(run(OnnxStep(read_network(path)), ids))) - of_the_whole(other, ids)).max() < 1e-4


def test_a_file_in_hdf5_is_named(tmp_path: Path) -> None:
    with h5py.File(path := tmp_path / "old.keras", "w") as file:
        file["model_weights"] = 1
    for load in (read_network, KerasStep):
        line = refusal(path, load)
        assert "is an HDF5 file, as Keras 2 (TensorFlow before 2.16) wrote them" in line
        assert f"python -m engine.adopt {path}" in line
