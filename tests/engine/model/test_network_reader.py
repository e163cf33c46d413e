"""What the reader of `.keras` files refuses, and how it says so."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from engine.errors import ModelLoadError
from engine.model.keras_file import CONFIG, WEIGHTS
from engine.model.network_reader import read_network


@pytest.fixture
def model(keras_model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(keras_model_dir / "model.keras", tmp_path / "model.keras"))


def rewrite(
    path: Path,
    config: Callable[[Any], object] | None = None,
    weights: Callable[[h5py.File], None] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> None:
    """Change the parts of a `.keras` file in place."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if config:
        data = json.loads(parts[CONFIG])
        config(data)
        parts[CONFIG] = json.dumps(data).encode()
    if weights:
        buffer = io.BytesIO(parts[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            weights(file)
        parts[WEIGHTS] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def layer(data: Any, kind: str) -> Any:
    return next(entry for entry in data["config"]["layers"] if entry["class_name"] == kind)


def refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        read_network(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message


def test_it_reads_what_keras_wrote(model: Path) -> None:
    network = read_network(model)
    assert [type(part).__name__ for part in network.layers] == ["Embedding", "Recurrent", "Recurrent", "Dense"]
    assert network.state_size == 48


def test_files_that_are_no_model(tmp_path: Path, model: Path) -> None:
    refused(tmp_path / "none.keras", "no such file")
    (empty := tmp_path / "empty.keras").touch()
    refused(empty, "not a whole .keras file")
    whole = model.read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 10):
        model.write_bytes(whole[:size])
        refused(model, "not a whole .keras file")
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(model, "no config.json")


@pytest.mark.parametrize("is_packed", [False, True])
def test_damaged_bytes_never_raise_anything_else(model: Path, is_packed: bool) -> None:
    if is_packed:
        rewrite(model, compression=zipfile.ZIP_DEFLATED)
    whole = bytearray(model.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=20):
            damaged[place] = int(rng.integers(256))
        model.write_bytes(damaged)
        with contextlib.suppress(ModelLoadError):
            read_network(model)


def test_an_unknown_layer_is_named_with_the_way_out(model: Path) -> None:
    def to(kind: str) -> Callable[[Any], None]:
        return lambda data: layer(data, "GRU").update(class_name=kind, registered_name=None)

    whole = model.read_bytes()
    rewrite(model, to("BatchNormalization"))
    refused(model, "BatchNormalization", "'gru_1'", "use --backend keras")
    model.write_bytes(whole)
    rewrite(model, to("Lambda"))  # whose code Keras does not run either
    refused(model, "Lambda", "'gru_1'", "such a model cannot write; train one without it")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: layer(d, "GRU")["config"].update(zero_output_for_mask=True), ["zero_output", "--backend keras"]),
        (lambda d: layer(d, "Dense")["config"].update(lora_rank=2), ["LoRA", "--backend keras"]),
        (lambda d: layer(d, "GRU")["config"].update(activation="mish"), ["activation 'mish'", "--backend keras"]),
        (lambda d: layer(d, "GRU")["config"].update(go_backwards=True), ["backwards"]),
        (lambda d: layer(d, "GRU")["config"].update(units=23), ["'gru_1'", "23 units"]),
        (lambda d: layer(d, "GRU")["config"].update(reset_after=False), ["bias"]),
        (lambda d: layer(d, "GRU").update(registered_name="evil>GRU"), ["GRU"]),
        (lambda d: d["config"]["layers"].pop(1), ["neither token ids"]),
        (lambda d: d["config"]["layers"].pop(), ["Dense layer at its end"]),
        (lambda d: d["config"].update(layers=[]), ["neither"]),
        (lambda d: d.update(class_name="MyModel"), ["class MyModel", "Sequential"]),
        (lambda d: d.update(class_name="My\nModel\x1b[2J"), ["class My\\nModel\\x1b[2J", "Sequential"]),
        (lambda d: layer(d, "GRU").update(class_name="A\nB" + "!" * 9999), ["class A\\nB!!!", "cannot write"]),
        (lambda d: layer(d, "GRU").update(module="mine.layers"), ["'gru_1'", "not one of Keras' own"]),
        (lambda d: d["config"].update(layers=[{"class_name": "GRU"}]), ["damaged"]),
    ],
)
def test_configurations_that_do_not_fit(model: Path, change: Callable[[Any], object], words: list[str]) -> None:
    rewrite(model, change)
    refused(model, *words)


def link_outside(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/hostname", "/")


def soft_link(file: h5py.File) -> None:
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense/vars/1")


def external_storage(file: h5py.File) -> None:
    shape = file["layers/dense/vars/1"].shape
    del file["layers/dense/vars/1"]
    file.create_dataset("layers/dense/vars/1", shape, np.float32, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((31,), np.float32)
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (31,))
    del file["layers/dense/vars/1"]
    file.create_virtual_dataset("layers/dense/vars/1", layout)


def not_a_number(file: h5py.File) -> None:
    file["layers/dense/vars/1"][3] = np.nan


def words_for_numbers(file: h5py.File) -> None:
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = np.array([b"a"] * 31)


def gone(file: h5py.File) -> None:
    del file["layers/gru_1"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (link_outside, "no weights"), (soft_link, "no weights"), (external_storage, "outside of the file"),
        (virtual, "outside of the file"), (not_a_number, "no numbers"), (words_for_numbers, "no matrices"),
        (gone, "no weights for its layer 'gru_2'"),
    ],
)  # fmt: skip
def test_weights_that_are_missing_or_hostile(model: Path, change: Callable[[h5py.File], None], word: str) -> None:
    rewrite(model, weights=change)
    refused(model, word)


def test_a_file_that_would_fill_the_memory_is_not_unpacked(model: Path) -> None:
    def hollow(file: h5py.File) -> None:
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", (200_000_000, 4), np.float32)  # never written

    whole = model.read_bytes()
    rewrite(model, weights=hollow)
    refused(model, "take no room in the file")
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CONFIG, b" " * 40_000_000)
    refused(model, "more than the")
    model.write_bytes(whole)
    rewrite(model, lambda data: layer(data, "Embedding").update(class_name="OneHot", config={"num_classes": 10**12}))
    refused(model, "fit its first layer")
