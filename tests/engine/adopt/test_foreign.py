"""What is no model is refused in one line."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from engine.program import import_tensorflow
from tests.engine.adopt.models import Refused

import_tensorflow()


def saved_model(path: Path, models: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"\x08\x01")


def model_directory(path: Path, models: Path) -> None:
    path.mkdir()
    shutil.copy(models / "plain.keras", path / "model.keras")


def unpacked(path: Path, models: Path) -> None:
    with zipfile.ZipFile(models / "plain.keras") as archive:
        archive.extractall(path)


def checkpoint(path: Path, models: Path) -> None:
    path.mkdir()
    (path / "ckpt-1.index").touch()


def zipped(*names: str) -> Callable[[Path, Path], None]:
    def make(path: Path, models: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")

    return make


def content(data: bytes) -> Callable[[Path, Path], None]:
    def make(path: Path, models: Path) -> None:
        path.write_bytes(data)

    return make


def half(path: Path, models: Path) -> None:
    path.write_bytes((models / "plain.keras").read_bytes()[:2000])


def weights(path: Path, models: Path) -> None:
    shutil.copy(models / "some.weights.h5", path)


def old_weights(path: Path, models: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["embedding"]


def other_hdf5(path: Path, models: Path) -> None:
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2]


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("saved", saved_model, "SavedModel folder"),
        ("folder", lambda path, models: path.mkdir(), "is a folder: give a .keras or .h5"),
        ("mine", model_directory, "model.keras"),
        ("flat.keras", unpacked, "zip -r ../flat-packed.keras"),
        ("training", checkpoint, "weights without the layers"),
        ("a.zip", zipped("readme.txt"), "zip that holds no Keras model"),
        ("a.keras", zipped("m/saved_model.pb", "m/variables/x"), "holds m/saved_model.pb: unpack it"),
        ("b.zip", zipped("my/model.keras"), "holds my/model.keras: unpack it"),
        ("torch.pt", zipped("archive/data.pkl"), "no Keras model"),
        ("c.keras", zipped("model/config.json"), "without it"),
        ("d.keras", half, "not whole"),
        ("model.weights.h5", weights, "weights without the layers"),
        ("w.h5", old_weights, "weights without the layers"),
        ("numbers.h5", other_hdf5, "HDF5 file without a Keras model"),
        ("empty.keras", content(b""), "is empty"),
        ("text.keras", content(b"hello"), "no Keras model"),
        ("pickled.pkl", content(pickle.dumps([1])), "pickle"),
        ("c.data-00000-of-00001", content(b"123456789"), "weights without the layers"),
        ("nothing.keras", lambda path, models: None, "no such file"),
    ],
)
def test_what_is_no_model_is_refused_by_one_line(
    name: str, make: Callable[[Path, Path], None], words: str, models: Path, text: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "given").mkdir()
    make(path := tmp_path / "given" / name, models)
    before = sorted(tmp_path.rglob("*"))
    error = refused(path, "--data", text, "--out", tmp_path / "out")
    assert words in error
    assert str(path) in error
    assert sorted(tmp_path.rglob("*")) == before
