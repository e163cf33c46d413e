"""A training run on disk: everything that a resumed run needs to go on as if it had never stopped.

One `.npz` file with plain arrays and one JSON string (no pickles), written under a temporary name and renamed.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.model.directory import CHECKPOINT, replace_file
from engine.train.network.pretrained import Origin
from engine.train.settings import TrainSettings

VERSION = 1


@dataclass(slots=True)
class Progress:
    """Where a run stands. `history` has one row an epoch, as in `training.csv`; losses are in nats a token."""

    epoch: int = 0
    chunk: int = 0  # of this epoch, the next one to read
    update: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0  # seconds since the run began, over all its processes, with reading, scoring and saving
    epoch_loss: float = 0.0  # summed over the chunks of this epoch so far
    first_loss: float | None = None  # of the run; a loss far above it is useless
    begun_nats: float | None = None  # held-out loss of the model that the run began from, with the text's new tokens
    best: float | None = None  # held-out loss of the model that is kept
    best_epoch: int | None = None  # and the epoch it is from, counted from 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunState:
    """A whole run: the weights, the optimizer's variables, the lanes' states and the averages, in the order of each."""

    settings: TrainSettings
    data: tuple[str, ...]
    digest: str
    progress: Progress
    arrays: dict[str, list[NDArray[Any]]]  # "weights", "optimizer", "states", "average"
    origin: Origin | None = None  # the model that the run began from
    teachers: dict[str, Origin] = field(default_factory=dict)  # by the word that was given for each


def save(directory: Path, state: RunState) -> None:
    """Replace a run's checkpoint. Raises `OSError`, and leaves the old one, if it cannot be written."""
    header = {
        "version": VERSION,
        "settings": dataclasses.asdict(state.settings),
        "data": list(state.data),
        "digest": state.digest,
        "progress": dataclasses.asdict(state.progress),
        "origin": dataclasses.asdict(state.origin) if state.origin else None,
        "teachers": {word: dataclasses.asdict(teacher) for word, teacher in state.teachers.items()},
    }
    named = {f"{group}/{index}": array for group, arrays in state.arrays.items() for index, array in enumerate(arrays)}
    with replace_file(directory / CHECKPOINT) as temporary, temporary.open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **named)  # type: ignore[arg-type]


def load(directory: Path) -> RunState:
    """Read a run's checkpoint. Raises `TrainingError` if there is none, or none that this program can resume."""
    path = directory / CHECKPOINT
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header.get("version") != VERSION:
                raise TrainingError(f"{path} has version {header.get('version')}; this program reads version {VERSION}")
            arrays: dict[str, list[NDArray[Any]]] = {"weights": [], "optimizer": [], "states": [], "average": []}
            for name in file.files:  # in the order they were written
                group, _, _ = name.partition("/")
                if group in arrays:
                    arrays[group].append(file[name])
        return RunState(
            TrainSettings(**_upgraded(header["settings"])),
            tuple(header["data"]),
            header["digest"],
            Progress(**header["progress"]),
            arrays,
            Origin(**header["origin"]) if header.get("origin") else None,
            {word: Origin(**teacher) for word, teacher in header.get("teachers", {}).items()},
        )
    except FileNotFoundError:
        raise TrainingError(f"there is nothing to resume in {directory}: start without --resume") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} cannot be read ({error}): start again without --resume") from None


def _upgraded(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that an older program wrote: before there was `average`, only adamw had `weight_decay`."""
    if "average" in settings or settings["optimizer"] == "adamw":
        return settings
    return {**settings, "weight_decay": "auto"}
