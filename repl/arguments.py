"""The command line of `textrepl`. The flags for sampling are made from `engine.Sampling`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import engine
from engine import program
from repl.settings import SETTINGS

SHELLS = ("bash", "zsh", "fish")
HELP = """\
usage: textrepl [MODEL] [options]
Write with a small recurrent network; in a terminal it opens a prompt (/help).
MODEL: a directory, a .keras file or a name under models/; else the bundled one.

how it writes   --temperature T (0.8)  0 always takes the likeliest
                --length N (200)  in tokens    --seed N  the same again
                --end any|word|line|sentence  where it ends then, --stop TEXT
                --top-k K  --top-p P  --min-p P     leave the unlikely out
                --repetition-penalty R  1 for none  --ban TEXT  never write it
its memory      --memory off|mine|all  of this story's words    --remember FILE
once, to stdout --prompt TEXT  or a text on standard input: go on from it
                --samples N  in one batch    --echo  prompt first    --json
sessions        --session NAME  every turn is kept    --store URL  where
the network     --backend auto|onnx|keras    --precision float32|int8
the program     --init-config  write a file of all settings    -h, --help
                --completions bash|zsh|fish    --version

  textrepl models/mine --session novel  a story that goes on next time
  textrepl --prompt "ROMEO:" --length 300 --seed 7
  echo "Next morning" | textrepl --session novel >> chapter.txt
  head -c 2000 chapter.txt | textrepl models/mine --samples 3 --json

Exit codes: 0 done, 1 could not, 2 usage, 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of all flags. `engine.Sampling` refuses wrong values."""
    made = program.parser(
        prog="textrepl", usage="textrepl [MODEL] [--prompt TEXT] [options]; --help shows them all", help_page=HELP
    )
    made.add_argument(
        "model", nargs="?", type=_path, metavar="MODEL", help="a model directory, .keras file or name under models/"
    )
    made.add_argument("--prompt", type=engine.decoded, metavar="TEXT", help="go on from this text and exit")
    for item in SETTINGS.values():
        name, help_text = f"--{item.name.replace('_', '-')}", item.metadata["help"]
        if item.default == ():
            made.add_argument(name, action="append", metavar="TEXT", help=help_text)
        elif choices := item.metadata["choices"]:
            made.add_argument(name, choices=choices, help=help_text)
        else:
            kind = float if isinstance(item.default, float) else int
            made.add_argument(name, type=kind, metavar="N", help=help_text)
    made.add_argument(
        "--remember", action="append", type=_path, default=[], metavar="FILE",
        help="a text whose words the story's memory knows: anything that training reads; again for more",
    )  # fmt: skip
    made.add_argument("--samples", type=int, default=1, metavar="N", help="so many continuations, made in one batch")
    made.add_argument("--echo", action="store_true", help="write the prompt before the continuation")
    made.add_argument("--json", action="store_true", help="write one JSON object a line")
    made.add_argument("--session", type=_session, metavar="NAME", help="go on with a session, or begin one")
    made.add_argument("--store", type=_path, metavar="URL", help="where sessions are kept")
    made.add_argument("--backend", choices=("auto", "onnx", "keras"), default="auto", help="what runs the network")
    made.add_argument("--precision", choices=("float32", "int8"), default="float32", help="of the network's weights")
    made.add_argument("--init-config", action="store_true", help="write a configuration file with every setting")
    made.add_argument("--completions", choices=SHELLS, help="print a script that completes these flags in a shell")
    made.add_argument("--version", action=ShowVersion, nargs=0, help="print the version")
    return made


def _session(name: str) -> str:
    """A session's name. Two names that are not UTF-8 stay different."""
    return engine.decoded(name, "backslashreplace")


def _path(name: str) -> str:
    """A path, a name or a URL. Refuses an empty one (a variable that is not set), which would be the current folder."""
    if not name:
        raise argparse.ArgumentTypeError("'' names nothing; leave it out for the default")
    return name


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as flags. What is to be remembered is meant to be used."""
    if arguments.remember and arguments.memory is None:
        arguments.memory = "mine"
    return {name: value for name in SETTINGS if (value := getattr(arguments, name)) is not None}


def sampling(arguments: argparse.Namespace) -> engine.Sampling:
    """The settings given. Raises `ValueError` that names the setting and the value."""
    return engine.Sampling(**given(arguments))


class ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for, because that takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("textrepl")
        except PackageNotFoundError:  # run from a checkout that was never installed
            found = "(not installed)"
        sys.stdout.write(f"textrepl {found}\n")
        parser.exit()
