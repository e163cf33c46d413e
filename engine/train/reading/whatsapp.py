"""Chats as WhatsApp exports them: text, with a date and a name before each message."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from engine.train.reading.account import Account
from engine.train.reading.chats import SYSTEM, WORDLESS, as_lines
from engine.train.reading.objects import numbered

NAME = re.compile(r"(?:.*[/\\])?(?:_chat|[^/\\]*WhatsApp[^/\\]*)\.txt", re.IGNORECASE)  # of such a file
_BEGIN = re.compile(
    r"[\u200e\u200f]*\[?\d{1,4}[./-]\d{1,2}[./-]\d{1,4},?\s\d{1,2}[:.]\d\d(?:[:.]\d\d)?(?:\s?[ap]\.?\s?m\.?)?(?:\]\s|\s-\s)",
    re.IGNORECASE,
)
_NO_WORDS = re.compile(
    r"\u200e.*|<[^<>\n]*>|null", re.DOTALL
)  # what stands for a picture, or was written by the program
_EDITED = re.compile(r"\s*\u200e<[^<>\n]*>$")


def read(name: str, parts: Iterable[str], has_names: bool, account: Account) -> Iterator[str]:
    """What people said, with their names before it or not. A text that is no such chat is given as it is."""
    parts = iter(parts)
    begun = list(itertools.islice(parts, 1))
    if not _BEGIN.match("".join(begun).lstrip()):
        yield from itertools.chain(begun, parts)
        return
    for message in _messages(name, itertools.chain(begun, parts)):
        author, is_said, words = message.partition(": ")
        words = _EDITED.sub("", words)
        if not message.strip():  # blank lines at the beginning
            continue
        if not is_said:
            account.leave_out(SYSTEM)
        elif not words.strip() or _NO_WORDS.fullmatch(words):
            account.leave_out(WORDLESS)
        else:
            yield as_lines(words, author if has_names else "", account)


def _messages(name: str, parts: Iterable[str]) -> Iterator[str]:
    """The messages without their dates; one may have several lines."""
    held: list[str] = []
    for _, line in numbered(name, parts):
        begin = _BEGIN.match(line)
        if begin and held:
            yield "\n".join(held).rstrip()
            held = []
        held.append(line[begin.end() :].rstrip("\r") if begin else line.rstrip("\r"))
    yield "\n".join(held).rstrip()
