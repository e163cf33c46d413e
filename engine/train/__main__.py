"""Train a model on text: python -m engine.train --data FILE... --out DIR"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import EngineError
from engine.program import fail
from engine.train.job import TENSORBOARD, Job, train
from engine.train.reading.spool import Inputs
from engine.train.report.plain import Reporter, is_terminal
from engine.train.settings import add_arguments


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(
        prog="python -m engine.train", description="Train a model on your own text.",
        usage="python -m engine.train --data PATH... --out DIR [settings]; --help tells all of them",
    )  # fmt: skip
    parser.add_argument(
        "--data", nargs="+", action="extend", metavar="PATH", help="text to learn from: files, folders, patterns, "
        "packed files, http(s) addresses, - for standard input; text, a chat's JSON or CSV export, JSON lines",
    )  # fmt: skip
    parser.add_argument(
        "--validation", nargs="+", action="extend", metavar="PATH", help="text to hold out, no tail then"
    )
    parser.add_argument("--test", nargs="+", action="extend", metavar="PATH", help="text to score once, at the end")
    parser.add_argument("--cache", metavar="DIR", type=_folder, help="where token files are kept, to be found again")
    parser.add_argument("--out", required=True, metavar="DIR", type=_folder, help="the model directory to make")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    beginning.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights and tokens of a model: a directory or name",
    )
    parser.add_argument(
        "--teachers", nargs="+", action="extend", metavar="MODEL", help="learn from what these models predict, too: "
        "directories or names; their tokens are taken",
    )  # fmt: skip
    parser.add_argument(
        "--tensorboard", nargs="?", const="", metavar="DIR", help="write for TensorBoard, too (OUT/tensorboard)"
    )
    add_arguments(parser)
    arguments = vars(parser.parse_args(argv))
    out, is_resumed, cache = arguments.pop("out"), arguments.pop("resume"), arguments.pop("cache")
    start, teachers = arguments.pop("start"), tuple(arguments.pop("teachers") or ())
    inputs = Inputs(*(tuple(arguments.pop(name) or ()) for name in ("data", "validation", "test")))
    named = arguments.pop("tensorboard")
    tensorboard = None if named is None else Path(named or out / TENSORBOARD)
    job = Job(out, inputs, arguments, is_resumed, cache, tensorboard, start, teachers)
    try:
        job.configure()
    except ValueError as error:
        parser.error(str(error))
    except EngineError as error:
        return fail("engine.train", str(error))
    try:
        return 0 if train(job, reporter_type()).is_done else 130
    except KeyboardInterrupt:
        print("stopped at once; what was saved before is whole", file=sys.stderr)
        return 130
    except EngineError as error:
        return fail("engine.train", str(error))


def _folder(text: str) -> Path:
    """A folder. Refuses an empty name, as of an unset variable: it would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("'' names nothing; '.' is this folder")
    return Path(text)


def reporter_type() -> type[Reporter]:
    """The live view where a terminal can show it, else plain lines."""
    if not is_terminal(sys.stdout):
        return Reporter
    try:
        from engine.train.report.live import LiveReporter
    except ModuleNotFoundError:  # it is in the extra "train", but the run does not need it
        return Reporter
    return LiveReporter


if __name__ == "__main__":
    program.run(main)
