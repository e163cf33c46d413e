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
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import engine
from engine.model.directory import find
from engine.program import fail, import_tensorflow
from engine.text.files import split_point
from engine.text.unseen import some_of, units_of
from engine.train.quantities import LN2, duration, perplexity
from engine.train.reading.filters import make_filter, normalized
from engine.train.reading.spool import Inputs, Spool
from engine.train.report.plain import ReadingLine
from engine.train.settings import TrainSettings

DYNAMIC = ", dynamic"  # follows a model's name
Figures = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = _parser()
    arguments = parser.parse_intermixed_args(argv)
    if not 0 < arguments.tail <= 1:
        parser.error(f"--tail {arguments.tail}: must be above 0, at most 1")
    limits = (("dynamic_rate", 0.0, 10.0), ("dynamic_decay", 0.0, 1.0), ("dynamic_steps", 1, 65536))
    for option, low, high in limits:
        if not low <= getattr(arguments, option) <= high:
            given = f"--{option.replace('_', '-')} {getattr(arguments, option)}"
            parser.error(f"{given}: must be from {low:g} to {high:g}")
    if arguments.dynamic and arguments.precision != "float32":
        parser.error(f"--precision {arguments.precision}: --dynamic moves weights in float32 alone")
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
    group = parser.add_argument_group(
        "dynamic evaluation", "Told beside the figure of fixed weights; needs TensorFlow."
    )
    group.add_argument("--dynamic", action="store_true", help="score with weights that follow the text, too")
    group.add_argument("--dynamic-rate", type=float, default=6e-4, metavar="X", help="how fast they follow (0.0006)")
    group.add_argument("--dynamic-steps", type=int, default=32, metavar="N", help="tokens between two moves (32)")
    group.add_argument(
        "--dynamic-decay", type=float, default=0.0, metavar="X", help="share of the way back at each move (0)"
    )
    add("--json", action="store_true", help="print one JSON object a line, one for each model")
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    models: list[str | None] = arguments.models or [None]
    trained = [_trained_with(model) for model in models]  # and all of them are there
    field = trained[0].field if arguments.field is None else arguments.field
    names = trained[0].names if arguments.names is None else arguments.names
    bots = trained[0].bots if arguments.bots is None else arguments.bots
    text = _read(arguments.data, TrainSettings(field=field, names=names, bots=bots))
    show = _shown(arguments.json, [find(model).name for model in models])
    for model, settings in zip(models, trained, strict=True):
        for figures in _score(model, text if arguments.as_is else _filtered(text, model, settings), arguments):
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
    try:
        with tempfile.TemporaryDirectory() as folder, ReadingLine() as line:
            spool = Spool(Path(folder))
            spool.fill(Inputs(tuple(data)), settings, line.tell)
            text = "".join(spool.texts("training"))
    except OSError as error:
        raise engine.EngineError(f"cannot keep the text in {tempfile.gettempdir()}: {error.strerror}") from None
    if spool.account.left_out or spool.account.remarks:
        for remark in spool.account.lines():
            _say(remark)
    return text


def _filtered(text: str, model: str | None, settings: TrainSettings) -> str:
    """The text, filtered as the model's training text was."""
    filters = ["in lower case"] * settings.lower + ["in ASCII"] * settings.ascii
    filters += [f"only of {settings.keep!r}"] * bool(settings.keep)
    if not filters:
        return text
    _say(f"{find(model).name} reads the text {', '.join(filters)}, as it was trained (--as-is for the text as it is)")
    apply = make_filter(is_ascii=settings.ascii, is_lower=settings.lower, keep=settings.keep)
    return "".join(normalized([text], apply))


def _score(model: str | None, text: str, arguments: argparse.Namespace) -> Iterator[Figures]:
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
            score = loaded.score_tokens(encoding.ids, encoding.characters, tell)
        info = loaded.info
    about = {"model": name, "level": info.level, "cell": info.cell, "parameters": info.parameters}
    yield {**about, **_figures(score.nats, len(score.tokens), score.characters)}
    if arguments.dynamic:
        about["dynamic"] = {
            "rate": arguments.dynamic_rate, "steps": arguments.dynamic_steps, "decay": arguments.dynamic_decay,
        }  # fmt: skip
        nats = _dynamic_nats(model, score, arguments)
        yield {**about, **_figures(nats, len(score.tokens), score.characters)}


def _dynamic_nats(model: str | None, score: engine.Score, arguments: argparse.Namespace) -> float:
    """Nats of the whole text with weights that follow it. The first token counts as with fixed weights."""
    try:
        import_tensorflow()
    except ImportError:
        raise engine.EngineError(
            "--dynamic needs TensorFlow: install it with \"pip install 'textrepl[train]'\""
        ) from None
    from engine.train.network.dynamic import DynamicEvaluator

    files, fixed = find(model), score.surprisal_bits * LN2
    evaluator = DynamicEvaluator(files.network, arguments.dynamic_rate, arguments.dynamic_decay)
    with _progress(f"{files.name}, dynamic", len(score.tokens)) as tell:
        return float(fixed[0] + evaluator.nats(score.tokens, fixed[1:], arguments.dynamic_steps, tell).sum())


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
    width = max(map(len, ("model", *names))) + len(DYNAMIC)
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
    return f"{figures['model']}{DYNAMIC if 'dynamic' in figures else ''}"


def _sentence(figures: Figures) -> str:
    how = ""
    if "dynamic" in figures:
        how = " ({})".format(", ".join(f"{name} {value:g}" for name, value in figures["dynamic"].items()))
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
