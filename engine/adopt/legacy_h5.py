"""Saves the model of a `.h5` file as `.keras`, with the installed Keras. Code in a file is never run.

What Keras 2 wrote is changed where Keras 3 no longer takes it. Knows no vocabulary.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import h5py

from engine.adopt.foreign import LegacyModel
from engine.errors import ModelLoadError
from engine.program import import_tensorflow

CODE = "Lambda"  # a layer that is code
OTHER_FUNCTION = "hard_sigmoid"  # 0.2 x + 0.5 in Keras 2, x / 6 + 0.5 in Keras 3


def save_as_keras(path: Path, legacy: LegacyModel, target: Path) -> None:
    """Write the model of the HDF5 file `path` to `target`, a `.keras` file in a folder of its own.

    Raises `ModelLoadError`.
    """
    if any(entry.get("class_name") == CODE for entry in _objects(legacy.config)):
        raise ModelLoadError(f"{path} has a Lambda layer, which is code and never run: build it of stock layers")
    if not legacy.keras_version.startswith("3") and any(
        OTHER_FUNCTION in entry.values() for entry in _objects(legacy.config)
    ):
        raise ModelLoadError(
            f"{path} has hard_sigmoid as Keras 2 computed it, and Keras 3 computes it otherwise: train it again, with "
            "sigmoid"
        )
    try:
        import_tensorflow()
        import keras
    except ImportError:
        raise ModelLoadError(
            f"{path} is a .h5 file, and to save it anew as .keras takes TensorFlow: install it with "
            "\"pip install 'textrepl[train]'\""
        ) from None
    copy = target.with_suffix(".h5")
    try:
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        try:
            _update(copy, legacy.config)
        except (LookupError, TypeError, AttributeError, ValueError, RuntimeError):  # what damaged JSON makes of it
            raise ModelLoadError(f"{path} is a damaged .h5 file: save or copy it again") from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _load(keras, copy, path, legacy).save(target)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ModelLoadError(f"{path} cannot be saved anew in {target.parent}: {reason}") from None


def _load(keras: Any, copy: Path, path: Path, legacy: LegacyModel) -> Any:
    try:
        return keras.models.load_model(copy, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        by = f" of Keras {legacy.keras_version}" if legacy.keras_version else ""
        raise ModelLoadError(
            f"{path}{by} cannot be loaded by the Keras here ({lines[0][:200]}): build it of stock layers and save it "
            "again"
        ) from None


def _update(path: Path, config: dict[str, Any]) -> None:
    """Remove what Keras 3 refuses though it means nothing, and write out what was once a default."""
    for entry in _objects(config):
        if entry.get("time_major") is False:
            del entry["time_major"]
        if entry.get("class_name") == "GRU":
            entry["config"].setdefault("reset_after", False)
    if config.get("class_name") == "Sequential":
        _give_input(config)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config).encode()


def _give_input(config: dict[str, Any]) -> None:
    """Add an input layer to a model of Keras before 2.3, whose first layer has the shape of its input.

    Before 2.2.3, the layers were the whole of a Sequential model's configuration.
    """
    if isinstance(config["config"], list):
        config["config"] = {"name": "sequential", "layers": config["config"]}
    layers = config["config"]["layers"]
    shape = layers[0]["config"].pop("batch_input_shape", None)
    if shape is not None and layers[0]["class_name"] != "InputLayer":
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": "tokens"}})
    elif shape is not None:
        layers[0]["config"].setdefault("batch_shape", shape)


def _objects(node: Any) -> list[dict[str, Any]]:
    """Every JSON object in another one, itself included."""
    todo, objects = [node], list[dict[str, Any]]()
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            objects.append(node)
            todo += node.values()
        elif isinstance(node, list):
            todo += node
    return objects
