"""How long a program takes from its start to its first character. Part of `python -m engine.bench`. Knows no engine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from engine.errors import EngineError

STARTS = 7
PROMPT = "ROMEO:"


def measure(model: str | None) -> dict[str, float]:
    """From the start of a process to its first written character, in seconds, and its peak memory.

    Raises `EngineError` with what the process said if it could not write.
    """
    command = [sys.executable, "-m", "repl", *([model] if model else []), "--prompt", PROMPT, "--length", "200"]
    seconds, megabytes = [], []
    for _ in range(STARTS):
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(1)
            seconds.append(time.perf_counter() - started)
            process.stdout.read()
            said = process.stderr.read()
            _, process.returncode, usage = os.wait4(process.pid, 0)
        if process.returncode:
            raise EngineError(said.strip().removeprefix("textrepl: "))
        megabytes.append(usage.ru_maxrss / 1024)
    return {
        "seconds_median": statistics.median(seconds),
        "seconds_max": max(seconds),
        "peak_megabytes": max(megabytes),
    }
