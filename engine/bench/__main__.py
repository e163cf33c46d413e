"""Measures speed, side by side in one run: python -m engine.bench [MODEL] [--train] [--json]

First the time from a program's start to its first character (`startup`), then how fast the same weights write in
several ways (`speed`), and what serving many people costs (`serving`). With --train, training is measured instead
(`training`). The last line is JSON.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import engine
from engine.bench import speed, startup
from engine.model import directory
from engine.program import import_tensorflow


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(prog="python -m engine.bench", description="Measure speed, side by side.")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="without it: shakespeare, and a GRU 1x1024")
    parser.add_argument("--train", action="store_true", help="measure training instead")
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    arguments = parser.parse_args(argv)
    if arguments.train and arguments.model:
        parser.error(f"{arguments.model}: --train measures networks of its own; leave the model out")
    show: Callable[[str], None] = (lambda line: None) if arguments.json else print
    try:
        report = run_training(show) if arguments.train else run(arguments.model, show)
    except engine.EngineError as error:
        return program.fail("engine.bench", directory.only_fast(error, "engine.bench"))
    except ImportError:
        return program.fail("engine.bench", "needs TensorFlow: install it with \"pip install 'textrepl[train]'\"")
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report))
    return 0


def run(model: str | None, show: Callable[[str], None]) -> dict[str, Any]:
    """All figures, by model; each is shown as a line once it is there."""
    paths = [directory.find(model or speed.CHARACTERS).network]  # before seven processes find that there is none
    report: dict[str, Any] = {"start": startup.measure(model)}  # first: a child's peak counts its parent's size
    start = report["start"]
    show(
        f"textrepl --prompt, {startup.STARTS} fresh processes: first character after {start['seconds_median']:.2f} s "
        f"(at most {start['seconds_max']:.2f} s), peak memory {start['peak_megabytes']:.0f} MB"
    )
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            paths.append(speed.random_model(Path(folder) / "gru-1x1024", units=1024, layers=1))
        for path in paths:
            files = directory.find(path.parent if path.name == directory.NETWORK else path)
            show(f"{files.name}: characters a second, median of {speed.ROUNDS} rounds (ratio to the row alone)")
            report[files.name] = speed.measure(files, show)
    return report


def run_training(show: Callable[[str], None]) -> dict[str, Any]:
    """The figures of training."""
    import_tensorflow()
    from engine.bench import training

    return training.measure(show)


if __name__ == "__main__":
    program.run(main)
