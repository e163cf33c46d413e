"""Which files of a folder, a pattern or an archive are read: by their suffix, or if they begin like text.

The others are counted. Links to folders are followed, and each folder is read once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO

from engine.model.directory import CHECKPOINT, NETWORK
from engine.text import decoding
from engine.text.file_kinds import called_by, kind_of
from engine.train.reading.account import Account

OF_WORD = "~$"  # how the name of Word's lock file for an open document starts
HEAD = 4096  # bytes by which a file is judged
NO_RIGHT = "that may not be read"
MODELS, OF_MODELS = "folders of models", (NETWORK, CHECKPOINT)  # a folder with one of these files is a model
_SUFFIX = re.compile(r"\.[A-Za-z][\w+~-]{0,9}")  # "St. John" and "notes.2024-01-05" have none
_ENCODING = re.compile(
    r"\.(?:utf-?\d+|(?:us-?)?ascii|latin-?\d|iso-?8859-\d+|(?:cp|windows)-?\d+|koi8-?[ru]|s(?:hift[-_]?)?jis|euc-?jp"
    r"|big5|gb\d+)",
    re.IGNORECASE,
)


def suffix_of(path: PurePath) -> str:
    """The suffix that tells what is in a file: ".txt" of "11.txt.utf-8", "" of "notes"."""
    suffix = path.suffix.lower()
    if _ENCODING.fullmatch(suffix):
        return suffix_of(PurePath(path.stem))
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def is_hidden(path: PurePath) -> bool:
    """Whether any part of the name says that it is not for people."""
    return any(part.startswith((".", "__MACOSX", OF_WORD)) for part in path.parts)


def files_in(folder: Path, account: Account) -> list[Path]:
    """All files of a folder and of those in it, in the order of their names; without what is hidden, and models."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    links = [folder]
    while links:
        links = [
            link for start in sorted(links) for link in _walk(start, found, seen, account, is_model=start != folder)
        ]
    return sorted(found)


def _walk(
    start: Path, found: list[Path], seen: set[tuple[int, int]], account: Account, *, is_model: bool
) -> list[Path]:  # fmt: skip
    """Add the files below a folder; returns the links to other folders."""
    links: list[Path] = []
    folders = [start]
    while folders:
        folder = folders.pop()
        try:
            about = folder.stat()
            if (about.st_dev, about.st_ino) in seen:
                account.leave_out("folders linked and read already")
                continue
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            account.leave_out(f"folders {NO_RIGHT}")
            continue
        seen.add((about.st_dev, about.st_ino))
        if (is_model or folder != start) and any(entry.name in OF_MODELS for entry in entries):
            account.leave_out(MODELS)
            continue
        for entry in entries:
            path = folder / entry.name
            if is_hidden(PurePath(entry.name)):
                account.leave_out("hidden folders" if entry.is_dir() else "hidden files")
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)
            elif entry.is_file():
                found.append(path)
            else:
                account.leave_out("links to nothing" if entry.is_symlink() else "files of other kinds")
    return links


def is_read(path: PurePath, is_known: bool, open_file: Callable[[], IO[bytes]], account: Account) -> bool:
    """Whether a file of a folder is read: known by its suffix, or without one and like text. Else it is counted."""
    suffix = suffix_of(path)
    if is_known:
        return True
    if suffix:
        account.leave_out(called_by(suffix))
        return False
    return begins_like_text(open_file, account)


def begins_like_text(open_file: Callable[[], IO[bytes]], account: Account) -> bool:
    """Whether a file begins as text does. Else it is counted."""
    try:
        with open_file() as file:
            head = file.read(HEAD)
    except PermissionError:
        account.leave_out(f"files {NO_RIGHT}")
        return False
    if decoding.looks_like_text(head):
        return True
    kind = kind_of(head)
    account.leave_out(kind.many if kind else "files that are no text")
    return False
