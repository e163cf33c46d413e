"""Stories in files: plain text, Markdown, and what can be imported again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import engine

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def as_markdown(turns: Sequence[engine.Turn], title: str, model: str) -> str:
    """The story with its lines as they are; what the writer typed is bold."""
    parts = []
    for turn in turns:
        lines = [_escaped(line, is_bold=turn.kind == "prompt") for line in turn.text.split("\n")]
        parts.append("\n".join(lines))
    body = "".join(parts)
    body = re.sub(r"(?<=[^\n])\n(?=[^\n])", "  \n", body)  # a line end of the story is one on the page
    heading, writer = _escaped(title or "A story", is_bold=False), _escaped(model, is_bold=False)
    return f"# {heading}\n\n{body.strip(chr(10))}\n\n*Written with {writer}.*\n"


def _escaped(line: str, *, is_bold: bool) -> str:
    safe = SPECIAL.sub(r"\\\1", line)
    inner = safe.strip()
    return safe.replace(inner, f"**{inner}**") if is_bold and inner else safe


def create(path: Path, text: str) -> None:
    """Write a file that is not there yet, for its owner alone. Raises `OSError`, and leaves no part of it then."""
    with path.open("x", encoding="utf-8", errors="surrogatepass", newline="") as file:
        try:
            path.chmod(0o600)  # what one writes is one's own
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; one that is stays. Raises `ValueError` that says what to do."""
    try:
        create(path, text)
    except FileExistsError:
        raise ValueError(f"{path} is there already: give another name") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}): give another place") from None


def read_story(path: Path) -> str:
    """The text of a file. Raises `ValueError` that says what to do."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe or a device might never end
        raise ValueError(f"{path} is no file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: convert it first") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text
