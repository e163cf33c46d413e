"""Token files on disk, found again by the text and settings that they were made from.

An entry is a folder of `tokens.bin`, the ids of all parts one after the other in the smallest integers that hold them,
and `entry.json`. It is written under a temporary name and renamed; one that is damaged is made anew. A folder may hold
anything else: only what has an entry's name, or a temporary one's, is ever removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from engine.errors import TrainingError

VERSION = 4
TOKENS, ENTRY = "tokens.bin", "entry.json"
KEPT = 8  # entries, those used last
READ = 1 << 22
LEFT_BEHIND = 7 * 86400.0  # seconds after which nobody works on a temporary folder any more
NEW, MADE = ".textrepl-new-", ".textrepl-made-"  # how temporary folders' names begin
LOOKS, LOOK_SECONDS = 40, 0.05  # for an entry that another process has just made, too
_NAME = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """The contents of a token file: where each part begins and ends, its characters, and its vocabulary."""

    dtype: str
    parts: dict[str, tuple[int, int, int]]  # first token, one past the last, characters
    vocabulary: dict[str, Any]
    digest: str
    unseen: int
    checksum: int
    files: list[int]  # for --reset file, the first token of each file in the training part, but the first


def default_folder() -> Path:
    """The user's cache folder."""
    return Path(platformdirs.user_cache_dir("textrepl")) / "tokens"


def key(**made_from: Any) -> str:
    """The name of the entry that is made from these: 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps([VERSION, made_from], sort_keys=True).encode()).hexdigest()[:32]


def find(folder: Path, name: str) -> tuple[Entry, NDArray[Any]] | None:
    """An entry and its tokens, mapped into memory; None if it is missing or damaged."""
    entry_folder = folder / name
    try:
        data = json.loads((entry_folder / ENTRY).read_text(encoding="utf-8"))
        entry = Entry(**{**data, "parts": {part: tuple(values) for part, values in data["parts"].items()}})
        tokens: NDArray[Any] = np.memmap(entry_folder / TOKENS, dtype=entry.dtype, mode="r")
        if len(tokens) != max(end for _, end, _ in entry.parts.values()):
            return None
        if _checksum(entry_folder / TOKENS, entry) != entry.checksum:
            return None
        os.utime(entry_folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return entry, tokens


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside the entries, gone afterwards. Raises `TrainingError` if the disk is full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with tempfile.TemporaryDirectory(prefix=NEW, dir=folder, ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    except OSError as error:
        why = error.strerror or error
        raise TrainingError(
            f"cannot write token files in {folder} ({why}): make room, or name another folder by --cache"
        ) from None


def keep(folder: Path, name: str, temporary: Path, entry: Entry) -> tuple[Entry, NDArray[Any]] | None:
    """Make an entry of the files in `temporary`, unless another process was faster, and drop the oldest entries.

    Returns it as `find` does.
    """
    entry = replace(entry, checksum=_checksum(temporary / TOKENS, entry))
    (temporary / ENTRY).write_text(json.dumps(asdict(entry)), encoding="utf-8")
    made = Path(tempfile.mkdtemp(prefix=MADE, dir=folder))
    for file in (TOKENS, ENTRY):
        (temporary / file).rename(made / file)
    try:
        for _ in range(LOOKS):
            if found := find(folder, name):
                break
            if not made.exists():  # another process is replacing ours
                time.sleep(LOOK_SECONDS)
                continue
            shutil.rmtree(folder / name, ignore_errors=True)  # damaged
            with contextlib.suppress(OSError):
                made.rename(folder / name)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    entries = sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_used, reverse=True)
    for path in entries[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
    return found


def _used(path: Path) -> float:
    """When it was last used; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _sweep(folder: Path) -> None:
    """Remove temporary folders of processes that were killed long ago."""
    for path in folder.iterdir():
        if path.name.startswith((NEW, MADE)) and time.time() - _used(path) > LEFT_BEHIND:
            shutil.rmtree(path, ignore_errors=True)


def _checksum(path: Path, entry: Entry) -> int:
    """The checksum of the tokens and of all other fields of the entry."""
    checksum = zlib.crc32(json.dumps(asdict(replace(entry, checksum=0)), sort_keys=True).encode())
    with path.open("rb") as file:
        while data := file.read(READ):
            checksum = zlib.crc32(data, checksum)
    return checksum
