"""Give a `.keras` file made elsewhere its vocabulary: python -m engine.adopt FILE.keras --data TEXT...

The tokens are the characters of the text that the model was trained on, sorted, as nearly all tutorials do it; where
the network takes one token more, "[UNK]" comes first, as TensorFlow's StringLookup has it. Or --tokens names a JSON
file that lists them in the order of their ids.
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":  # before the other imports, few of which survive an exception
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))

import argparse
import json
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import engine
from engine.model_dir import NETWORK, VOCABULARY, replace_file, write_json
from engine.network import read_network
from engine.quiet import fail
from engine.text import read_text

UNKNOWN = "[UNK]"
CHECKED_CHARACTERS = 5000


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.adopt", description="Give a .keras file made elsewhere its vocabulary."
    )
    parser.add_argument("model", metavar="FILE.keras", type=Path)
    parser.add_argument("--data", nargs="+", metavar="TEXT", help="the text that it was trained on")
    parser.add_argument("--tokens", metavar="JSON", type=Path, help="a list of its tokens, or an object token: id")
    parser.add_argument("--backend", choices=("onnx", "keras"), default="onnx", help="what can read the file")
    parser.add_argument("--out", metavar="DIR", type=Path, help="a model directory to make; else beside the file")
    arguments = parser.parse_args(argv)
    if not arguments.data and not arguments.tokens:
        parser.error("give --data with the text that the model was trained on, or --tokens")
    try:
        return _adopt(arguments.model, arguments.data or [], arguments.tokens, arguments.out, arguments.backend)
    except engine.EngineError as error:
        return fail("engine.adopt", str(error))
    except OSError as error:
        return fail("engine.adopt", f"{error.filename or 'stdout'}: {error.strerror}")
    except KeyboardInterrupt:
        return 130


def _adopt(model: Path, data: list[str], tokens: Path | None, out: Path | None, backend: str) -> int:
    size = _vocabulary_size(model, backend)
    text = "".join(read_text(path, lambda line: print(f"engine.adopt: {line}", file=sys.stderr)) for path in data)
    vocabulary = read_tokens(tokens) if tokens else tokens_of(text, size)
    if len(vocabulary) != size:
        raise engine.ModelLoadError(f"{tokens} has {len(vocabulary)} tokens but {model} takes {size}")
    place = out / VOCABULARY if out else model.with_name(VOCABULARY)
    if place.exists():
        raise engine.ModelLoadError(f"{place} is there already: move it away first")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        with replace_file(out / NETWORK) as temporary:
            shutil.copyfile(model, temporary)
    write_json(place, vocabulary.to_json())
    print(f"wrote {place} with {size} tokens; write with it by 'textrepl {out or model}'")
    if text:
        _check(out or model, text[:CHECKED_CHARACTERS], size, backend)
    return 0


def tokens_of(text: str, size: int) -> engine.Vocabulary:
    """The sorted characters of a text, with "[UNK]" before them if that makes `size`."""
    characters = sorted(set(text))
    if len(characters) == size:
        return engine.Vocabulary(tuple(characters))
    if len(characters) + 1 == size:
        return engine.Vocabulary((UNKNOWN, *characters), unknown=UNKNOWN)
    raise engine.ModelLoadError(
        f"the text has {len(characters)} different characters but the network takes {size} tokens: give the very "
        "text that it was trained on, or --tokens with the list"
    )


def read_tokens(path: Path) -> engine.Vocabulary:
    """A vocabulary from a JSON list of tokens, an object of ids by token, or a `vocabulary.json`."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and "tokens" in data:
            return engine.Vocabulary.from_json(data)
        if isinstance(data, dict):
            data = sorted(data, key=data.__getitem__)
        unknown = UNKNOWN if UNKNOWN in data else None
        return engine.Vocabulary(tuple(data), unknown=unknown)
    except (ValueError, TypeError) as error:
        raise engine.ModelLoadError(f"{path} is no list of tokens ({error})") from None


def _vocabulary_size(model: Path, backend: str) -> int:
    if backend == "onnx":
        return read_network(model).vocabulary_size
    from engine.steps.keras import KerasStep

    return KerasStep(model).vocabulary_size


def _check(model: Path, text: str, size: int, backend: str) -> None:
    with engine.load(model, backend=backend) as loaded:
        try:
            found = loaded.score(text).bits_per_character
        except ValueError:  # it knows nothing of it
            found = math.inf
    if found == math.inf:
        print("engine.adopt: the model knows nothing of this text: is it the one it was trained on?", file=sys.stderr)
    elif found > math.log2(size):
        print(
            f"engine.adopt: this text surprises the model like noise ({found:.2f} bits a character): if the model "
            "was trained, then its tokens have another order; give --tokens",
            file=sys.stderr,
        )
    else:
        print(f"the model knows this text: {found:.2f} bits a character over its beginning")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
