"""The command line of `textrepl`; the flags for sampling are made from `engine.Sampling`."""

from __future__ import annotations

import argparse
import dataclasses
from importlib.metadata import PackageNotFoundError, version

import engine

SETTINGS = {item.name: item for item in dataclasses.fields(engine.Sampling)}
HELP_EPILOG = """\
Without --prompt, in a terminal, it opens a prompt: type a beginning, Enter; /help shows the rest.
In a pipe, or with --prompt, it writes one continuation to stdout and nothing else:
  textrepl --prompt "ROMEO:" --length 300 --seed 7
  head -c 2000 chapter.txt | textrepl models/mine --samples 3 --json
Exit codes: 0 done, 1 could not, 2 usage, 130 interrupted."""


def parser() -> argparse.ArgumentParser:
    """The parser of all flags; wrong values are refused by the settings' own checks."""
    made = argparse.ArgumentParser(
        prog="textrepl",
        description="Write with a small recurrent network, in a terminal or a pipe.",
        epilog=HELP_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", nargs="?", metavar="MODEL", help="a model directory, .keras file or name under models/")
    made.add_argument("--prompt", metavar="TEXT", help="go on from this text and exit")
    for item in SETTINGS.values():
        name, help_text = f"--{item.name.replace('_', '-')}", item.metadata["help"]
        if item.name == "stop":
            made.add_argument(name, action="append", metavar="TEXT", help=f"{help_text}; may be given again")
            continue
        kind = float if isinstance(item.default, float) else int
        shown = "" if item.default is None else f" ({item.default})"
        made.add_argument(name, type=kind, metavar=item.name.rpartition("_")[2][0].upper(), help=f"{help_text}{shown}")
    made.add_argument("--samples", type=int, default=1, metavar="N", help="continuations, made in one batch (1)")
    made.add_argument("--echo", action="store_true", help="write the prompt before the continuation")
    made.add_argument("--json", action="store_true", help="write one JSON object a line")
    made.add_argument("--backend", choices=("auto", "onnx", "keras"), default="auto", help="what runs the network")
    made.add_argument(
        "--precision", choices=("float32", "int8"), default="float32", help="of the network's weights; int8 is faster"
    )
    made.add_argument("--version", action="version", version=f"textrepl {_version()}")
    return made


def sampling(arguments: argparse.Namespace) -> engine.Sampling:
    """The settings given. Raises `ValueError` that names the setting and the value."""
    given = {name: value for name in SETTINGS if (value := getattr(arguments, name)) is not None}
    return engine.Sampling(**given)


def _version() -> str:
    try:
        return version("textrepl")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "(not installed)"
