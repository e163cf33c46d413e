"""What writers have: e-books, web pages, documents of word processors, subtitles. A paragraph becomes a line.

Nothing in a document is fetched or run, and what it unpacks to is bounded: expat expands no entity without end, and no
address in a document is looked at.
"""

from __future__ import annotations

import html
import io
import posixpath
import re
import shlex
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO
from urllib.parse import unquote

from engine.errors import EngineError, TrainingError
from engine.text.decoding import decode
from engine.text.file_kinds import kind_of
from engine.train.reading.account import Account
from engine.train.reading.pages import Lines, decoded, lines_of
from engine.train.reading.sources import MAX_RATIO, MAX_UNPACKED, READ, Budget, Source

PAGES, PACKED, SUBTITLES = (".html", ".htm", ".xhtml"), (".epub", ".docx", ".odt"), (".srt", ".vtt")
SUFFIXES = (*PAGES, *PACKED, *SUBTITLES)
OTHERS = {".doc": "docx", ".rtf": "docx", ".pages": "docx", ".mobi": "epub", ".azw": "epub", ".azw3": "epub"}
MAX_DOCUMENT = 64 << 20  # bytes of a page, of a chapter, of a document's text with its marks
MAX_FILE = 1 << 30  # bytes of a packed document, pictures and all
OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # begins a .doc, and a document with a password

_CUE_TAG = re.compile(r"</?[\w:.][^<>\n]*>")
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
ODF = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
NOTES = (WORD + "footnoteReference", WORD + "endnoteReference", ODF + "note")
FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # ways to lock fonts alone


def read(source: Source, text: Callable[[], Iterable[str]], account: Account) -> Iterator[str]:
    """The text of a document in parts, by its suffix. `text` gives its decoded characters, for those that are plain.

    Raises `TrainingError` that says why a document cannot be read, and how it could be.
    """
    if source.suffix in SUBTITLES:
        yield from _subtitles(source, text())
    elif source.suffix in PAGES:
        page = _page(source, account)
        if "chatlog__message" in page:  # of DiscordChatExporter
            what = f"{source.name} is a chat as a web page: export it as JSON"
            if source.is_named:
                raise TrainingError(what)
            account.leave_out("chats as web pages (export them as JSON)")
            return
        yield from lines_of(page)
    else:
        yield from _packed(source, account)


def refuse(source: Source) -> None:
    """Raise a `TrainingError` for a document that has to be converted first."""
    if source.suffix in OTHERS:
        new = OTHERS[source.suffix]
        file, made = shlex.quote(source.file), shlex.quote(f"{source.file}.epub")
        tool = f"ebook-convert {file} {made}" if new == "epub" else f"soffice --headless --convert-to docx {file}"
        raise TrainingError(f"{source.name} cannot be read as it is: save it as .{new} first, as by '{tool}'")


def _all(source: Source) -> bytes:
    data = b""
    while part := source.stream.read(READ):
        data += part
        _check_length(source.name, len(data))
    return data


def _page(source: Source, account: Account) -> str:
    """A page's characters. What has NUL bytes, or is no page at all, is decoded as plain text is, or refused."""
    data = _all(source)
    if b"\0" not in data and kind_of(data) is None:
        return decoded(data)
    try:
        return "".join(decode(io.BytesIO(data).read, source.name, account.remarks.append, source.file))
    except EngineError as error:
        raise TrainingError(str(error)) from None


def _check_length(name: str, length: int) -> None:
    if length > MAX_DOCUMENT:
        raise TrainingError(f"{name} has more than {MAX_DOCUMENT / 1e6:,.0f} MB: divide it, or give plain text as .txt")


class _Paragraphs:
    """A target of an XML parser: the paragraphs of a word processor's document."""

    def __init__(
        self, paragraphs: Iterable[str], texts: Iterable[str], unread: Iterable[str], signs: dict[str, str]
    ) -> None:
        self.text = Lines()
        self._paragraphs, self._texts, self._unread, self._signs = set(paragraphs), set(texts), set(unread), signs
        self._open, self._passed = 0, 0  # elements whose text is read; that are passed over
        self.notes = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._passed += tag in self._unread
        self.notes += tag in NOTES
        if self._passed:
            return
        if tag in self._paragraphs:
            self.text.end()
        self._open += tag in self._texts
        if (sign := self._signs.get(tag)) == "\n":
            self.text.end()
        elif sign:
            self.text.add(sign)

    def end(self, tag: str) -> None:
        """An element ends."""
        if not self._passed:
            self._open -= tag in self._texts
            if tag in self._paragraphs:
                self.text.end()
        self._passed -= tag in self._unread

    def data(self, text: str) -> None:
        """Characters of an element."""
        if self._open and not self._passed:
            self.text.add(text)

    def close(self) -> None:
        """All was read."""
        self.text.end()


def _word() -> _Paragraphs:
    fallback = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # the same once more
    signs = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "‑"}
    unread = (fallback, *(WORD + name for name in ("del", "moveFrom")))
    return _Paragraphs([WORD + "p"], [WORD + "t"], unread, {WORD + name: sign for name, sign in signs.items()})


def _open_document() -> _Paragraphs:
    names = [ODF + "p", ODF + "h"]
    office = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
    unread = (ODF + "tracked-changes", ODF + "note", office + "annotation", office + "forms")
    return _Paragraphs(names, names, unread, {ODF + "s": " ", ODF + "tab": "\t", ODF + "line-break": "\n"})


class _Archive:
    """A packed document, whose parts unpack within a budget."""

    def __init__(self, name: str, file: IO[bytes], budget: Budget) -> None:
        self._zip, self._name, self._budget = zipfile.ZipFile(file), name, budget

    def has(self, path: str) -> bool:
        """Whether there is such a part."""
        return path in self._zip.NameToInfo

    def bytes(self, path: str) -> bytes:
        """A part. Raises `TrainingError` if it is too large, `KeyError` if there is none."""
        size = self._zip.getinfo(path).file_size  # no more than that is ever unpacked
        self._budget.take(size)
        _check_length(f"{self._name} ({path!r})", size)
        return self._zip.read(path)

    def xml(self, path: str) -> ElementTree.Element:
        """A part as a tree."""
        return ElementTree.fromstring(self.bytes(path))


def _packed(source: Source, account: Account) -> Iterator[str]:
    with tempfile.TemporaryFile() as file:
        size, budget = 0, Budget(MAX_FILE, f"{source.name} has")
        while data := source.stream.read(READ):
            if not size and data.startswith(OLD_OFFICE):
                raise TrainingError(
                    f"{source.name} has a password, or is of an old format: open it and save it as .docx without one"
                )
            if not size and not data.startswith(b"PK") and (kind := kind_of(data)):
                raise TrainingError(f"{source.name} is {kind.one}: {kind.remedy.format(file=shlex.quote(source.file))}")
            budget.take(len(data))
            size += file.write(data)
        if not size and source.is_named:
            raise TrainingError(f"{source.name} is empty: give a file with text in it")
        if not size:
            return
        try:
            unpacked = source.budget or Budget(MAX_UNPACKED + MAX_RATIO * size, f"{source.name} unpacks to")
            archive = _Archive(source.name, file, unpacked)
            if source.suffix == ".epub":
                yield from _chapters(source.name, archive, account)
            else:
                yield from _word_processor(archive, account)
        except KeyError as error:
            raise TrainingError(f"{source.name} is no {source.suffix} ({error.args[0]}): export it again") from None
        except RuntimeError as error:  # a zip with a password
            raise TrainingError(f"{source.name} cannot be unpacked ({error}): save it without a password") from None
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            ElementTree.ParseError,
            ValueError,
        ) as error:
            raise TrainingError(f"{source.name} is damaged ({error}): copy or export it again") from None


def _word_processor(archive: _Archive, account: Account) -> list[str]:
    """The paragraphs of a .docx or an .odt, by its content."""
    path, target = ("content.xml", _open_document()) if archive.has("content.xml") else (_main_part(archive), _word())
    if archive.has("META-INF/manifest.xml") and b"encryption-data" in archive.bytes("META-INF/manifest.xml"):
        raise RuntimeError("it has a password")
    parser = ElementTree.XMLParser(target=target)
    parser.feed(archive.bytes(path))
    parser.close()
    if target.notes:
        account.leave_out("footnotes", target.notes)
    return target.text.lines


def _main_part(archive: _Archive) -> str:
    """Where a .docx has its text."""
    for relation in archive.xml("_rels/.rels"):
        if relation.get("Type", "").endswith("/officeDocument"):
            return relation.get("Target", "").lstrip("/")
    return "word/document.xml"


def _chapters(name: str, archive: _Archive, account: Account) -> Iterator[str]:
    """The pages of an e-book in the order that its spine gives, but its table of contents."""
    root = archive.xml("META-INF/container.xml").find(".//{*}rootfile")
    package_path = root.get("full-path", "") if root is not None else ""
    package, folder = archive.xml(package_path), posixpath.dirname(package_path)
    paths = {
        item.get("id"): posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in package.iterfind("{*}manifest/{*}item")
        if "nav" not in item.get("properties", "").split() and "svg" not in item.get("media-type", "")
    }
    contents = {
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "").partition("#")[0])))
        for item in package.iterfind("{*}guide/{*}reference")
        if item.get("type") == "toc"
    }
    spine = [paths.get(item.get("idref")) for item in package.iterfind("{*}spine/{*}itemref")]
    chapters = [path for path in spine if path and path not in contents]
    if _locked(archive).intersection(chapters):
        raise TrainingError(f"{name} is protected against copying (DRM): give one without protection")
    for path in chapters:
        if archive.has(path):
            yield from lines_of(decoded(archive.bytes(path)))
        else:
            account.leave_out("chapters that are missing in an e-book")


def _locked(archive: _Archive) -> set[str]:
    """The parts that are encrypted, but fonts that are only made useless elsewhere."""
    if not archive.has("META-INF/encryption.xml"):
        return set()
    locked = set()
    for data in archive.xml("META-INF/encryption.xml").iterfind("{*}EncryptedData"):
        method, reference = data.find("{*}EncryptionMethod"), data.find(".//{*}CipherReference")
        if reference is not None and (method is None or method.get("Algorithm") not in FONTS):
            locked.add(posixpath.normpath(unquote(reference.get("URI", ""))))
    return locked


def _subtitles(source: Source, parts: Iterable[str]) -> Iterator[str]:
    """A line for each subtitle, or one for each who speaks in it. What is shown on is read once."""
    try:
        import pysubs2
    except ImportError:
        raise TrainingError(f"{source.name} needs a package to be read: pip install pysubs2") from None
    held = ""
    for part in parts:
        held += part
        _check_length(source.name, len(held))
    try:
        shown = pysubs2.SSAFile.from_string(held, format_=source.suffix[1:])
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise TrainingError(f"{source.name} is damaged ({error}): export it again") from None
    last, is_empty = "", True
    for event in shown:
        text = event.plaintext
        if source.suffix == ".vtt":
            text = html.unescape(_CUE_TAG.sub("", text.partition("\n\n")[0]))  # the next one's name follows
        lines = [line for line in map(str.strip, text.split("\n")) if line and line != last]
        last, is_empty = (lines or [last])[-1], is_empty and not lines
        if lines:
            yield "".join(f"\n{line}" if line[0] in "-–—" else f" {line}" for line in lines).strip() + "\n"
    if is_empty and held.strip():
        raise TrainingError(f"{source.name} has no subtitles in it: give plain text as .txt")
