"""Where text comes from: files, folders, patterns, archives, addresses, standard input. Gives bytes, knows no format.

What is packed may unpack to `MAX_UNPACKED` bytes and `MAX_RATIO` times its size beside, and an address may give
`MAX_DOWNLOAD` bytes: more is taken for a trap.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import http.client
import io
import lzma
import shutil
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

PLAIN = (".txt", ".text", ".md", ".csv", ".json", ".jsonl", ".ndjson")
PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
STDIN = "-"
MAX_UNPACKED, MAX_RATIO = 256 << 20, 100
MAX_DOWNLOAD = 4 << 30
SECONDS = 30.0  # without a byte from an address
READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One text: its name for messages, the suffix that tells its format, and its bytes."""

    name: str
    suffix: str
    stream: Limited
    is_named: bool  # by the user, not found in a folder or archive
    size: int | None = None  # bytes as they lie on the disk


def open_all(names: Sequence[str | Path]) -> Iterator[Source]:
    """Open one source after the other, in the order of the names; folders and patterns in that of their files' names.

    Each is closed when the next is asked for. Raises `TrainingError` that names the source and the mend.
    """
    for name in map(str, names):
        if name == STDIN:
            yield Source("standard input", ".txt", Limited(sys.stdin.buffer, sys.maxsize, "", "standard input"), True)
        elif name.lower().startswith(("http://", "https://")):
            with _download(name) as (file, path):
                yield from _open(name, path, file, is_named=True)
        else:
            for found in files(name):
                with _errors(str(found)), found.open("rb") as file:
                    yield from _open(str(found), PurePosixPath(found), file, found == Path(name))


def files(name: str) -> list[Path]:
    """The files that a name stands for. Raises `TrainingError` if there are none."""
    path = Path(name)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if _is_text(file.relative_to(path)) and file.is_file())
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


def _open(name: str, path: PurePosixPath, file: IO[bytes], is_named: bool) -> Iterator[Source]:
    suffix = path.suffix.lower()
    size = _size(file)
    if suffix == ".zip":
        yield from _open_zip(name, file, size or 0)
    elif suffix in PACKED:
        with _errors(name), PACKED[suffix](file, "rb") as unpacked:
            inner = PurePosixPath(path.stem).suffix.lower()
            stream = Limited(unpacked, MAX_UNPACKED + MAX_RATIO * (size or 0), f"{name} unpacks to", name)
            yield Source(name, inner, stream, is_named, size)
    else:
        yield Source(name, suffix, Limited(file, sys.maxsize, "", name), is_named, size)


def _open_zip(name: str, file: IO[bytes], size: int) -> Iterator[Source]:
    with _errors(name), zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and _is_text(PurePosixPath(info.filename))]
        if not members:
            raise TrainingError(f"{name} has no text files in it ({', '.join(PLAIN)}): pack another")
        left = MAX_UNPACKED + MAX_RATIO * size
        for info in members:
            path = PurePosixPath(info.filename)
            if path.suffix.lower() == ".zip":
                raise TrainingError(f"{name} has an archive in it ({path.name}): unpack that first")
            with archive.open(info) as member:
                stream = Limited(member, left, f"{name} unpacks to", name)
                yield from _open(f"{name}/{info.filename}", path, stream, is_named=False)  # type: ignore[arg-type]
                left -= stream.taken


def _size(file: IO[bytes]) -> int | None:
    try:
        here = file.tell()
        size = file.seek(0, io.SEEK_END)
        file.seek(here)
        return size
    except (OSError, TrainingError):
        return None


class Limited(io.RawIOBase):
    """Bytes up to a limit. Raises `TrainingError` at the first one beyond; what else goes wrong names the source."""

    def __init__(self, stream: Any, limit: int, what: str, name: str) -> None:
        self.taken = 0
        self._stream, self._limit, self._what, self._name = stream, limit, what, name

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        with _errors(self._name):
            data: bytes = self._stream.read(size if size >= 0 else READ)
        self.taken += len(data)
        if self.taken > self._limit:
            raise TrainingError(
                f"{self._what} more than {self._limit / 1e6:,.0f} MB, which is taken for a trap: unpack or fetch it "
                "yourself, and give the file"
            )
        return data


@contextmanager
def _download(address: str) -> Iterator[tuple[IO[bytes], PurePosixPath]]:
    """Fetch an address into a temporary file."""
    request = urllib.request.Request(address, headers={"User-Agent": "textrepl"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer, tempfile.TemporaryFile() as file:
            stream = Limited(answer, MAX_DOWNLOAD, f"{address} gives", address)
            shutil.copyfileobj(stream, file, READ)
            expected = answer.headers.get("Content-Length")
            if expected is not None and expected.isdigit() and int(expected) != stream.taken:
                raise TrainingError(
                    f"{address} broke off after {stream.taken:,} of {int(expected):,} bytes: try again later"
                )
            file.seek(0)
            yield file, PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(answer.url).path))
    except urllib.error.HTTPError as error:
        error.close()
        raise TrainingError(
            f"{address} cannot be fetched (HTTP {error.code} {error.reason}): check the address"
        ) from None
    except (urllib.error.URLError, http.client.HTTPException, ValueError, UnicodeError) as error:
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
    except (gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise TrainingError(f"{name} is damaged or not packed as its name says ({error}): copy it again") from None
    except RuntimeError as error:  # a zip with a password
        raise TrainingError(f"{name} cannot be unpacked ({error}): unpack it yourself") from None
    except OSError as error:
        if error.strerror is None:  # bz2 says so
            raise TrainingError(f"{name} is damaged or not packed as its name says ({error}): copy it again") from None
        raise TrainingError(f"cannot read {name}: {error.strerror}") from None
