"""Models of `.h5` files are saved anew, or refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

import engine
from engine.adopt import __main__ as adopt
from engine.adopt import legacy_h5
from engine.program import import_tensorflow
from tests.engine.adopt.models import Refused, printed_command, written_by

import_tensorflow()


def of_keras_2(path: Path, version: str, change: Callable[[dict[str, Any]], object] = lambda config: None) -> None:
    """Turn a `.h5` file into one as Keras 2 wrote it."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        del config["config"]["build_input_shape"]
        for layer in layers:
            layer["config"]["dtype"] = "float32"
        for layer in layers[:2]:
            layer["config"]["batch_input_shape"] = [None, None]
        layers[0]["config"].pop("batch_shape")
        layers[2]["config"]["time_major"] = False
        if version.startswith(("2.1.", "2.2.")):
            layers.pop(0)
        if version.startswith("2.1."):
            config["config"] = layers
        change(config)
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = version


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("new.h5", ""), ("old.h5", "2.11.0"), ("old.hdf5", "2.2.5"), ("old.keras", "2.12.0"), ("oldest.h5", "2.1.6"),
        ("none", ""),
    ],
)  # fmt: skip
def test_an_hdf5_file_of_any_keras_is_saved_anew(
    name: str, version: str, models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    shutil.copy(models / "plain.h5", path)
    if version:
        of_keras_2(path, version)
    assert adopt.main([str(path), "--data", text, "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "knows this text" in out
    assert written_by(printed_command(out)) == "cdefg"
    assert sorted(os.listdir(tmp_path / "out")) == ["model.keras", "vocabulary.json"]


def test_a_h5_file_gets_its_keras_file_beside_it(
    models: Path, text: str, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(models / "plain.h5", path := tmp_path / "old one.h5")
    with pytest.raises(engine.ModelLoadError, match=r"engine\.adopt '.*/old one\.h5' --data TEXT --out DIR"):
        engine.load(path)
    assert adopt.main([str(path), "--data", text]) == 0
    assert written_by(printed_command(capsys.readouterr().out)) == "cdefg"
    assert sorted(os.listdir(tmp_path)) == ["old one.h5", "old one.keras", "text.txt", "vocabulary.json"]
    (tmp_path / "vocabulary.json").unlink()
    assert "old one.keras is there already" in refused(path, "--data", text)


def test_a_h5_file_that_cannot_be_saved_anew_is_refused(
    models: Path, text: str, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(change: Callable[[dict[str, Any]], object]) -> Path:
        shutil.copy(models / "plain.h5", path := tmp_path / "x.h5")
        of_keras_2(path, "2.11.0", lambda config: change(config["config"]["layers"][2]))
        return path

    out = "--data", text, "--out", tmp_path / "out"
    other = changed(lambda layer: layer["config"].update(activation="hard_sigmoid"))
    assert "as Keras 2 computed it" in refused(other, *out)
    assert "Lambda" in refused(changed(lambda layer: layer.update(class_name="Lambda")), *out)
    gone = refused(changed(lambda layer: layer.update(class_name="CuDNNGRU")), *out)
    assert "x.h5 of Keras 2.11.0 cannot be loaded" in gone
    assert "CuDNNGRU" in gone
    damaged = changed(lambda layer: None)
    damaged.write_bytes(damaged.read_bytes()[:3000])
    assert "damaged" in refused(damaged, *out)

    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(legacy_h5, "import_tensorflow", missing)
    assert "textrepl[train]" in refused(models / "plain.h5", *out)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "inner",
    [
        None, "layers", [], {}, {"layers": []}, {"layers": {"a": 1}}, {"layers": ["GRU"]},
        {"layers": [{"class_name": "GRU"}]}, {"layers": [{"class_name": "GRU", "config": None}]},
    ],
)  # fmt: skip
def test_layers_that_are_none_are_a_damaged_file(
    inner: Any, models: Path, text: str, tmp_path: Path, refused: Refused
) -> None:
    shutil.copy(models / "plain.h5", path := tmp_path / "damaged.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": inner})
    error = refused(path, "--data", text, "--out", tmp_path / "out")
    assert "damaged" in error
    assert not (tmp_path / "out").exists()
