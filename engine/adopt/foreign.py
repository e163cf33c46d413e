"""Tells by its content what a file or folder from elsewhere is: a `.keras` file, a `.h5` file, or no model.

Nothing in it is run. What cannot be used is refused in one line, with the way to a file that can. Knows no vocabulary.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from engine.errors import ModelLoadError
from engine.names import quoted

HDF5_MAGIC, ZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
PICKLE_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
GIVE = "give a .keras or .h5 file that model.save() has written"
WEIGHTS_ALONE = (
    "has the weights without the layers: load them into the model that they are of, and save that by "
    "model.save('model.keras')"
)


@dataclass(frozen=True, slots=True)
class LegacyModel:
    """The layers of a `.h5` file as Keras' JSON, and the version of Keras that wrote them."""

    config: dict[str, Any]
    keras_version: str


def identify(path: Path) -> LegacyModel | None:
    """None for a `.keras` file. Raises `ModelLoadError` for what is neither one nor a whole model in HDF5."""
    try:
        if path.is_dir():
            raise ModelLoadError(f"{path} {_folder(path)}")
        if not path.is_file():
            raise ModelLoadError(f"{path}: no such file")
        with path.open("rb") as file:
            magic = file.read(8)
        if magic == HDF5_MAGIC:
            return _hdf5(path)
        fault = _zip(path) if magic.startswith(ZIP_MAGIC) else _other(path, magic)
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror or 'it is damaged; copy it again'}") from None
    if fault:
        raise ModelLoadError(f"{path} {fault}")
    return None


def _folder(path: Path) -> str:
    """Why a folder cannot be taken."""
    if (path / "saved_model.pb").is_file():
        return (
            "is a SavedModel folder, which Keras 3 cannot load: with the TensorFlow that made it (before 2.16) run "
            f"tf.keras.models.load_model({str(path)!r}).save('model.h5'), and adopt model.h5"
        )
    if (path / "config.json").is_file() and (path / "model.weights.h5").is_file():
        name = path.name.removesuffix(".keras")
        return f"is an unpacked .keras file: pack it by (cd {quoted(path)} && zip -r ../{name}-packed.keras .)"
    if (path / "model.keras").is_file():
        return f"is a folder: give its file, {quoted(path / 'model.keras')}"
    if any(path.glob("*.index")):
        return f"is a checkpoint, which {WEIGHTS_ALONE}"
    return f"is a folder: {GIVE}"


def _zip(path: Path) -> str:
    """Why a zip cannot be taken; "" if it can."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, LookupError):
        return "is not whole: save or copy it again"
    if "config.json" in names:
        return ""
    inner = next((name for name in names if name.endswith((".keras", ".h5", ".hdf5", "saved_model.pb"))), None)
    if inner is not None:
        return f"is a zip that holds {inner}: unpack it first"
    if any(name.endswith("config.json") for name in names):
        return "is a zip with config.json in a folder inside: pack what is in that folder, without it"
    return f"is a zip that holds no Keras model: {GIVE}"


def _other(path: Path, magic: bytes) -> str:
    if not magic:
        return "is empty: save or copy it again"
    if path.suffix == ".index" or ".data-0" in path.name:
        return f"is of a checkpoint, which {WEIGHTS_ALONE}"
    if magic.startswith(PICKLE_MAGIC):
        return (
            "is a pickle, which is never read, for it can run code: load it where it was made, and save the model by "
            "model.save('model.keras')"
        )
    return f"is no Keras model: {GIVE}"


def _hdf5(path: Path) -> LegacyModel:
    try:
        with h5py.File(path, "r") as file:
            given, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
            if given is None:
                raise ModelLoadError(f"{path} {_without_layers(file)}")
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, MemoryError, OSError):
        raise ModelLoadError(f"{path} is a damaged .h5 file: save or copy it again") from None
    try:
        config = json.loads(given)
        return LegacyModel({**config, "config": config["config"]}, _text(version))
    except (ValueError, TypeError, LookupError, RecursionError):
        raise ModelLoadError(f"{path} is a damaged .h5 file: save or copy it again") from None


def _without_layers(file: Any) -> str:
    """What an HDF5 file without a model's layers is."""
    if "layer_names" in file.attrs or {"layers", "_layer_checkpoint_dependencies"} & set(file):
        return WEIGHTS_ALONE
    return f"is an HDF5 file without a Keras model: {GIVE}"


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
