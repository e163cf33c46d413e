"""Where text comes from: files, folders, patterns, archives, addresses, standard input. Gives bytes, knows no format.

What is packed may unpack to `MAX_UNPACKED` bytes and `MAX_RATIO` times its size beside, all that is in it together, and
an address may give `MAX_DOWNLOAD` bytes: more is taken for a trap.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import http.client
import io
import lzma
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
from pathlib import Path, PurePosixPath
from typing import IO, Any

from engine.errors import TrainingError
from engine.model_dir import CHECKPOINT, NETWORK
from engine.train.account import Account as Account

PLAIN = (".txt", ".text", ".md", ".csv", ".json", ".jsonl", ".ndjson")
PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
STDIN = "-"
MAX_UNPACKED, MAX_RATIO = 256 << 20, 100
MAX_DOWNLOAD = 4 << 30
SECONDS = 30.0  # without a byte from an address
READ = 1 << 20


@dataclass(slots=True)
class Budget:
    """How many bytes may still be taken, by however many streams; `what` begins the message about more."""

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


def open_all(names: Sequence[str | Path], folder: Path | None = None) -> Iterator[Source]:
    """Open one source after the other, in the order of the names; folders and patterns in that of their files' names.

    What an address gives is kept in `folder` meanwhile. Each is closed when the next is asked for.
    Raises `TrainingError` that names the source and the mend.
    """
    for name in map(str, names):
        if name == STDIN:
            if sys.stdin is None:
                raise TrainingError("standard input is closed: give it text, or name files")
            yield Source("standard input", ".txt", Limited(sys.stdin.buffer, "standard input"), True)
        elif name.lower().startswith(("http://", "https://")):
            with _download(name, folder) as (file, path):
                yield from _open(name, path, file, is_named=True)
        else:
            for found in files(name):
                with _errors(str(found)), found.open("rb") as file:
                    yield from _open(str(found), PurePosixPath(found), file, found == Path(name))


def files(name: str) -> list[Path]:
    """The files that a name stands for. Raises `TrainingError` if there are none."""
    path = Path(name)
    if path.is_dir():
        models = {file.parent for name in (NETWORK, CHECKPOINT) for file in path.glob(f"*/**/{name}")}  # made from it
        found = sorted(
            file for file in path.rglob("*")
            if _is_text(file.relative_to(path)) and models.isdisjoint(file.parents) and file.is_file()
        )  # fmt: skip
        if not found:
            raise TrainingError(
                f"{name} is a folder without text files ({', '.join(PLAIN)}, also packed): name another"
            )
        return found
    if not path.exists() and glob.has_magic(name):
        found = sorted(Path(match) for match in glob.glob(name, recursive=True) if Path(match).is_file())
        if not found:
            raise TrainingError(f"nothing matches {name}: check the folder and the pattern")
        return found
    return [path]


def _is_text(path: Path | PurePosixPath) -> bool:
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    suffix = path.suffix.lower()
    if suffix in PACKED:
        suffix = PurePosixPath(path.stem).suffix.lower()
    return suffix in PLAIN or path.suffix.lower() == ".zip"


def _open(
    name: str, path: PurePosixPath, file: IO[bytes], is_named: bool, budget: Budget | None = None
) -> Iterator[Source]:
    """The texts of a file; `budget` is that of the archive that it lies in."""
    suffix = path.suffix.lower()
    size = _size(file)
    if suffix == ".zip":
        yield from _open_zip(name, file, size or 0)
    elif suffix in PACKED:
        with _errors(name), PACKED[suffix](file, "rb") as unpacked:
            inner = PurePosixPath(path.stem).suffix.lower()
            stream = Limited(unpacked, name, budget or _budget(name, size or 0))
            yield Source(name, inner, stream, is_named, size)
    else:
        yield Source(name, suffix, Limited(file, name), is_named, size)


def _budget(name: str, size: int) -> Budget:
    """What so many packed bytes may unpack to."""
    return Budget(MAX_UNPACKED + MAX_RATIO * size, f"{name} unpacks to")


def _open_zip(name: str, file: IO[bytes], size: int) -> Iterator[Source]:
    with _errors(name), zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and _is_text(PurePosixPath(info.filename))]
        if not members:
            raise TrainingError(f"{name} has no text files in it ({', '.join(PLAIN)}): pack another")
        budget = _budget(name, size)
        for info in members:
            path = PurePosixPath(info.filename)
            if path.suffix.lower() == ".zip":
                raise TrainingError(f"{name} has an archive in it ({path.name}): unpack that first")
            with archive.open(info) as member:
                stream: Any = Limited(member, name, budget)
                yield from _open(f"{name}/{info.filename}", path, stream, is_named=False, budget=budget)


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
def _download(address: str, folder: Path | None) -> Iterator[tuple[IO[bytes], PurePosixPath]]:
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
        raise TrainingError(f"cannot read {name}: {error.strerror}") from None
