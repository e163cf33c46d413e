"""Stories in files: plain text, Markdown, and what can be imported again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import engine

CHAT = {"messages", "role", "content", "author", "mapping", "chat_messages", "chats", "mes"}  # keys of other programs
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def as_markdown(turns: Sequence[engine.Turn], title: str, model: str) -> str:
    """The story with its lines as they are; what the writer typed is bold."""
    parts = []
    for turn in turns:
        if turn.kind == "memory":
            continue
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


def read_story(path: Path, tell: Callable[[str], None] = lambda line: None) -> str:
    """The text of a file, read as the trainer reads it; `tell` is told if that is not as plain UTF-8.

    Raises `ValueError` or `EngineError` that says what to do.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe or a device might never end
        raise ValueError(f"{path} is no file")
    try:
        with path.open("rb") as file:
            text = engine.read_stream(file, str(path), tell, str(path))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text


def check_export(text: str, name: str) -> None:
    """Raise `ValueError` for a JSON text that `/export` has not written, with what it is and what to do."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError(f"{name} is no conversation of /export but JSON in too many layers") from None
    except ValueError as error:
        raise ValueError(f"{name} is no JSON ({error}): rename it to .txt to import it as a text") from None
    if isinstance(data, dict) and {"version", "seed", "turns"} <= data.keys():
        return
    what, rows = _kind(data), data if isinstance(data, list) else [data]
    mend = "rename it to .txt to import it as a text"
    if any(isinstance(row, dict) and CHAT & row.keys() for row in rows):
        what, mend = f"a chat of another program ({what})", f"train on it by 'python -m engine.train --data {name} ...'"
    raise ValueError(f"{name} is no conversation of /export but {what}: {mend}")


def _kind(data: object) -> str:
    """What is at the top of a JSON file, in a few words."""
    if isinstance(data, dict):
        names = ", ".join([*map(repr, data)][:4])
        return f"an object with {names or 'nothing in it'}{' ...' * (len(data) > 4)}"
    if isinstance(data, list):
        return f"a list of {len(data):,}"
    return "a mere text" if isinstance(data, str) else f"a mere {json.dumps(data)[:20]}"
