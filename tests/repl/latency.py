"""How soon the terminal answers: python -m tests.repl.latency (make bench-repl). The last line is JSON.

Everything is measured in a real pseudo-terminal on the bundled model, from the byte that a key sends to the bytes that
show what came of it: the prompt after the start, the first character after Enter, Ctrl-C, a key's echo while a reply
streams, and at rest with and without suggestions. A tiny network that writes faster than anybody reads shows how much
the screen takes, and whether anything is erased on it that is not drawn again in the same update.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import select
import signal
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pexpect
import pyte

STARTS, REPLIES, STOPS, WALKS, KEYS = 7, 24, 15, 8, 60
MARKS = "&$"  # characters that the model knows and hardly ever writes
COLUMNS, LINES = 100, 30
SECONDS = 20.0  # until something must have been shown
CODE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
UPDATE = re.compile(rb"\x1b\[\?2026h.*?\x1b\[\?2026l", re.DOTALL)


class Program:
    """A program in a pseudo-terminal; what it shows is read as soon as it comes."""

    def __init__(self, home: Path, *arguments: str, module: str = "repl") -> None:
        homes = {f"XDG_{kind}_HOME": str(home) for kind in ("STATE", "DATA", "CONFIG")}
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.started = time.perf_counter()
        self.child = pexpect.spawn(
            sys.executable, ["-m", module, *arguments], dimensions=(LINES, COLUMNS),
            env={**os.environ, "TERM": "xterm-256color", **homes},
        )  # fmt: skip

    def send(self, keys: str) -> float:
        """Press keys; returns when."""
        now = time.perf_counter()
        os.write(self.child.child_fd, keys.encode())
        return now

    def until(self, is_there: Callable[[bytes], bool]) -> float:
        """Read until that is true of all bytes from now on; returns when the last of them came."""
        data, deadline = b"", time.perf_counter() + SECONDS
        while time.perf_counter() < deadline:
            if select.select([self.child.child_fd], [], [], 0.2)[0]:
                more = os.read(self.child.child_fd, 65536)
                now = time.perf_counter()
                data += more
                if is_there(data):
                    return now
        raise SystemExit(f"the terminal did not answer within {SECONDS:g} s; it showed {data[-400:]!r}")

    def until_drawn(self, is_there: Callable[[list[str]], bool]) -> float:
        """Read until that is true of the screen's rows; returns when the last bytes came."""
        fed = 0

        def is_drawn(data: bytes) -> bool:
            nonlocal fed
            self._stream.feed(data[fed:])
            fed = len(data)
            return is_there([row.rstrip() for row in self.screen.display])

        return self.until(is_drawn)

    def rest(self, seconds: float) -> bytes:
        """Read and draw what comes within a time."""
        data, deadline = b"", time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if select.select([self.child.child_fd], [], [], left)[0]:
                more = os.read(self.child.child_fd, 65536)
                self._stream.feed(more)
                data += more
        return data

    def echo(self, mark: str) -> float:
        """Press a key that nothing else shows; returns the milliseconds until it is on the screen."""
        pressed = self.send(mark)
        return 1000 * (self.until(lambda data: mark.encode() in CODE.sub(b"", data)) - pressed)


@contextmanager
def program(*arguments: str, config: str = "", module: str = "repl") -> Iterator[Program]:
    """A program with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        if config:
            (Path(home) / "textrepl").mkdir()
            (Path(home) / "textrepl" / "config.toml").write_text(config)
        made = Program(Path(home), *arguments, module=module)
        try:
            yield made
        finally:
            made.child.ptyproc.fileobj.close()
            os.kill(made.child.pid, signal.SIGKILL)
            os.waitpid(made.child.pid, 0)


def main() -> int:
    """Measure and print."""
    report: dict[str, Any] = {}
    for act in (starts, replies, stops, streaming, resting, walking, throughput):
        for name, values in act().items():
            report[name] = values if isinstance(values, int | float) else summary(values)
            shown = f"{values:,.1f}" if isinstance(values, int | float) else in_words(report[name])
            print(f"{name.replace('_', ' ')}: {shown}", flush=True)
    difference = report["echo_with_suggestions_ms"]["median"] - report["echo_without_ms"]["median"]
    report["added_by_suggestions_ms"] = round(difference, 2)
    print(f"added by suggestions, difference of the medians: {difference:.1f} ms")
    print(json.dumps(report))
    return 0


def summary(values: list[float]) -> dict[str, float]:
    """Median, 95th of 100, worst and number."""
    ordered = sorted(values)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {
        "median": round(statistics.median(values), 2), "high": round(high, 2), "worst": round(ordered[-1], 2),
        "n": len(values),
    }  # fmt: skip


def in_words(figures: dict[str, float]) -> str:
    return "median {median:.1f}, 95th {high:.1f}, worst {worst:.1f} of {n}".format(**figures)


def starts() -> dict[str, list[float]]:
    """From the start to the prompt, and to the first words after a line that was typed at once."""
    prompts, words = [], []
    for _ in range(STARTS):
        with program("--seed", "7", "--length", "20") as one:
            prompts.append(1000 * (one.until_drawn(lambda rows: ">" in rows) - one.started))
            one.send("I w\r")
            words.append(1000 * (one.until_drawn(partial(has_reply, line="I w")) - one.started))
    return {"start_to_prompt_ms": prompts, "start_to_first_words_ms": words}


def replies() -> dict[str, list[float]]:
    """From Enter to the first character of the reply."""
    times = []
    with program("--seed", "7", "--length", "60") as one:
        one.until_drawn(is_ready)
        for letter in string.ascii_letters[:REPLIES]:  # no two lines are the same
            one.send(f"{letter} I w")
            one.rest(random.uniform(0.2, 0.9))  # with a suggestion, or while it is asked for, or before
            pressed = one.send("\r")
            times.append(1000 * (one.until_drawn(partial(has_reply, line=f"{letter} I w")) - pressed))
            one.until_drawn(is_ready)
            one.send("/new\r")
            one.until_drawn(lambda rows: any("main:0" in row for row in rows))
    return {"enter_to_first_character_ms": times}


def stops() -> dict[str, list[float]]:
    """From Ctrl-C to the prompt: the word that it has stopped, and no reply any more."""
    times = []
    with program("--seed", "7", "--length", "1000000000") as one:
        one.until_drawn(is_ready)
        for _ in range(STOPS):
            one.send("I w\r")
            one.until_drawn(lambda rows: any("writing" in row for row in rows))
            one.rest(random.uniform(0.3, 1.0))
            times.append(1000 * (-one.send("\x03") + one.until_drawn(is_stopped)))
            one.send("\x0c")  # clears the screen
            one.until_drawn(is_ready)  # it is kept now, too
    return {"ctrl_c_to_prompt_ms": times}


def streaming() -> dict[str, list[float]]:
    """A key's echo while a reply streams."""
    with program("--seed", "7", "--length", "1000000000") as one:
        one.until_drawn(is_ready)
        one.send("I w\r")
        one.rest(1.0)
        return {"echo_while_streaming_ms": type_marks(one, KEYS, (0.02, 0.15))}


def resting() -> dict[str, list[float]]:
    """A key's echo at rest, typed fast and with pauses in which suggestions come, with suggestions and without."""
    times: dict[str, list[float]] = {"with_suggestions": [], "without": []}
    with program("--seed", "7") as suggesting, program("--seed", "7", config="[terminal]\nghost = false\n") as plain:
        for one in (suggesting, plain):
            one.until_drawn(is_ready)
        for _ in range(6):  # in turns, for the machine changes its mind
            for name, one in (("with_suggestions", suggesting), ("without", plain)):
                one.send("\x15I w")
                one.rest(0.1)
                times[name] += type_marks(one, 10, (0.05, 0.12)) + type_marks(one, 8, (0.4, 0.6))
    return {f"echo_{name}_ms": values for name, values in times.items()}


def walking() -> dict[str, list[float]]:
    """A walk over a reply of some 1,000 characters: from Alt-W to its picture, and from a key to what it moves."""
    opened, keys = [], []
    with program("--seed", "7", "--length", "330", "--end", "any") as one:
        one.until_drawn(is_ready)
        one.send("I w\r")
        one.until_drawn(partial(has_reply, line="I w"))
        one.until_drawn(is_ready)
        for _ in range(WALKS):
            one.rest(0.3)
            opened.append(1000 * (-one.send("\x1bw") + one.until_drawn(partial(is_at, token=330))))
            for token in range(329, 320, -1):
                one.rest(0.05)
                keys.append(1000 * (-one.send("\x1b[D") + one.until_drawn(partial(is_at, token=token))))
            one.send("q")
            one.until_drawn(is_ready)
    return {"walk_opened_ms": opened, "walk_key_ms": keys}


def is_at(rows: list[str], token: int) -> bool:
    """Whether a walk is at that token."""
    return any(row.startswith(f"token {token} ") for row in rows)


def throughput() -> dict[str, float | list[float]]:
    """A network faster than anybody reads: what arrives, in how many updates, and what is erased outside of one."""
    with program(module="tests.repl.terminal.fast_network") as one:
        one.rest(1.5)
        one.send("abc\r")
        one.rest(0.5)
        data = one.rest(3.0)
        echoes = type_marks(one, KEYS // 2, (0.02, 0.15))
    text, outside = CODE.sub(b"", data), UPDATE.sub(b"", data[data.index(b"\x1b[?2026h") :])
    return {
        "fast_network_characters_a_second": len(text) / 3,
        "fast_network_bytes_a_second": len(data) / 3,
        "fast_network_updates_a_second": len(UPDATE.findall(data)) / 3,
        "erased_outside_an_update": float(len(re.findall(rb"\x1b\[[0-3]?J", outside))),
        "echo_fast_network_ms": echoes,
    }


def type_marks(one: Program, number: int, pause: tuple[float, float]) -> list[float]:
    """Press that many keys with pauses of so many seconds; the milliseconds until the echo of each."""
    times = []
    for count in range(number):
        one.rest(random.uniform(*pause))
        times.append(one.echo(MARKS[count % len(MARKS)]))
    return times


def is_stopped(rows: list[str]) -> bool:
    """Whether it says that it has stopped, above an empty prompt."""
    return any(row.startswith("(stopped") and below == ">" for row, below in itertools.pairwise(rows))


def is_ready(rows: list[str]) -> bool:
    """Whether the toolbar shows the settings: nothing goes on."""
    return any("temperature 0.8" in row for row in rows)


def has_reply(rows: list[str], line: str) -> bool:
    """Whether something stands under that line, which was entered."""
    found = [index for index, row in enumerate(rows[:-1]) if row == f"> {line}"]
    below = rows[found[-1] + 1] if found else ""
    return bool(below) and not below.startswith((">", " ")) and below != f"{line} ..."


if __name__ == "__main__":
    sys.exit(main())
