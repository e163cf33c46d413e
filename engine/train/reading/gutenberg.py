"""Removes the headers and licenses that Project Gutenberg puts around its books, of all its years; nothing else.

A header ends with "*** START OF ..." or, before 2001, with the end of "the small print". A book ends with
"*** END OF ...", or with "End of the Project Gutenberg EBook ..." where a license, another book or nothing follows:
elsewhere that line is part of a book. After a license, other text or another book may follow.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from engine.train.reading.account import Account

WINDOW = 1 << 16  # characters in which a header, and a license, must end
LEFT_OUT = "Project Gutenberg's headers and licenses"
_NEAR = 300  # letters between the end of a book and what proves that it is one
MANY_STARS = 1000  # in a part, after which each is no longer looked at by itself
_WORDS = ("PROJECT GUTENBERG", "SMALL PRINT!")
_SEAM = 64  # characters on both sides of a cut in which a mark can lie
_LONG_LINE = 60  # characters after which a title goes on in the next line
_REST = r"(?:(?:[^*\n]|\n(?!\r?\n)){0,300}\*\*\*)?[^\n]*\n?"  # of a line between stars; a long title takes two
_WHAT = r"OF (?:THE|THIS) (?:COPYRIGHTED )?PROJECT GUTENBERG"
_MARK = re.compile(
    rf"^[ \t]*(?:(?P<start>\*\*\* ?START {_WHAT}){_REST}|(?P<small>\**END[* ]*(?:THE )?SMALL PRINT!)[^\n]*\n?"
    rf"|(?P<end>\*\*\* ?END {_WHAT}){_REST}"
    r"|(?P<weak>(?:End of|Ende dieses|Fin de|Fin du) (?:[Tt]he |[Tt]his )?Project Gutenberg)[^\n]*\n?)",
    re.MULTILINE,
)
_HEAD = re.compile(  # the first line of a header
    r"^[^\w\n]*(?:The |This is (?:the|a) )?(?:COPYRIGHTED )?Project Gutenberg"
    r"(?:['’]s [A-Z“\"‘]|(?:['’]s)?[ ,]+(?:E-?Book|E-?Text)s?\b(?! are))",
    re.MULTILINE | re.IGNORECASE,
)
_LAST = re.compile(  # words of a license
    r"email newsletter to hear about new eBooks\.(?:\s*\*\*\* ?END: FULL LICENSE ?\*\*\*)?"
    r"|^[ \t]*\**END[* ]*(?:THE )?SMALL PRINT![^\n]*",
    re.MULTILINE,
)
_LEGAL = re.compile(
    r"Project\s+Gutenberg|gutenberg\.(?:org|net)|pglaf|licen[cs]e|electronic works?|e-?texts?\b|public domain|trademark"
    r"|copyright laws|tax[- ](?:deductible|exempt|treatment|identification)|disclaimer|implied warrant"
    r"|small print|donations|this file should be named|all associated files|updated editions|print editions"
    r"|full refund|the Foundation is committed|^1\.[A-F]\b|^Section [1-5]\. ",
    re.MULTILINE | re.IGNORECASE,
)
_EVERYDAY = re.compile(  # words of a license that other texts have, too: one alone proves none
    r"e-?texts?\b|public domain|trademark|copyright laws|disclaimer|small print|donations|full refund",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(r"(?:^[ \t]*[^\s][^\n]*(?:\n|\Z))+", re.MULTILINE)


def without_gutenberg(parts: Iterable[str], account: Account | None = None) -> Iterator[str]:
    """A text without Project Gutenberg's headers and licenses; the rest is unchanged. `account` counts what is removed.

    Books may follow one another, as `cat` puts them, with other texts before, between and after.
    """
    text, is_book = _Lookahead(parts), False
    while text.fill(3 * WINDOW):
        mark = _next_mark(text, is_book=is_book)
        if mark is None:
            yield text.take(len(text.held) if text.is_over else text.line_before(len(text.held) - 2 * WINDOW))
            yield from text.until_speaks(is_book=is_book)
            continue
        begin, end, is_book = mark
        raw = kept = text.take(begin)
        if not is_book:  # a book has ended: without the blank lines
            kept = raw.rstrip("\r\n")
            kept += "\n" if kept else ""
        yield kept
        gone = text.take(end - begin)
        if account is not None:
            account.leave_out(LEFT_OUT, len(raw) + len(gone) - len(kept), "characters")


def _next_mark(text: _Lookahead, *, is_book: bool) -> tuple[int, int, bool] | None:
    """From where to where something is taken away, and whether a book follows; None if nothing is in sight."""
    held = text.held
    if not _may_have_mark(held, is_book=is_book) and "SMALL PRINT" not in held:
        return None
    limit = len(held) if text.is_over else len(held) - WINDOW  # as far as what follows is in sight
    for found in _MARK.finditer(held):
        if found.start() >= limit:
            return None
        if found["start"] or found["small"]:
            begin = _header(held, found)
            if begin is not None:
                return begin, _after_blank_lines(held, found.end()), True
        elif is_book:
            end = found.end() if found["end"] else _book_end(text, found)
            if end is not None:
                return found.start(), _after_blank_lines(held, _license_end(held, end)), False
    return None


def _may_have_mark(text: str, *, is_book: bool) -> bool:
    """A quick check whether a text may contain a mark: nearly all marks have stars, which are found fastest."""
    if is_book and "Gutenberg" in text:
        return True
    position = -1
    for _ in range(MANY_STARS):
        position = text.find("*", position + 1)
        if position < 0:
            return False
        if any(word in text[position : position + _SEAM] for word in _WORDS):
            return True
    return any(word in text[position:] for word in _WORDS)


def _header(held: str, mark: re.Match[str], first: int = 0) -> int | None:
    """Where the header begins that ends with a mark; None if it is none."""
    first = max(first, mark.start() - WINDOW)
    head = _HEAD.search(held, first, mark.start())
    if head is not None:
        return head.start()
    return mark.start() if mark["start"] else None


def _book_end(text: _Lookahead, mark: re.Match[str]) -> int | None:
    """Where "End of the Project Gutenberg ..." ends; None where a book goes on: where nothing proves its end."""
    position = mark.end()
    if len(mark[0].strip()) >= _LONG_LINE:
        line = text.held.find("\n", position) + 1 or len(text.held)
        position = line if text.held[position:line].strip() else position
    after = text.held[position : position + WINDOW]
    if not after.strip():
        return position if text.is_over else None
    for pattern in (_MARK, _HEAD):
        found = pattern.search(after)
        is_weak = found is not None and pattern is _MARK and found["weak"]
        if found and not is_weak and len("".join(after[: found.start()].split())) < _NEAR:
            return position
    paragraph = _PARAGRAPH.search(after)
    return position if paragraph is not None and _LEGAL.search(paragraph[0]) else None


def _license_end(held: str, begin: int) -> int:
    """Where the license ends that begins here: with its last words, else with the last line of its kind."""
    stop = min(len(held), begin + WINDOW)
    for mark in _MARK.finditer(held, begin, stop):
        header = _header(held, mark, begin) if mark["start"] or mark["small"] else None
        if header is not None:  # another book's
            stop = header
            break
    if found := list(_LAST.finditer(held, begin, stop)):
        return found[-1].end()
    end = begin
    for paragraph in _PARAGRAPH.finditer(held, begin, stop):
        legal = list(_LEGAL.finditer(held, paragraph.start(), paragraph.end()))
        if not legal:
            break
        if len(legal) > 1 or not _EVERYDAY.fullmatch(legal[0][0]):
            end = held.find("\n", legal[-1].end(), stop) + 1 or stop
    return end


def _after_blank_lines(held: str, position: int) -> int:
    while position < len(held) and held[position] in "\r\n":
        position += 1
    return position


class _Lookahead:
    """A text that comes in parts, with a window of it held in memory."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts, self.held, self.is_over = iter(parts), "", False

    def fill(self, size: int) -> bool:
        """Hold so many characters, or all that are left; False if there are none."""
        parts, count = [self.held], len(self.held)
        while count < size and not self.is_over:
            part = next(self._parts, None)
            self.is_over = part is None
            parts.append(part or "")
            count += len(parts[-1])
        self.held = "".join(parts)
        return bool(self.held)

    def until_speaks(self, *, is_book: bool) -> Iterator[str]:
        """The parts up to one that may have a mark, but for so much that a header before it is held. Copies nothing."""
        if _may_have_mark(self.held, is_book=is_book):
            return
        parts, size, before = deque([self.held]), len(self.held), self.held[-_SEAM:]
        while (part := next(self._parts, None)) is not None:
            parts.append(part)
            size += len(part)
            if any(_may_have_mark(text, is_book=is_book) for text in (part, before + part[:_SEAM])):
                break
            before = (before + part[-_SEAM:])[-_SEAM:]
            while size - len(parts[0]) >= 2 * WINDOW:
                size -= len(parts[0])
                yield parts.popleft()
        self.is_over, self.held = part is None, "".join(parts)

    def line_before(self, position: int) -> int:
        """Where the last line up to a position begins; the position itself if no line does."""
        return self.held.rfind("\n", 0, position) + 1 or position

    def take(self, count: int) -> str:
        """Remove and return the first characters that are held."""
        taken, self.held = self.held[:count], self.held[count:]
        return taken
