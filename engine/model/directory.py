"""A model directory: find it, read it checked, write it whole.

model.keras       the network               settings.json   what it was trained with, and its figures
vocabulary.json   its tokens in id order    training.csv, loss.png, README.md   for people
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelLoadError
from engine.names import did_you_mean
from engine.text.vocabulary import Vocabulary

NETWORK, VOCABULARY, SETTINGS = "model.keras", "vocabulary.json", "settings.json"
CHECKPOINT = "checkpoint.npz"  # of the training run, if it is to go on
BUNDLED = "shakespeare"
KERAS_MEND = ": use --backend keras"  # how the fast backend ends its refusals
LEGACY = (".h5", ".hdf5")  # endings of models that engine.adopt saves anew


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where the parts of a model lie."""

    name: str
    network: Path
    vocabulary: Path


def folders() -> list[Path]:
    """Where a bare name is looked for: `models/` here, of an installed package, and of a checkout."""
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
    given = Path(path if path is not None else BUNDLED)
    is_name = path is None or len(given.parts) == 1
    places = [] if path is None else [given]
    places += [folder / given for folder in folders()[path is None :]] if is_name else []  # ours, not one from here
    for place in places:
        if place.is_dir() and (place / NETWORK).is_file():
            return ModelFiles(place.resolve().name, place / NETWORK, place / VOCABULARY)
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
    found = names()
    hint = did_you_mean(str(given), found, f"give a directory or one of the names here ({', '.join(found) or 'none'})")
    raise ModelLoadError(f"{given}: no such model; {hint}")


def only_fast(error: Exception, program: str) -> str:
    """A refusal of the fast backend, for a program that has no other."""
    text = str(error)
    return f"{text.removesuffix(KERAS_MEND)}, and {program} has no other" if text.endswith(KERAS_MEND) else text


def adopt_command(network: Path) -> str:
    """What makes a vocabulary for a network."""
    return f"python -m engine.adopt {shlex.quote(str(network))} --data TEXT"


def read_vocabulary(files: ModelFiles) -> Vocabulary:
    """Raises `ModelLoadError` if there is none or it is damaged."""
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
    """Raises `ModelLoadError` unless the network has a logit for each token and no more."""
    if len(vocabulary) != size:
        raise ModelLoadError(
            f"{files.vocabulary} has {len(vocabulary)} tokens but {files.network} takes {size}: they are not of the "
            "same training; copy both from one run"
        )


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; rename it to `path` once it is whole and on the disk.

    Whatever goes wrong, `path` is either the old file or the new one, and the temporary one is gone.
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
    """Remove what `replace_file` has left in writers that were killed."""
    for half in path.parent.glob(f".{path.stem}.*{path.suffix}"):
        if half.stem.rpartition(".")[2].isdigit():
            with suppress(OSError):
                half.unlink()


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file."""
    write_text(path, json_text(data))


def json_text(data: Any) -> str:
    """JSON as it stands in a model directory: one key or token a line is not needed, but it stays readable."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replace a text file."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
