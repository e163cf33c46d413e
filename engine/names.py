"""Names and texts from outside: as they were typed, as a terminal may show them, as a shell reads them. Knows no file.

A name that is not UTF-8 holds half surrogates in Python (PEP 383): it opens its file, but cannot be printed or written
as text.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

UNKNOWN, MARK = "\ufffd", "\ufeff"  # replaces what is no character; the byte-order mark
_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = [code for code in [*range(32), *range(127, 160), *range(0xD800, 0xE000)] if chr(code) not in "\t\n"]
_BIDIRECTIONAL = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # they change the direction of the text around them
SIMILAR = 0.65  # the share of letters in common from which on one name may be meant by another
_SAFE: dict[int, str] = {**dict.fromkeys(_CONTROLS, UNKNOWN), **dict.fromkeys(_BIDIRECTIONAL, "")}


def normalize(text: str) -> str:
    """Unicode NFC with line ends as "\\n": what training and encoding both see."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def decoded(text: str, errors: str = "replace") -> str:
    """What was typed, read as UTF-8 where the system's locale could not read it, without a byte-order mark.

    `errors` says what becomes of bytes that are no UTF-8 either, as in `bytes.decode`.
    """
    if _SURROGATES.search(text):
        try:
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", errors)
        except UnicodeEncodeError:  # half a pair that stands for no byte
            text = _SURROGATES.sub(UNKNOWN, text)
    return text.removeprefix(MARK)


def typed(text: str) -> str:
    """`decoded`, then normalized as a model's texts are."""
    return normalize(decoded(text))


def visible(text: str | Path) -> str:
    """A text that is safe to show: controls and non-characters become U+FFFD; line ends and tabs stay."""
    return decoded(str(text)).translate(_SAFE)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint for a name that nothing has: the one that is most like it, or else what is said `otherwise`."""
    import difflib

    near = difflib.get_close_matches(name, list(known), 1, SIMILAR)
    return f"did you mean {near[0]}?" if near else otherwise


def quoted(name: str | Path) -> str:
    """A name quoted for a shell, whatever bytes it has."""
    text = str(name)
    if text.isprintable():
        return shlex.quote(text)
    data = text.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\{b:03o}" for b in data) + "'"
