"""Token files on disk, found again by the text and settings that they were made from.

An entry is a folder of `tokens.bin`, the ids of all parts one after the other in the smallest integers that hold them,
and `entry.json`. It is written under a temporary name and renamed; one that is damaged is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from engine.errors import TrainingError

VERSION = 2
TOKENS, ENTRY = "tokens.bin", "entry.json"
KEPT = 8  # entries, those used last
READ = 1 << 22
LEFT_BEHIND = 7 * 86400.0  # seconds after which nobody works on a temporary folder any more


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies in a token file: where each part begins and ends, its characters, and what made it."""

    dtype: str
    parts: dict[str, tuple[int, int, int]]  # first token, one past the last, characters
    vocabulary: dict[str, Any]
    digest: str
    unseen: int
    checksum: int
    files: list[int]  # for --reset file, the first token of each file in the training part, but the first


def default_folder() -> Path:
    """Where a person's programs keep what can be made again."""
    return Path(platformdirs.user_cache_dir("textrepl")) / "tokens"


def key(**made_from: Any) -> str:
    """The name of the entry that is made from these."""
    return hashlib.sha256(json.dumps([VERSION, made_from], sort_keys=True).encode()).hexdigest()[:32]


def find(folder: Path, name: str) -> tuple[Entry, NDArray[Any]] | None:
    """An entry and its tokens, mapped into memory; None if there is none that is whole."""
    place = folder / name
    try:
        data = json.loads((place / ENTRY).read_text(encoding="utf-8"))
        entry = Entry(**{**data, "parts": {part: tuple(values) for part, values in data["parts"].items()}})
        tokens: NDArray[Any] = np.memmap(place / TOKENS, dtype=entry.dtype, mode="r")
        if len(tokens) != max(end for _, end, _ in entry.parts.values()) or _checksum(place / TOKENS) != entry.checksum:
            return None
        os.utime(place)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return entry, tokens


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside the entries, gone afterwards. Raises `TrainingError` if the disk is full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    except OSError as error:
        why = error.strerror or error
        raise TrainingError(
            f"cannot write token files in {folder} ({why}): make room, or name another folder by --cache"
        ) from None


def keep(folder: Path, name: str, temporary: Path, entry: Entry) -> None:
    """Make an entry of what was written, in place of one that was damaged; drop those not used for longest."""
    entry = Entry(**{**asdict(entry), "checksum": _checksum(temporary / TOKENS)})
    (temporary / ENTRY).write_text(json.dumps(asdict(entry)), encoding="utf-8")
    made = folder / f".made-{os.getpid()}-{name}"
    made.mkdir(exist_ok=True)
    for file in (TOKENS, ENTRY):
        (temporary / file).rename(made / file)
    shutil.rmtree(folder / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # another process has made it meanwhile
        made.rename(folder / name)
    shutil.rmtree(made, ignore_errors=True)
    entries = sorted(folder.glob(f"*/{ENTRY}"), key=lambda path: path.parent.stat().st_mtime, reverse=True)
    for path in entries[KEPT:]:
        shutil.rmtree(path.parent, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed on the way, long ago."""
    for path in folder.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(path, ignore_errors=True)


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while data := file.read(READ):
            checksum = zlib.crc32(data, checksum)
    return checksum
