"""How programs start and fail: an early Ctrl-C ends them quietly with exit code 130, and a failure takes one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.program import interrupts_held


@pytest.mark.parametrize(
    "program",
    [
        "engine.evaluate --data x.txt", "engine.adopt x.keras --data x.txt", "engine.bench", "engine.bench.simulate",
        "engine.train --data x.txt --out x", "engine.bench.kneser_ney --data x.txt",
    ],
)  # fmt: skip
def test_an_early_interrupt_is_quiet(program: str, tmp_path: Path) -> None:
    """Each import is told on stderr, so that the signal comes just after the first one, with many still to come."""
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", *program.split()],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.split()[-1] == "argparse":
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert "Traceback" not in rest
    assert process.returncode == 130


def test_an_interrupt_is_held_until_all_is_imported() -> None:
    done = []

    def imported() -> None:
        with interrupts_held():
            signal.raise_signal(signal.SIGINT)
            done.append("imported")

    with pytest.raises(KeyboardInterrupt):
        imported()
    assert done == ["imported"]
    with pytest.raises(ImportError), interrupts_held():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_leaves_nothing_of_a_text_behind(tmp_path: Path) -> None:
    """The text is kept in a temporary folder while it is read; here it never ends."""
    command = [sys.executable, "-m", "engine.evaluate", "--data", "-"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        process.stdin.write(b"some text\n" * 1000)
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(tmp_path.iterdir())
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdin.close()
    assert process.returncode == 130
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("redirected", "told"),
    [
        ("", "me: \ufffd[31mno\n"), (">&-", "me: \ufffd[31mno\n"), ("> /dev/full", "me: \ufffd[31mno\n"),
        ("2>&-", ""), ("2> /dev/full", ""), ("> /dev/full 2>&1", ""), (">&- 2>&-", ""),
    ],
)  # fmt: skip
def test_a_failure_is_one_line_that_acts_on_no_terminal(redirected: str, told: str) -> None:
    """What is left in the buffer of stdout, which may be full or closed, is given up."""
    code = "from engine.program import fail; print('half'); raise SystemExit(fail('me', '\x1b[31mno'))"
    command = ["bash", "-c", f'"$@" {redirected}', "bash", sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, env=environment, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
