"""From a source's bytes to its text: plain text, Project Gutenberg's books, Discord exports, JSON lines, CSV.

All of it is read in parts, so that memory does not grow with the text. Formats are told by the name's suffix.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from engine import decoding
from engine.errors import EngineError, TrainingError
from engine.train.gutenberg import without_gutenberg
from engine.train.sources import Account, Source

MAX_RECORD = 64 << 20  # characters of one message or one line of a table
SPOKEN = ("Default", "Reply", "0", "19")  # types of Discord messages that people write
_MESSAGES = re.compile(r'"messages"\s*:\s*\[')


def read(source: Source, field: str, is_named_speech: bool, *, account: Account | None = None) -> Iterator[str]:
    """The text of a source in parts. `field` names what is read of a JSON line or a table, "" for the usual one.

    What is left out of it is told to `account`.
    """
    account = account or Account()
    parts = decode(source, account)
    if source.suffix in (".jsonl", ".ndjson"):
        return _json_lines(source.name, parts, field or "text")
    if source.suffix == ".json":
        return _discord_json(source.name, parts, is_named_speech)
    if source.suffix == ".csv":
        return _table(source.name, parts, field or "Content", is_named_speech)
    return without_gutenberg(parts, account)


def decode(source: Source, account: Account | None = None) -> Iterator[str]:
    """The text of a source in parts, as `engine.decoding` reads it. Raises `TrainingError` that says where it is none.

    How it was read, if not as UTF-8, is told to `account`.
    """
    account = account or Account()
    try:
        yield from decoding.decode(source.stream.read, source.name, account.remarks.append, source.file)
    except TrainingError:
        raise
    except EngineError as error:
        raise TrainingError(str(error)) from None


def _lines(name: str, parts: Iterable[str]) -> Iterator[tuple[int, str]]:
    held, number = "", 0
    for part in parts:
        *lines, held = (held + part).split("\n")
        for line in lines:
            number += 1
            yield number, line
        if len(held) > MAX_RECORD:
            raise TrainingError(f"{name} has a line of more than {MAX_RECORD:,} characters: is it what its name says?")
    if held:
        yield number + 1, held


def _json_lines(name: str, parts: Iterable[str], field: str) -> Iterator[str]:
    for number, line in _lines(name, parts):
        if not line.strip():
            continue
        try:
            value = json.loads(line)[field]
        except (KeyError, TypeError, IndexError):
            raise TrainingError(f"{name}, line {number}: has no field {field!r}: name another by --field") from None
        except (ValueError, RecursionError) as error:
            raise TrainingError(f"{name}, line {number}: is no JSON ({error}): mend or remove the line") from None
        if not isinstance(value, str):
            raise TrainingError(f"{name}, line {number}: its {field!r} is no text: name another field by --field")
        yield value + "\n"


def _discord_json(name: str, parts: Iterable[str], is_named_speech: bool) -> Iterator[str]:
    """The messages of a DiscordChatExporter file, one by one."""
    wrong = f"{name} is no DiscordChatExporter export: give such a file, plain text, or JSON lines as .jsonl"
    text, parts = "", iter(parts)
    for part in parts:
        text += part
        if found := _MESSAGES.search(text):
            text = text[found.end() :]
            break
        if len(text) > MAX_RECORD:
            raise TrainingError(wrong)
    else:
        raise TrainingError(wrong)
    decoder, place, needed, is_over = json.JSONDecoder(), 0, 0, False
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if text[place : place + 1] == "]":
            return
        message = None
        if len(text) - place >= needed:
            try:
                message, place = decoder.raw_decode(text, place)
            except RecursionError:
                raise TrainingError(wrong) from None
            except ValueError:
                needed = 2 * (len(text) - place)  # so that a long message is not tried again at each part
        if message is not None:
            needed = 0
            yield _spoken(message, is_named_speech, wrong)
            continue
        if is_over or len(text) - place > MAX_RECORD:
            raise TrainingError(f"{name} breaks off in the midst of its messages: export it again")
        part = next(parts, "")
        text, place = text[place:] + part, 0
        if not part:
            is_over, needed = True, 0


def _spoken(message: Any, is_named_speech: bool, wrong: str) -> str:
    try:
        content, author = message["content"], message["author"]
        if not content or str(message.get("type", "Default")) not in SPOKEN:
            return ""
        lead = f"{author.get('nickname') or author['name']}: " if is_named_speech else ""
        return f"{lead}{content}\n"
    except (KeyError, TypeError, AttributeError):
        raise TrainingError(wrong) from None


def _table(name: str, parts: Iterable[str], field: str, is_named_speech: bool) -> Iterator[str]:
    csv.field_size_limit(MAX_RECORD)
    reader = csv.DictReader(line + "\n" for _, line in _lines(name, parts))
    try:
        columns = reader.fieldnames or []
        if field not in columns:
            shown = ", ".join(map(str, columns))[:80]
            raise TrainingError(f"{name} has no column {field!r} (it has {shown}): name one by --field")
        for row in reader:
            if row[field]:
                lead = f"{row.get('Author')}: " if is_named_speech and row.get("Author") else ""
                yield f"{lead}{row[field]}\n"
    except csv.Error as error:
        raise TrainingError(f"{name}, line {reader.line_num}: is no CSV ({error}): export it again") from None
