"""Opens what text comes from: files, folders, patterns, archives, addresses, standard input. Knows no format.

An archive may unpack to `MAX_UNPACKED` bytes plus `MAX_RATIO` times its size, and an address may give `MAX_DOWNLOAD`
bytes. More is taken for a trap.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import http.client
import io
import lzma
import os
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any

from engine.errors import TrainingError
from engine.text.files import WRITE_IT, looks_like_words, shortened, why
from engine.train.reading import folders
from engine.train.reading.account import Account

PLAIN = (
    ".txt", ".text", ".md", ".csv", ".tsv", ".json", ".jsonl", ".ndjson",
    ".html", ".htm", ".xhtml", ".epub", ".docx", ".odt", ".srt", ".vtt",
)  # fmt: skip
PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
STDIN = "-"
MAX_UNPACKED, MAX_RATIO = 256 << 20, 100
MAX_DOWNLOAD = 4 << 30
SECONDS = 30.0  # without a byte from an address
READ = 1 << 20


@dataclass(slots=True)
class Budget:
    """How many bytes some streams may read together; `what` begins the message where they exceed it."""

    limit: int
    what: str = ""
    taken: int = 0

    def take(self, count: int) -> None:
        """Raises `TrainingError` at the first byte beyond the limit."""
        self.taken += count
        if self.taken > self.limit:
            raise TrainingError(
                f"{self.what} more than {self.limit / 1e6:,.0f} MB, which is taken for a trap: unpack or fetch it "
                "yourself, and give the file"
            )


@dataclass(frozen=True, slots=True)
class Source:
    """One text: its name for messages, the suffix that tells its format, and its bytes."""

    name: str
    suffix: str
    stream: Limited
    is_named: bool  # by the user, not found in a folder or archive
    size: int | None = None  # bytes as they lie on the disk
    file: str = "FILE"  # what stands for it in commands: its name if it lies on the disk as it is read
    budget: Budget | None = None  # of the archive that it lies in


def open_all(
    names: Sequence[str | Path], folder: Path | None = None, account: Account | None = None
) -> Iterator[Source]:  # fmt: skip
    """Open one source after the other, in the order of the names; folders and patterns in that of their files' names.

    Each is closed when the next is asked for. Downloads are kept in `folder` while they are read. `account` counts what
    is left out of folders and archives. Raises `TrainingError` that names the source and says what to do.
    """
    account = account or Account()
    for name in map(str, names):
        if name == STDIN:
            if sys.stdin is None:
                raise TrainingError("standard input is closed: give it text, or name files")
            yield Source("standard input", ".txt", Limited(sys.stdin.buffer, "standard input"), True)
        elif name.lower().startswith(("http://", "https://")):
            with _download(name, folder) as (file, path):
                yield from _open(name, path, file, account, is_named=True)
        else:
            for found in _files(name, account):
                is_named = found == Path(name)
                if not is_named and not os.access(found, os.R_OK):
                    account.leave_out(f"files {folders.NO_RIGHT}")
                    continue
                with _errors(str(found)), found.open("rb") as file:
                    yield from _open(str(found), found, file, account, is_named)


def _files(name: str, account: Account) -> list[Path]:
    """The files that a name stands for. Raises `TrainingError` if there are none."""
    path, left_out = Path(name), Account()
    with _errors(name):
        if path.is_dir():
            os.scandir(path).close()  # so that one that may not be read is told as that
            found = [file for file in folders.files_in(path, left_out) if _is_text(file, left_out)]
            nothing = f"{name} is a folder without text files ({', '.join(PLAIN)}, also packed{{}}): name another"
        elif not path.exists() and glob.has_magic(name):
            every = set(map(Path, glob.glob(name, recursive=True)))  # two "**" match some files twice
            matched = sorted(file for file in every if file.is_file() and not file.name.startswith(folders.OF_WORD))
            if "**" not in name:
                left_out.leave_out("folders that the pattern matches", sum(path.is_dir() for path in every))
            if not matched:
                mend = WRITE_IT if looks_like_words(name) else "check the folder and the pattern"
                raise TrainingError(f"nothing matches {shortened(name)}: {mend}")
            found = [file for file in matched if _is_known(file) or _is_like_text(file, left_out)]
            nothing = f"nothing that {name} matches is text{{}}: name other files"
        else:
            return [path]
    if not found:
        raise TrainingError(nothing.replace("{}", left_out.omissions("; ")))
    account.add(left_out)
    return found


def _is_text(file: Path, account: Account) -> bool:
    """Whether a file of a folder is read. Else it is counted."""
    return folders.is_read(file, _is_known(file), lambda: file.open("rb"), account)


def _is_like_text(file: Path, account: Account) -> bool:
    return folders.begins_like_text(lambda: file.open("rb"), account)


def _is_known(path: PurePath) -> bool:
    """Whether the name says that it can be read."""
    if path.suffix.lower() in PACKED:
        path = PurePath(path.stem)
    return folders.suffix_of(path) in (*PLAIN, ".zip")


def _open(
    name: str, path: PurePath, file: IO[bytes], account: Account, is_named: bool, budget: Budget | None = None
) -> Iterator[Source]:
    """The texts of a file; `budget` is that of the archive that it lies in."""
    suffix = path.suffix.lower()
    size = _size(file)
    if suffix == ".zip":
        yield from _open_zip(name, file, size or 0, account, is_named)
    elif suffix in PACKED:
        with _errors(name), PACKED[suffix](file, "rb") as unpacked:
            inner = folders.suffix_of(PurePath(path.stem))
            budget = budget or _budget(name, size or 0)
            yield Source(name, inner, Limited(unpacked, name, budget), is_named, size, budget=budget)
    else:
        shown = name if budget is None and os.path.isfile(name) else "FILE"
        yield Source(name, folders.suffix_of(path), Limited(file, name), is_named, size, shown, budget)


def _budget(name: str, size: int) -> Budget:
    """What so many packed bytes may unpack to."""
    return Budget(MAX_UNPACKED + MAX_RATIO * size, f"{name} unpacks to")


def _open_zip(name: str, file: IO[bytes], size: int, account: Account, is_named: bool) -> Iterator[Source]:
    if not size and is_named:
        raise TrainingError(f"{name} is empty: give a file with text in it")
    if not size:
        account.leave_out("empty files")
        return
    with _errors(name), zipfile.ZipFile(file) as archive:
        left_out = Account()
        members = _members(archive, left_out)
        account.add(left_out)
        if not members and not is_named:
            account.leave_out("archives without text files")
        elif not members:
            raise TrainingError(
                f"{name} has no text files in it ({', '.join(PLAIN)}{left_out.omissions('; ')}): pack another"
            )
        budget = _budget(name, size)
        for info in members:
            path = PurePosixPath(info.filename)
            if path.suffix.lower() == ".zip":
                raise TrainingError(f"{name} has an archive in it ({path.name}): unpack that first")
            with archive.open(info) as member:
                stream: Any = Limited(member, name, budget)
                yield from _open(f"{name}/{info.filename}", path, stream, account, is_named=False, budget=budget)


def _members(archive: zipfile.ZipFile, account: Account) -> list[zipfile.ZipInfo]:
    """The files in an archive that are read. The others are counted."""
    files = [(info, PurePosixPath(info.filename)) for info in archive.infolist() if not info.is_dir()]
    models = {path.parent for _, path in files if path.name in folders.OF_MODELS and len(path.parts) > 1}
    outer = {path for path in models if not folders.is_hidden(path) and models.isdisjoint(path.parents)}
    account.leave_out(folders.MODELS, len(outer))
    return [info for info, path in files if outer.isdisjoint(path.parents) and _is_member(archive, info, account)]


def _is_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, account: Account) -> bool:
    """Whether a file in an archive is read. Else it is counted."""
    path = PurePosixPath(info.filename)
    if folders.is_hidden(path):
        account.leave_out("hidden files")
        return False
    return folders.is_read(path, _is_known(path), lambda: archive.open(info), account)


def _size(file: IO[bytes]) -> int | None:
    try:
        here = file.tell()
        size = file.seek(0, io.SEEK_END)
        file.seek(here)
        return size
    except (OSError, TrainingError):
        return None


class Limited(io.RawIOBase):
    """Bytes within a budget, if any. Raises `TrainingError` beyond it, and names the source of all that goes wrong."""

    def __init__(self, stream: Any, name: str, budget: Budget | None = None) -> None:
        self._stream, self._name, self._budget = stream, name, budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        with _errors(self._name):
            data: bytes = self._stream.read(size if size >= 0 else READ)
        if self._budget is not None:
            self._budget.take(len(data))
        return data


@contextmanager
def _download(address: str, folder: Path | None) -> Iterator[tuple[IO[bytes], PurePath]]:
    """Fetch an address into a temporary file."""
    with tempfile.TemporaryFile(dir=folder) as file:
        path = _fetch(address, file)
        file.seek(0)
        yield file, path


def _fetch(address: str, file: IO[bytes]) -> PurePosixPath:
    """Write what an address gives into a file; returns its path."""
    request = urllib.request.Request(address, headers={"User-Agent": "textrepl"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            budget = Budget(MAX_DOWNLOAD, f"{address} gives")
            stream = Limited(answer, address, budget)
            while data := stream.read(READ):
                file.write(data)
            expected = answer.headers.get("Content-Length")
            if expected is not None and expected.isdigit() and int(expected) != budget.taken:
                raise TrainingError(
                    f"{address} broke off after {budget.taken:,} of {int(expected):,} bytes: try again later"
                )
            return PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(answer.url).path))
    except urllib.error.HTTPError as error:
        error.close()
        raise TrainingError(
            f"{address} cannot be fetched (HTTP {error.code} {error.reason}): check the address"
        ) from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise TrainingError(f"{address} cannot be fetched ({reason}): check the address and the network") from None
    except TimeoutError:
        raise TrainingError(f"{address} gave nothing for {SECONDS:.0f} s: try again later") from None


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """What goes wrong with a file, as one line."""
    try:
        yield
    except IsADirectoryError:
        raise TrainingError(f"{name} is a folder: name files") from None
    except TimeoutError:
        raise TrainingError(f"{name} gave nothing for {SECONDS:.0f} s: try again later") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, UnicodeError) as error:
        raise TrainingError(f"{name} is damaged or not packed as its name says ({error}): copy it again") from None
    except RuntimeError as error:  # a zip with a password
        raise TrainingError(f"{name} cannot be unpacked ({error}): unpack it yourself") from None
    except OSError as error:
        if error.strerror is None:  # bz2 says so
            raise TrainingError(f"{name} is damaged or not packed as its name says ({error}): copy it again") from None
        raise TrainingError(f"cannot read {shortened(name)}: {why(error, name)}") from None
