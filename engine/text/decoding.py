"""Decodes bytes to text, in parts: UTF-8, what a byte-order mark or NUL bytes say, older encodings if they are certain.

All programs read their texts by it. Knows no file system.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

from engine.errors import EngineError
from engine.names import quoted
from engine.text.charsets import charset_of, iconv_name, name_of
from engine.text.file_kinds import kind_of

READ = 1 << 20
MARKS = (  # the longer ones first
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf_32_le"), (codecs.BOM_UTF32_BE, "utf_32_be"),
    (codecs.BOM_UTF16_LE, "utf_16_le"), (codecs.BOM_UTF16_BE, "utf_16_be"),
)  # fmt: skip
_LOOKED_AT = 1 << 16  # bytes
_AROUND = 200  # bytes before a mistake that are looked at, too
_CONTROLS = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f\v\x1a\x1b")


def decode(read: Callable[[int], bytes], name: str, tell: Callable[[str], None], file: str = "FILE") -> Iterator[str]:
    """The text of the bytes that `read(size)` returns, without a byte-order mark.

    `tell` gets a line, which begins with `name`, about anything but plain UTF-8. Commands that repair a file name it
    `file`. Raises `EngineError` that says what the bytes are and what to do.
    """
    file = quoted(file) if file != "FILE" else file
    data = read(READ)
    if kind := kind_of(data):
        raise EngineError(f"{name} is {kind.one}: {kind.remedy.format(file=file)}")
    mark, encoding = next(((mark, encoding) for mark, encoding in MARKS if data.startswith(mark)), (b"", ""))
    encoding = encoding or _unmarked(data, name, file)
    if encoding == "utf-8":
        yield from _utf_8(data, read, name, tell, file, len(mark))
    else:
        tell(f"{name} was read as {name_of(encoding)}")
        yield from _as(encoding, data, read, name, tell, file, len(mark))


def looks_like_text(head: bytes) -> bool:
    """Whether a file with these first bytes can be text."""
    try:
        return kind_of(head) is None and bool(_unmarked(head, "", "") or head)
    except EngineError:
        return any(head.startswith(mark) for mark, _ in MARKS)


def _unmarked(data: bytes, name: str, file: str) -> str:
    """The encoding without a mark: UTF-8 unless NUL bytes show another. Raises `EngineError` if they show none."""
    if b"\0" not in data:
        return "iso2022_jp" if b"\x1b$B" in data or b"\x1b$@" in data else "utf-8"
    for encoding, width in (("utf_32_le", 4), ("utf_32_be", 4), ("utf_16_le", 2), ("utf_16_be", 2)):
        some = data[: min(len(data), _LOOKED_AT) // width * width]
        text = codecs.getincrementaldecoder(encoding)("replace").decode(some)
        if text and "\ufffd" not in text and _CONTROLS.isdisjoint(text) and _is_like_words(text):
            return encoding
    raise EngineError(_with_nul(data, 0, name, file))


def _is_like_words(text: str) -> bool:
    """Whether there are spaces or line ends, which a wrong encoding would destroy."""
    return any(space in text for space in " \n\u3000") or text.isascii()


def _with_nul(data: bytes, begin: int, name: str, file: str) -> str:
    position, remedy = data.index(b"\0"), "give plain text"
    rest = data.replace(b"\0", b"")
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(rest)
        if text.strip() and _CONTROLS.isdisjoint(text):
            remedy = f"take them out with 'tr -d \"\\000\" < {file} > text.txt', if the rest is text"
    except UnicodeDecodeError:
        pass
    return f"{name} is not text (NUL bytes, the first at {begin + position:,}): {remedy}"


def _utf_8(
    data: bytes, read: Callable[[int], bytes], name: str, tell: Callable[[str], None], file: str, skip: int
) -> Iterator[str]:
    """Decode UTF-8. If it stops being UTF-8 and was ASCII until there, go on in another encoding if that is certain."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    begin, is_ascii, before = skip, True, b""
    data = data[skip:]
    while True:
        if b"\0" in data:
            raise EngineError(_with_nul(data, begin, name, file))
        held = decoder.getstate()[0]
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            rest, begin = held + data, begin - len(held)
            charset = charset_of(before + rest) if is_ascii and not _is_mostly_utf_8(rest, error.start) else None
            if charset is not None:
                tell(f"{name} was read as {name_of(charset)}")
                yield from _as(charset, rest, read, name, tell, file, 0, begin)
            elif not data:
                tell(_cut(name, len(held)))
            else:
                raise EngineError(_not_utf_8(rest, begin, error.start, name, file, is_ascii=is_ascii)) from None
            return
        if text:
            is_ascii = is_ascii and text.isascii()
            yield text
        if not data:
            return
        begin, before = begin + len(data), data[-_AROUND:]
        data = read(READ)


def _is_mostly_utf_8(data: bytes, position: int) -> bool:
    """Whether at least half of the letters beyond ASCII around a position are UTF-8."""
    text = data[max(0, position - _LOOKED_AT) : position + _LOOKED_AT].decode("utf-8", "replace")
    broken = text.count("\ufffd")
    return sum(not letter.isascii() for letter in text) >= 2 * max(1, broken)


def _not_utf_8(data: bytes, begin: int, position: int, name: str, file: str, *, is_ascii: bool) -> str:
    if is_ascii and not _is_mostly_utf_8(data, position):
        return (
            f"{name} is not UTF-8 (byte {begin + position:,}), and in what other encoding it is cannot be told: "
            f"convert it with 'iconv -f ENCODING -t UTF-8 {file} > utf8.txt', where ENCODING is its own"
        )
    return _broken(name, "utf_8", begin + position, file)


def _broken(name: str, encoding: str, position: int, file: str) -> str:
    return (
        f"{name} is {name_of(encoding)} up to byte {position:,}, and is broken there: mend that place, or leave out "
        f"what is broken with 'iconv -c -f {iconv_name(encoding)} -t UTF-8 {file} > utf8.txt'"
    )


def _as(
    encoding: str, data: bytes, read: Callable[[int], bytes], name: str, tell: Callable[[str], None], file: str,
    skip: int, begin: int = 0,
) -> Iterator[str]:  # fmt: skip
    """The rest of a text in an encoding other than UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    begin, data = begin + skip, data[skip:]
    while True:
        held = decoder.getstate()[0]
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            if not data:
                tell(_cut(name, len(held)))
                return
            raise EngineError(_broken(name, encoding, begin - len(held) + error.start, file)) from None
        if text:
            yield text
        if not data:
            return
        begin += len(data)
        data = read(READ)


def _cut(name: str, count: int) -> str:
    return f"{name} breaks off within a letter: its last {'byte was' if count == 1 else f'{count} bytes were'} left out"
