"""From a source's bytes to its text: plain text and Project Gutenberg's books here, chats and documents elsewhere.

All of it is read in parts, so that memory does not grow with the text. Formats are told by the name's suffix.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from engine.errors import TrainingError
from engine.train import chats, documents, whatsapp
from engine.train.sources import READ, Account, Source

GUTENBERG_HEADER = 1 << 16  # characters at a text's beginning in which the header must end
LAST_WORDS = "email newsletter to hear about new eBooks."  # of the licence
_START = re.compile(r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*\n?", re.MULTILINE)
_END = re.compile(r"^(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the )?Project Gutenberg)", re.MULTILINE)
_HEAD = re.compile(r"^.*Project Gutenberg", re.MULTILINE)  # the first line of a header
_AFTER = re.compile(rf"{re.escape(LAST_WORDS)}|{_START.pattern}", re.MULTILINE)  # its end, or another book


def read(
    source: Source, field: str, is_named_speech: bool, *, has_bots: bool = False, account: Account | None = None
) -> Iterator[str]:
    """The text of a source in parts. `field` names what is read of a JSON object or a table, "" for the usual one.

    What is left out is counted in `account`.
    """
    account = account or Account()
    if source.suffix in chats.SUFFIXES:
        return chats.read(source, decode(source), chats.Wanted(field, is_named_speech, has_bots), account)
    if source.suffix in documents.SUFFIXES:
        return without_gutenberg(documents.read(source, lambda: decode(source), account))
    documents.refuse(source)
    if whatsapp.NAME.fullmatch(source.name):
        return whatsapp.read(source.name, decode(source), is_named_speech, account)
    return without_gutenberg(decode(source))


def decode(source: Source) -> Iterator[str]:
    """UTF-8 in parts. Raises `TrainingError` that says where it is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    begin = 0  # of the bytes that the decoder sees next
    while True:
        data = source.stream.read(READ)
        if b"\0" in data:
            place = begin + data.index(b"\0")
            raise TrainingError(f"{source.name} is not text (NUL bytes, the first at {place:,}): give plain UTF-8 text")
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise TrainingError(
                f"{source.name} is not UTF-8 (byte {begin - held + error.start:,}): convert it, as in "
                "'iconv -f WINDOWS-1252 -t UTF-8 FILE > utf8.txt'"
            ) from None
        if begin == 0:
            text = text.removeprefix("\ufeff")
        begin += len(data)
        if text:
            yield text
        if not data:
            return


def without_gutenberg(parts: Iterable[str]) -> Iterator[str]:
    """A text without the headers and licences that Project Gutenberg puts around books; others as they are.

    Books may follow one another, as `cat` puts them. A header must begin within so many characters of a text's
    beginning or of a licence's end, else what comes is taken for plain text to its end.
    """
    text = _Ahead(parts)
    while True:
        while len(text.held) < GUTENBERG_HEADER and text.take():
            pass
        start = _START.search(text.held)
        if start is None or start.start() > GUTENBERG_HEADER:
            yield text.held
            yield from text.parts
            return
        head = _HEAD.search(text.held, 0, start.start()) or start
        yield text.held[: head.start()]
        text.held = text.held[start.end() :].lstrip("\r\n")
        yield from text.until(_END)
        for _ in text.until(_AFTER):
            pass  # the licence
        if not text.held:
            return
        text.held = text.held.removeprefix(LAST_WORDS).lstrip("\r\n")


class _Ahead:
    """A text that comes in parts, of which some is held to be looked through."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts, self.held = iter(parts), ""

    def take(self) -> bool:
        """Hold one more part; False if there is none."""
        part = next(self.parts, "")
        self.held += part
        return bool(part)

    def until(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """The lines before a match, without blank ones before it. What is held begins with it then, or is empty."""
        while (found := pattern.search(self.held)) is None:
            cut = self.held.rfind("\n") + 1
            yield self.held[:cut]
            self.held = self.held[cut:]
            if not self.take():
                yield self.held
                self.held = ""
                return
        yield self.held[: found.start()].rstrip("\r\n") + "\n"
        self.held = self.held[found.start() :]
