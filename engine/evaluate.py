"""Scores a text with models: python -m engine.evaluate MODEL... --data PATH...

The text is read as the trainer reads it, and filtered for each model as its training text was.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import engine
from engine.memory.counts import Index
from engine.model.directory import find
from engine.program import fail
from engine.text.files import split_point
from engine.text.unseen import some_of, units_of
from engine.train.quantities import LN2, duration, perplexity
from engine.train.reading.filters import make_filter, normalized
from engine.train.reading.spool import read_whole
from engine.train.report.plain import ReadingLine
from engine.train.settings import TrainSettings

WITH_MEMORY = ", memory"  # follows a model's name
Figures = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = _parser()
    arguments = parser.parse_intermixed_args(argv)
    if not 0 < arguments.tail <= 1:
        parser.error(f"--tail {arguments.tail}: must be above 0, at most 1")
    if arguments.remember and arguments.memory == "off":
        parser.error("--remember: is for --memory all or training")
    try:
        return _evaluate(arguments)
    except (engine.EngineError, ValueError) as error:
        return fail("engine.evaluate", str(error))
    except OSError as error:
        return fail("engine.evaluate", f"cannot write the figures: {error.strerror}")
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = program.parser(
        prog="python -m engine.evaluate",
        description="Score a text whole, weights fixed, the state carried through; a table where models are several.",
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="as for textrepl; without it, the bundled one")
    add(
        "--data", nargs="+", action="extend", required=True, metavar="PATH",
        help="what engine.train reads: files, folders, patterns, packed files, addresses, chat exports, - for standard "
        "input; read in order",
    )  # fmt: skip
    add("--tail", type=float, default=1.0, metavar="SHARE", help="score only this share at the end (1)")
    add("--as-is", action="store_true", help="leave out the filters (--lower, --ascii, --keep) of a model's training")
    add("--field", metavar="NAME", help="what is read of JSON objects and tables (as the first model's text was)")
    add(
        "--names", action=argparse.BooleanOptionalAction,
        help="begin each message of a chat with its author's name (as the first model's text was)",
    )  # fmt: skip
    add(
        "--bots", action=argparse.BooleanOptionalAction,
        help="read what bots said in a chat, too (as the first model's text was)",
    )  # fmt: skip
    add("--backend", choices=("auto", "onnx", "keras"), default="auto")
    add("--precision", choices=("float32", "int8"), default="float32")
    add(
        "--memory", choices=("off", "training", "all"), default="off",
        help="score with a memory, too, told beside the figure without: training, of the model's training text, if it "
        "has left its counts; all, of the scored text itself, too",
    )  # fmt: skip
    add(
        "--remember", nargs="+", action="extend", default=[], metavar="PATH",
        help="further texts that the memory knows, read as --data is",
    )  # fmt: skip
    add("--json", action="store_true", help="print one JSON object a line, one for each model")
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    models: list[str | None] = arguments.models or [None]
    trained = [_trained_with(model) for model in models]  # and all of them are there
    field = trained[0].field if arguments.field is None else arguments.field
    names = trained[0].names if arguments.names is None else arguments.names
    bots = trained[0].bots if arguments.bots is None else arguments.bots
    reading = TrainSettings(field=field, names=names, bots=bots)
    text = _read(arguments.data, reading)
    remembered = _read(arguments.remember, reading) if arguments.remember else ""
    show = _shown(arguments.json, [find(model).name for model in models])
    for model, settings in zip(models, trained, strict=True):
        texts = (text, remembered) if arguments.as_is else _filtered((text, remembered), model, settings)
        for figures in _score(model, *texts, arguments):
            show(figures)
    return 0


def _trained_with(model: str | None) -> TrainSettings:
    """How a model's training text was read; the defaults for a model made elsewhere."""
    settings = engine.about(model).settings.get("settings")
    known = settings if isinstance(settings, dict) else {}
    plain = TrainSettings()
    given = {name: known.get(name) for name in ("lower", "ascii", "keep", "field", "names", "bots")}
    fits = {name: value for name, value in given.items() if isinstance(value, type(getattr(plain, name)))}
    return TrainSettings(**fits)


def _read(data: Sequence[str], settings: TrainSettings) -> str:
    """All sources as one normalized text."""
    with ReadingLine() as line:
        text, remarks = read_whole(data, settings, line.tell)
    for remark in remarks:
        _say(remark)
    return text


def _filtered(texts: tuple[str, str], model: str | None, settings: TrainSettings) -> tuple[str, str]:
    """The texts, filtered as the model's training text was."""
    filters = ["in lower case"] * settings.lower + ["in ASCII"] * settings.ascii
    filters += [f"only of {settings.keep!r}"] * bool(settings.keep)
    if not filters:
        return texts
    _say(f"{find(model).name} reads the text {', '.join(filters)}, as it was trained (--as-is for the text as it is)")
    one, other = (
        "".join(normalized([text], make_filter(is_ascii=settings.ascii, is_lower=settings.lower, keep=settings.keep)))
        for text in texts
    )
    return one, other


def _score(model: str | None, text: str, remembered: str, arguments: argparse.Namespace) -> Iterator[Figures]:
    """A model's figures over the text."""
    with engine.load(model, backend=arguments.backend, precision=arguments.precision) as loaded:
        look = None if loaded.info.level == "char" else lambda begin, end: text[begin:end]
        text = text[split_point(len(text), arguments.tail, look) :]
        name, encoding = loaded.info.name, loaded.vocabulary.encode(text)
        if encoding.unseen:
            what = units_of(loaded.info.level)
            whole = len(encoding.ids) if what == "words" else len(text)
            named = some_of([*map(repr, sorted(encoding.replaced))])
            rest = "the rest is left out" if loaded.vocabulary.unknown is None else "the rest as the unknown token"
            _say(
                f"{'the model' if len(arguments.models) < 2 else name} never saw {encoding.unseen:,} of these "
                f"{whole:,} {what} ({named}); near equivalents are scored in their place, {rest}"
            )
        if not len(encoding.ids):
            raise ValueError(f"--data: has nothing that {'the model' if len(arguments.models) < 2 else name} knows")
        with _progress(name, len(encoding.ids)) as tell:
            known = None
            if arguments.memory != "off":
                texts = [(loaded.vocabulary.encode(remembered).ids, None)] if remembered else []
                known = loaded.memory(Index.of(len(loaded.vocabulary), texts))
                if arguments.memory == "training" and known.training is None and not remembered:
                    raise ValueError(f"--memory training: {name} has no counts of its training text (counts.npz)")
            counts = "all" if arguments.memory == "all" else "none"
            score = loaded.score_tokens(encoding.ids, encoding.characters, tell, memory=known, counts=counts)
        info = loaded.info
    about = {"model": name, "level": info.level, "cell": info.cell, "parameters": info.parameters}
    alone = score.alone or score
    yield {**about, **_figures(alone.nats, len(alone.tokens), alone.characters)}
    if score.alone is not None:
        has_brought = known is not None and known.training is not None
        is_all = arguments.memory == "all"
        about["memory"] = {"story": is_all, "remembered": len(remembered), "training": has_brought}
        yield {**about, **_figures(score.nats, len(score.tokens), score.characters)}


def _figures(nats: float, tokens: int, characters: int) -> Figures:
    """The figures of a text that took so many nats in all."""
    return {
        "characters": characters,
        "tokens": tokens,
        "nats_per_token": nats / tokens,
        "bits_per_character": nats / LN2 / characters,
        "perplexity": perplexity(nats / tokens),
    }


def _shown(is_json: bool, names: Sequence[str]) -> Callable[[Figures], None]:
    """A function that prints figures: as JSON, as a sentence, or as a row of a table, after its header."""
    if is_json:
        return lambda figures: print(json.dumps(_finite(figures), allow_nan=False), flush=True)
    if len(names) == 1:
        return lambda figures: print(_sentence(figures), flush=True)
    width = max(map(len, ("model", *names))) + len(WITH_MEMORY)
    row = f"{{:{width}}}  {{:5}}  {{:4}}  {{:>11}}  {{:>11}}  {{:>11}}  {{:>10}}  {{:>9}}  {{:>10}}"
    columns = "model", "level", "cell", "parameters", "characters", "tokens", "nats/token", "bits/char", "perplexity"
    header = [row.format(*columns)]

    def show(figures: Figures) -> None:
        while header:
            print(header.pop(), flush=True)
        texts = (_name(figures), figures["level"], figures["cell"])
        counts = (f"{figures[name]:,}" for name in ("parameters", "characters", "tokens"))
        values = (f"{figures[name]:.4f}" for name in ("nats_per_token", "bits_per_character", "perplexity"))
        print(row.format(*texts, *counts, *values), flush=True)

    return show


def _finite(figures: Figures) -> Figures:
    """With null for infinity, which JSON does not have."""
    return {name: None if value in (math.inf, -math.inf) else value for name, value in figures.items()}


def _name(figures: Figures) -> str:
    return f"{figures['model']}{WITH_MEMORY if 'memory' in figures else ''}"


def _sentence(figures: Figures) -> str:
    how = ""
    if "memory" in figures:
        memory = figures["memory"]
        texts = ["the text itself"] * memory["story"] + ["its training text"] * memory["training"]
        if memory["remembered"]:
            texts.append(f"{memory['remembered']:,} remembered characters")
        how = f" of {' and of '.join(texts)}"
    return (
        f"{_name(figures)}{how} on {figures['characters']:,} characters: {figures['nats_per_token']:.4f} nats a token, "
        f"{figures['bits_per_character']:.4f} bits a character, perplexity {figures['perplexity']:.4f}"
    )


@contextmanager
def _progress(name: str, tokens: int) -> Iterator[Callable[[float], None]]:
    """Show on a terminal how many tokens are scored, and the time left."""
    started = time.monotonic()
    with ReadingLine() as line:

        def tell(share: float) -> None:
            left = (time.monotonic() - started) * (1 - share) / share if share else 0.0
            line.show(f"scoring {name}: {round(share * tokens):,} of {tokens:,} tokens, {duration(left)} left")

        yield tell


def _say(line: str) -> None:
    program.say("engine.evaluate", line)


if __name__ == "__main__":
    program.run(main)
