"""Turns a story into Discord messages: escapes it and cuts it into pages. Plain functions of text.

A full page stays as it is when the text grows, so only the last message of a reply is ever edited.
"""

from __future__ import annotations

import bisect
import re

MAX_PAGE = 1900  # characters of Discord's 2,000; the rest is for a line below the story
_ANYWHERE = re.compile(r"[\\*_~`|<>\[\]]")
_LINE_START = re.compile(r"^([^\S\n]*)(#|-|\+|\d+(?=[.)]))", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", " ")  # the best first; a page ends after one
BLANK = "\u200b"


def escape(text: str) -> str:
    """Escape Markdown, mentions and links, so that Discord shows the text verbatim."""
    text = _ANYWHERE.sub(lambda found: "\\" + found[0], text)
    text = _LINE_START.sub(_escape_line_start, _CONTROL.sub(" ", text))
    return text.replace("@", "@" + BLANK).replace("://", ":" + BLANK + "//")


def _escape_line_start(found: re.Match[str]) -> str:
    blank, mark = found[1], found[2]
    return f"{blank}{mark}{BLANK}" if mark[0].isdecimal() else f"{blank}\\{mark}"


def pages(text: str, num_bold: int = 0) -> list[str]:
    """The messages that show a text, with its first `num_bold` characters in bold; at least one."""
    made, start, text = list[str](), 0, _CONTROL.sub(" ", text)
    while start < len(text) or not made:
        end = _page_end(text, start, num_bold)
        shown = _render(text[start:end], num_bold - start)
        made.append(shown if shown.strip(f" \n\t{BLANK}") else BLANK + "\N{HORIZONTAL ELLIPSIS}")
        start = max(end, start + 1)
    return made


def _page_end(text: str, start: int, num_bold: int) -> int:
    """Where the page from `start` on ends: with the text, or after the best break in the page's second half."""
    if len(text) - start <= MAX_PAGE and len(_render(text[start:], num_bold - start)) <= MAX_PAGE:
        return len(text)  # true of nearly every growing page, and quick
    ends = range(start, min(len(text), start + MAX_PAGE) + 1)
    fitting = bisect.bisect_right(ends, MAX_PAGE, key=lambda end: len(_render(text[start:end], num_bold - start)))
    end = start + fitting - 1
    if end == len(text):
        return end
    middle = start + (end - start) // 2
    for mark in _BREAKS:
        if (index := text.rfind(mark, middle, end)) >= 0:
            return index + len(mark)
    return end


def _render(text: str, num_bold: int) -> str:
    """One page. The marks of bold go around the words only, because Discord allows no blank next to them."""
    if num_bold <= 0:
        return escape(text)
    words = text[:num_bold].strip()
    if not words:
        return escape(text)
    before, _, after = text[:num_bold].partition(words)
    return f"{before}**{escape(words)}**{after}{escape(text[num_bold:])}"
