"""Cuts a story into the pages that messages show. Plain functions of text; what a page looks like is in `layout`.

A full page stays as it is when the text grows, so only the last message of a reply is ever edited. Lengths are in
UTF-16 units: people report both these and characters as what Discord counts, and these are never fewer.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.messages.markdown import BLANK, escape, without_controls

TOKEN_SECONDS = 14 * 60  # of the fifteen minutes that a token lives
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", " ")  # the best first; a page ends after one


@dataclass(frozen=True, slots=True)
class Format:
    """A way to put a page into a message: how many UTF-16 units of the story, and of the small print, it takes."""

    name: str
    page: int
    footer: int


CONTENT = Format("v1", 1900, 90)  # the message's content: 2,000 with "\n-# " before the small print
LAYOUT = Format("v2", 3800, 190)  # a layout of components: 4,000 in all
FORMATS = {format.name: format for format in (CONTENT, LAYOUT)}


@dataclass(slots=True)
class Chain:
    """The messages of a reply: their ids in their order, and the format that they are in."""

    messages: list[int]
    format: Format


@dataclass(frozen=True, slots=True)
class Token:
    """An interaction's token, by which messages are sent and edited for a quarter of an hour after it was `asked`.

    `asked` is in seconds of Unix time. No log shows the token.
    """

    application: int
    value: str = field(repr=False)
    asked: float

    @property
    def seconds_left(self) -> float:
        """For how long it can be used."""
        return self.asked + TOKEN_SECONDS - time.time()


@dataclass(frozen=True, slots=True)
class Passage:
    """What a chain of messages shows: words of the story, of which a member wrote the first `num_bold`, or `said`.

    `said` is what the bot says itself, and `footer` is small print below it all. Both are Markdown. `options` are texts
    to choose from, which share one page.
    """

    text: str = ""
    num_bold: int = 0
    said: str = ""
    footer: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What one message shows, in Markdown: what a member wrote and what follows as parts, and the small print."""

    parts: tuple[str, ...]
    footer: str = ""


def pages(passage: Passage, format: Format) -> list[Page]:
    """The pages that show a passage; at least one. The last one has the small print."""
    footer = _shortened(" ".join(passage.footer.split()), format.footer)
    if passage.options:
        return [Page(_render_options(passage.options, format.page), footer)]
    if not passage.text and (passage.said or footer):
        return [Page((passage.said,) if passage.said else (), footer)]
    made, start, text = list[tuple[str, ...]](), 0, without_controls(passage.text)
    while start < len(text) or not made:
        end = _page_end(text, start, passage.num_bold, format.page)
        parts = _render(text[start:end], passage.num_bold - start)
        made.append(parts if "".join(parts).strip(f" \n\t{BLANK}") else (BLANK + "\N{HORIZONTAL ELLIPSIS}",))
        start = max(end, start + 1)
    return [*map(Page, made[:-1]), Page(made[-1], footer)]


def num_units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _page_end(text: str, start: int, num_bold: int, most: int) -> int:
    """Where the page from `start` on ends: with the text, or after the best break in the page's second half."""

    def size(end: int) -> int:
        return sum(map(num_units, _render(text[start:end], num_bold - start)))

    if len(text) - start <= most and size(len(text)) <= most:
        return len(text)  # true of nearly every growing page, and quick
    ends = range(start, min(len(text), start + most) + 1)
    end = start + bisect.bisect_right(ends, most, key=size) - 1
    if end == len(text):
        return end
    middle = start + (end - start) // 2
    for mark in _BREAKS:
        if (index := text.rfind(mark, middle, end)) >= 0:
            return index + len(mark)
    return end


def _render(text: str, num_bold: int) -> tuple[str, ...]:
    """The parts of a page: what a member wrote, and what follows it.

    They are one where no blank stands between them, for they may meet within a word. The marks of bold go around the
    words only, because Discord allows no blank next to them.
    """
    words = text[: max(0, num_bold)].strip()
    if not words:
        return (escape(text),)
    before, _, after = text[:num_bold].partition(words)
    written, rest = f"{before}**{escape(words)}**{after}", text[num_bold:]
    if not after and rest and not rest[0].isspace():
        return (written + escape(rest),)
    return (written, escape(rest)) if rest else (written,)


def _render_options(options: Sequence[str], most: int) -> tuple[str, ...]:
    """Texts to choose from, each with its number; those that are too long for their share of a page are cut."""
    share = most // len(options) - len("**1** \n\n")
    shown = [_shortened(without_controls(text).strip(), share, escape) or "\N{HORIZONTAL ELLIPSIS}" for text in options]
    return tuple(f"**{number}** {text}\n\n" for number, text in enumerate(shown, 1))


def _shortened(text: str, most: int, show: Callable[[str], str] = str) -> str:
    """A text as it is shown, or its beginning and an ellipsis if that is more than `most` units."""
    if len(text) <= most and num_units(show(text)) <= most:
        return show(text)
    ends = range(min(len(text), most))
    end = bisect.bisect_right(ends, most - 1, key=lambda end: num_units(show(text[:end]))) - 1
    return show(text[:end]).rstrip("\\") + "\N{HORIZONTAL ELLIPSIS}"
