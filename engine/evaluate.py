"""How well a model foretells a text: python -m engine.evaluate MODEL --data FILE..."""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":  # before the other imports, few of which survive an exception
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

import engine
from engine.quiet import fail
from engine.text import read_texts, split_point


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.evaluate",
        description="Score a text whole, weights fixed, the state carried through.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="as for textrepl; without it, the bundled one")
    parser.add_argument("--data", nargs="+", required=True, metavar="FILE", help="UTF-8 text files, read in order")
    parser.add_argument("--tail", type=float, default=1.0, metavar="SHARE", help="score only this share at the end (1)")
    parser.add_argument("--backend", choices=("auto", "onnx", "keras"), default="auto")
    parser.add_argument("--precision", choices=("float32", "int8"), default="float32")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.tail <= 1:
        parser.error(f"--tail {arguments.tail}: must be above 0, at most 1")
    try:
        return _evaluate(arguments)
    except (engine.EngineError, ValueError) as error:
        return fail("engine.evaluate", str(error))
    except OSError as error:
        return fail("engine.evaluate", f"cannot write the figures: {error.strerror}")
    except KeyboardInterrupt:
        return 130


def _evaluate(arguments: argparse.Namespace) -> int:
    text = read_texts(arguments.data)
    text = text[split_point(len(text), arguments.tail) :]
    with engine.load(arguments.model, backend=arguments.backend, precision=arguments.precision) as model:
        encoding = model.encode(text)
        if encoding.unseen:
            what, whole = ("words", len(encoding.ids)) if model.info.level == "word" else ("characters", len(text))
            rest = "the rest is left out" if model.vocabulary.unknown is None else "the rest as the unknown token"
            print(
                f"engine.evaluate: the model never saw {encoding.unseen:,} of these {whole:,} {what} "
                f"({_some(encoding.replaced)}); near equivalents are scored in their place, {rest}",
                file=sys.stderr,
            )
        if not len(encoding.ids):
            raise ValueError("--data: has nothing that the model knows")
        score = model.score_tokens(encoding.ids, encoding.characters)
    figures = {
        "model": model.info.name,
        "characters": score.characters,
        "tokens": len(score.tokens),
        "nats_per_token": score.nats / len(score.tokens),
        "bits_per_character": score.bits_per_character,
        "perplexity": score.perplexity,
    }
    if arguments.json:
        print(json.dumps(figures), flush=True)
        return 0
    print(
        f"{model.info.name} on {score.characters:,} characters: {figures['nats_per_token']:.4f} nats a token, "
        f"{score.bits_per_character:.4f} bits a character, perplexity {score.perplexity:.4f}",
        flush=True,
    )
    return 0


def _some(unseen: Iterable[str]) -> str:
    """Some of what was unseen, white space as its escapes."""
    return " ".join(repr(token)[1:-1] if token.isspace() else token for token in sorted(unseen, key=_is_space))[:60]


def _is_space(token: str) -> tuple[bool, str]:
    return token.isspace(), token


if __name__ == "__main__":
    sys.exit(main())
