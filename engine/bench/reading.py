"""Measures how fast text becomes tokens: python -m engine.bench.reading FILE... [--megabytes N]

The files are repeated in a temporary file until it has N megabytes. Each level reads it in a process of its own, whose
time, processor time and peak memory are printed. Knows no network. The last line is JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engine import program
from engine.errors import EngineError
from engine.program import fail
from engine.train.data.corpus import read_corpus
from engine.train.settings import TrainSettings

LEVELS = ("char", "word")
HELD_OUT, STEPS = 0.1, 128


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(prog="python -m engine.bench.reading", description="Measure the reading.")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="text to read, again and again")
    parser.add_argument("--megabytes", type=int, default=2000, metavar="N", help="how much of it (2000)")
    parser.add_argument("--level", choices=LEVELS, help="read the first file once, at this level")
    arguments = parser.parse_args(argv)
    try:
        report = read(arguments.files[0], arguments.level) if arguments.level else compare(**vars(arguments))
        print(json.dumps(report), flush=True)
    except EngineError as error:
        return fail("engine.bench.reading", str(error))
    except OSError as error:
        return fail("engine.bench.reading", f"{error.filename or 'stdout'}: {error.strerror}")
    except subprocess.CalledProcessError:  # has said why
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def compare(files: Sequence[Path], megabytes: int, level: None = None) -> dict[str, dict[str, float]]:
    """The figures of each level."""
    report = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        once = b"".join(file.read_bytes() for file in files)
        with path.open("wb") as file:
            while once and file.tell() < megabytes * 1_000_000:
                file.write(once)
        for level_read in LEVELS:
            command = [sys.executable, "-m", "engine.bench.reading", str(path), "--level", level_read]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            report[level_read] = figures = json.loads(output)
            print(f"{level_read}: {', '.join(f'{name} {value:,}' for name, value in figures.items())}")
    return report


def read(path: Path, level: str) -> dict[str, float]:
    """Read a file once, without earlier token files."""
    started, used = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        read_corpus([path], HELD_OUT, STEPS, TrainSettings(level=level), folder=Path(folder))
    seconds, used = time.perf_counter() - started, time.process_time() - used
    megabytes = path.stat().st_size / 1e6
    return {
        "megabytes": round(megabytes, 1),
        "megabytes_a_second": round(megabytes / seconds, 1),
        "megabytes_a_processor_second": round(megabytes / used, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    sys.exit(main())
