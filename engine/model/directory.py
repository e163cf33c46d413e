"""Finds a model directory, reads its vocabulary, and replaces files safely. Knows no layers.

model.keras       the network               counts.npz      of its training text, for the story's memory; optional
vocabulary.json   its tokens in id order    settings.json   what it was trained with, and its figures
training.csv, loss.png, README.md           for people
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelLoadError
from engine.names import did_you_mean, quoted
from engine.text.vocabulary import Vocabulary

NETWORK, VOCABULARY, SETTINGS = "model.keras", "vocabulary.json", "settings.json"
CHECKPOINT = "checkpoint.npz"  # of the training run, if it is to go on
BUNDLED = "storyteller"
KERAS_REMEDY = ": use --backend keras"  # how the fast backend ends its refusals
LEGACY = (".h5", ".hdf5")  # endings of models that engine.adopt saves anew


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The paths of a model's parts."""

    name: str
    network: Path
    vocabulary: Path


def folders() -> list[Path]:
    """Where `find` looks for a bare name: `models/` here, of an installed package, and of a checkout."""
    package = Path(__file__).parents[1]
    return [Path("models"), package / "models", package.parent / "models"]


def names() -> list[str]:
    """The models that a bare name finds."""
    return sorted({path.parent.name for folder in folders() for path in folder.glob(f"*/{NETWORK}")})


def find(path: str | Path | None) -> ModelFiles:
    """A directory, a `.keras` file, a name, or None for the bundled model. Raises `ModelLoadError`."""
    try:
        return _find(path)
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be read, a NUL in a name
        raise ModelLoadError(f"{str(path)[:80]}: cannot be looked up ({error.args[-1]}): give another path") from None


def _find(path: str | Path | None) -> ModelFiles:
    if path is not None and not str(path).strip():
        raise ModelLoadError("the model's name is empty: give a model directory, a .keras file or a name")
    given = Path(path if path is not None else BUNDLED)
    is_name = path is None or len(given.parts) == 1
    candidates = [] if path is None else [given]
    if is_name:  # without a path it is the bundled model, not one of that name under ./models
        candidates += [folder / given for folder in folders()[path is None :]]
    for folder in candidates:
        if folder.is_dir() and (folder / NETWORK).is_file():
            return ModelFiles(folder.resolve().name, folder / NETWORK, folder / VOCABULARY)
    if given.is_file():
        if given.suffix != ".keras":
            way = f", or make one by '{adopt_command(given)} --out DIR'" if given.suffix in LEGACY else ""
            raise ModelLoadError(f"{given} is no model: give a model directory or a .keras file{way}")
        return ModelFiles(given.stem, given, given.with_name(VOCABULARY))
    if given.is_dir() and (given / CHECKPOINT).is_file():
        raise ModelLoadError(
            f"{given} has a training run without a finished epoch: go on with 'python -m engine.train --out {given} "
            "--resume'"
        )
    if given.is_dir():
        raise ModelLoadError(f"{given} has no {NETWORK}: give a directory that engine.train has made")
    known = names()
    hint = did_you_mean(str(given), known, f"give a directory or one of the names here ({', '.join(known) or 'none'})")
    raise ModelLoadError(f"{given}: no such model; {hint}")


def only_fast(error: Exception, program: str) -> str:
    """The fast backend's refusal, worded for a program that has no other backend."""
    text = str(error)
    return f"{text.removesuffix(KERAS_REMEDY)}, and {program} has no other" if text.endswith(KERAS_REMEDY) else text


def adopt_command(network: Path) -> str:
    """The command that makes a vocabulary for a network."""
    return f"python -m engine.adopt {quoted(network)} --data TEXT"


def read_vocabulary(files: ModelFiles) -> Vocabulary:
    """The vocabulary of a model. Raises `ModelLoadError` if it is missing or damaged."""
    path = files.vocabulary
    try:
        return Vocabulary.from_json(json.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise ModelLoadError(
            f"{path} is missing, and without it token ids mean nothing: make it from the text that the model was "
            f"trained on with '{adopt_command(files.network)}'"
        ) from None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} is no vocabulary ({str(error)[:200]}): copy it again, or make it anew") from None


def check_fit(files: ModelFiles, vocabulary: Vocabulary, size: int) -> None:
    """Raises `ModelLoadError` unless the network has exactly one logit for each token."""
    if len(vocabulary) != size:
        raise ModelLoadError(
            f"{files.vocabulary} has {len(vocabulary)} tokens but {files.network} takes {size}: they are not of the "
            "same training; copy both from one run"
        )


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `path` once the file is whole and on the disk.

    Whatever fails, `path` is either the old file or the new one, and the temporary one is gone.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_halves(path: Path) -> None:
    """Remove temporary files of `replace_file` that killed programs have left."""
    for half in path.parent.glob(f".{path.stem}.*{path.suffix}"):
        if half.stem.rpartition(".")[2].isdigit():
            with suppress(OSError):
                half.unlink()


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file."""
    write_text(path, json_text(data))


def json_text(data: Any) -> str:
    """JSON as a model directory has it: indented, so that people can read it."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
