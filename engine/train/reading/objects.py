"""Objects that a file lists, one by one: JSON, JSON lines, tables. Knows nothing of what they mean.

All of it is read in parts, so that memory does not grow with the file.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.errors import TrainingError

LINES, TABLES = (".jsonl", ".ndjson"), (".csv", ".tsv")
MAX_RECORD = 64 << 20  # characters of one object or one line
MAX_WHOLE = 16 << 20  # of a JSON object that is read at once
_MESSAGES = re.compile(r'"messages"\s*:\s*\[')
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,]*")


class NotTextError(Exception):
    """A file that is not a list of texts. The message continues the file's name."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A value of a list. `line` is its number, where each line has to be one, else 0."""

    value: Any
    line: int = 0
    is_plain: bool = True  # of a list that is the file itself or its "messages"; others are read by a named field


def listed(name: str, suffix: str, parts: Iterable[str]) -> Iterator[Listed]:
    """What a file lists, by its suffix. Raises `NotTextError` if it is no list, `TrainingError` if it is damaged."""
    parts = iter(parts)
    first = next((part for part in parts if part.strip()), None)
    if first is None:
        raise NotTextError(" is empty: give a file with text in it")
    parts = itertools.chain([first], parts)
    if suffix in TABLES:
        return _rows(name, parts)
    return _lines(name, parts) if suffix in LINES or _has_objects_as_lines(first) else _json(name, parts)


def _has_objects_as_lines(part: str) -> bool:
    """Whether a text is JSON lines, by its content."""
    line, end, rest = part.lstrip().partition("\n")
    return bool(end and rest.lstrip().startswith("{")) and isinstance(_parsed(line), dict)


def _parsed(text: str) -> Any:
    """The value of a JSON text, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def numbered(name: str, parts: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The lines of a text, without their ends, numbered from one."""
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


def _lines(name: str, parts: Iterable[str]) -> Iterator[Listed]:
    for count, (number, line) in enumerate((n, line) for n, line in numbered(name, parts) if line.strip()):
        try:
            yield Listed(json.loads(line), number)
        except (ValueError, RecursionError) as error:
            wrong = f", line {number}: is no JSON ({error}): mend or remove the line"
            raise (TrainingError(name + wrong) if count else NotTextError(wrong)) from None


def _rows(name: str, parts: Iterable[str]) -> Iterator[Listed]:
    """The rows of a table, with what its first line says as their keys."""
    csv.field_size_limit(MAX_RECORD)
    lines = (line + "\n" for _, line in numbered(name, parts))
    first = next(lines)
    delimiter = max(",;\t", key=first.count)  # the comma, if there is none
    reader = csv.DictReader(itertools.chain([first], lines), delimiter=delimiter)
    try:
        for row in reader:
            row.pop(None, None)  # what stands beyond the last column
            yield Listed(row)
        if reader.line_num <= 1:
            raise NotTextError(" is empty: give a table with rows in it")
    except csv.Error as error:
        raise TrainingError(f"{name}, line {reader.line_num}: is no CSV ({error}): export it again") from None


def _json(name: str, parts: Iterable[str]) -> Iterator[Listed]:
    """The elements of the list that a JSON text is, else of all its lists of messages, else of any of its lists."""
    text = _Lookahead(name, parts)
    if text.peek() == "[":
        while text.peek() == "[":  # as `cat` puts several files
            text.position += 1
            yield from text.elements()
        if text.peek():
            raise NotTextError(" goes on after its list, with no other list: export it again")
        return
    if text.peek() != "{":
        raise NotTextError(" is no JSON: give plain text as .txt")
    if not text.seek(_MESSAGES, keep=MAX_WHOLE):
        yield from _of_an_object(text.text)
        return
    yield from text.elements()
    while text.seek(_MESSAGES):  # Telegram has a list for each chat
        yield from text.elements()


def _of_an_object(text: str) -> Iterator[Listed]:
    value = _parsed(text)
    if not isinstance(value, dict):
        raise NotTextError(" is no JSON, or damaged: export it again, or give plain text as .txt")
    yield Listed(value, is_plain=False)
    for inner in value.values():
        if isinstance(inner, list):
            yield from (Listed(element, is_plain=False) for element in inner if isinstance(element, dict))


class _Lookahead:
    """JSON that comes in parts, with a window of it in `text`; `position` is how far this was read."""

    def __init__(self, name: str, parts: Iterable[str]) -> None:
        self.text, self.position = "", 0
        self._name, self._parts = name, iter(parts)

    def more(self) -> bool:
        """Hold one more part in place of what was read; False if there is none."""
        part = next(self._parts, "")
        self.text, self.position = self.text[self.position :] + part, 0
        return bool(part)

    def peek(self) -> str:
        """The next character after white space and commas, "" at the end."""
        while True:
            self.position = _BETWEEN.match(self.text, self.position).end()  # type: ignore[union-attr]  # matches ""
            if self.position < len(self.text) or not self.more():
                return self.text[self.position : self.position + 1]

    def seek(self, pattern: re.Pattern[str], keep: int = 0) -> bool:
        """Go behind the next match. False if there is none; the text is still held then, if it is not above `keep`."""
        begin = self.position
        while (found := pattern.search(self.text, begin)) is None:
            begin = max(self.position, len(self.text) - 1000)  # where a match may have begun
            if not keep:
                self.position, begin = begin, 0
            elif len(self.text) > keep:
                raise NotTextError(
                    " is a large JSON object without a list of messages: give the list as .json or .jsonl"
                )
            if not self.more():
                return False
        self.position = found.end()
        return True

    def elements(self) -> Iterator[Listed]:
        """The elements of the list whose beginning was read, to its end."""
        while self.peek() != "]":
            yield Listed(self._value())
        self.position += 1

    def _value(self) -> Any:
        needed, is_over = 0, False  # needed: characters, so that a long value is not tried again at each part
        while True:
            held = len(self.text) - self.position
            if is_over or held >= needed:
                try:
                    value, self.position = _DECODER.raw_decode(self.text, self.position)
                    return value
                except RecursionError:
                    raise TrainingError(f"{self._name} is nested too deeply: export it again") from None
                except ValueError:
                    needed = 2 * held
            if is_over or held > MAX_RECORD:
                raise TrainingError(f"{self._name} breaks off in the midst of its list: export it again")
            is_over = not self.more()
