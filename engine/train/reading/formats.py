"""From a source's bytes to its text: plain text, Project Gutenberg's books, chats, objects, documents.

The suffix of a name decides the format. Text is read in parts, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import EngineError, TrainingError
from engine.text import decoding
from engine.train.reading import chats, documents, whatsapp
from engine.train.reading.account import Account
from engine.train.reading.gutenberg import without_gutenberg
from engine.train.reading.sources import Source


def read(
    source: Source, field: str, is_named_speech: bool, *, has_bots: bool = False, account: Account | None = None
) -> Iterator[str]:
    """The text of a source in parts. `field` names the field of JSON objects or tables to read, "" for the usual one.

    `account` counts what is left out.
    """
    account = account or Account()
    if source.suffix in chats.SUFFIXES:
        return chats.read(source, decode(source, account), chats.Wanted(field, is_named_speech, has_bots), account)
    if source.suffix in documents.SUFFIXES:
        return without_gutenberg(documents.read(source, lambda: decode(source, account), account), account)
    documents.refuse(source)
    if whatsapp.NAME.fullmatch(source.name):
        return whatsapp.read(source.name, decode(source, account), is_named_speech, account)
    return without_gutenberg(decode(source, account), account)


def decode(source: Source, account: Account | None = None) -> Iterator[str]:
    """The text of a source in parts, as `engine.text.decoding` reads it.

    Raises `TrainingError` that says where it is not text. `account` notes the encoding, unless it is UTF-8.
    """
    account = account or Account()
    try:
        yield from decoding.decode(source.stream.read, source.name, account.remarks.append, source.file)
    except TrainingError:
        raise
    except EngineError as error:
        raise TrainingError(str(error)) from None
