"""Reads text files strictly, and says what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.errors import EngineError

LONGEST_WORD = 200  # characters


def read_text(path: str | Path) -> str:
    """The text of one UTF-8 file as it stands. Raises `EngineError` if it is missing, empty, binary or not UTF-8."""
    try:
        data = Path(path).read_bytes()
    except IsADirectoryError:
        raise EngineError(f"{path} is a folder: name the text files in it, as in {path}/*.txt") from None
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from None
    if b"\0" in data:
        raise EngineError(f"{path} is not text (it has NUL bytes): give a plain UTF-8 text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EngineError(
            f"{path} is not UTF-8 (byte {error.start}): convert it, as in "
            f"'iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8.txt'"
        ) from None
    if not text.strip():
        raise EngineError(f"{path} is empty: give a file with text in it")
    return text


def split_point(length: int, held_out: float, look: Callable[[int, int], str] | None = None) -> int:
    """Where the held-out tail of a text of `length` characters begins.

    With `look`, which gives the characters from one place to another, no word is cut: the tail begins at the next white
    space, if there is one near.
    """
    cut = int(length * (1 - held_out))
    if look is None or not 0 < cut < length:
        return cut
    near = look(cut - 1, cut + LONGEST_WORD)
    return cut + next((place for place, letter in enumerate(near[1:]) if letter.isspace() or near[place].isspace()), 0)
