"""Escapes text, so that Discord shows it verbatim."""

from __future__ import annotations

import re

_ANYWHERE = re.compile(r"[\\*_~`|<>\[\]]")
_LINE_START = re.compile(r"^([^\S\n]*)(#|-|\+|\d+(?=[.)]))", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
BLANK = "\u200b"


def escape(text: str) -> str:
    """Escape Markdown, mentions and links, so that Discord shows the text verbatim."""
    text = _ANYWHERE.sub(lambda found: "\\" + found[0], text)
    text = _LINE_START.sub(_escape_line_start, without_controls(text))
    return text.replace("@", "@" + BLANK).replace("://", ":" + BLANK + "//")


def without_controls(text: str) -> str:
    """A text with a blank in place of each character that Discord does not take or that would reorder the others."""
    return _CONTROL.sub(" ", text)


def _escape_line_start(found: re.Match[str]) -> str:
    blank, mark = found[1], found[2]
    return f"{blank}{mark}{BLANK}" if mark[0].isdecimal() else f"{blank}\\{mark}"
