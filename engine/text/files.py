"""Reads a text file strictly, and says in one line what is wrong with it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import EngineError
from engine.text.decoding import decode

LONGEST_NAME, SHOWN = 255, 80  # characters of a file's name, and of a longer one
WRITE_IT = "if that is the text itself, write it into a file and name that"
SOME_WORDS = 8  # spaces, from which on a name may well be a text
LONGEST_WORD = 200  # characters


def read_text(path: str | Path, tell: Callable[[str], None] = lambda line: None) -> str:
    """The text of one file. `tell` gets a line if it was not plain UTF-8.

    Raises `EngineError` if it is missing, empty or no text.
    """
    if not str(path).strip():
        raise EngineError("the name of a text is empty: give a file")
    try:
        with Path(path).open("rb") as file:
            text = read_stream(file, str(path), tell, str(path))
    except IsADirectoryError:
        raise EngineError(f"{path} is a folder: name the text files in it, as in {path}/*.txt") from None
    except OSError as error:
        raise EngineError(f"cannot read {shortened(path)}: {why(error, path)}") from None
    except ValueError:  # a NUL character in the name
        raise EngineError(f"cannot read {shortened(path)}: no file has such a name") from None
    if not text.strip():
        raise EngineError(f"{path} is empty: give a file with text in it")
    return text


def read_stream(
    stream: BinaryIO, name: str, tell: Callable[[str], None] = lambda line: None, file: str = "FILE"
) -> str:
    """The text of an open file or a pipe, read as `read_text` does.

    `name` stands for it in messages, and `file` in commands that mend it. Raises `EngineError` if it is no text.
    """
    return "".join(decode(stream.read, name, tell, file))


def read_lines(
    stream: BinaryIO, name: str, tell: Callable[[str], None] = lambda line: None, file: str = "FILE"
) -> Iterator[str]:
    """The lines of a stream as they come, without their ends; otherwise as `read_stream`.

    What is no text raises `EngineError` once the lines before it were given.
    """
    held = ""
    for part in decode(stream.readline, name, tell, file):
        *lines, held = (held + part).split("\n")
        yield from (line.rstrip("\r") for line in lines)
    if held:
        yield held


def why(error: OSError, name: str | Path) -> str:
    """Why a file cannot be read, and what to do if the text itself was given in place of a name."""
    reason = error.strerror or str(error)
    if error.errno == errno.ENAMETOOLONG or (error.errno == errno.ENOENT and looks_like_words(name)):
        return f"{reason}; {WRITE_IT}"
    return reason


def looks_like_words(name: str | Path) -> bool:
    """Whether what should be a name may be the text itself."""
    return str(name).count(" ") >= SOME_WORDS


def shortened(name: str | Path) -> str:
    """A name on one line, cut if it is the text itself, or longer than any name can be."""
    shown = " ".join(str(name).split())
    return shown if len(shown) <= (SHOWN if looks_like_words(name) else LONGEST_NAME) else f"{shown[:SHOWN]} ..."


def split_point(length: int, held_out: float, look: Callable[[int, int], str] | None = None) -> int:
    """Where the held-out tail of a text of `length` characters begins.

    With `look(begin, end)`, which returns these characters, no word is cut: the tail begins at the next white space
    within `LONGEST_WORD`.
    """
    cut = int(length * (1 - held_out))
    if look is None or not 0 < cut < length:
        return cut
    around = look(cut - 1, cut + LONGEST_WORD)
    return cut + next((i for i in range(len(around) - 1) if around[i].isspace() or around[i + 1].isspace()), 0)
