"""How our programs start, fail and end: Ctrl-C from the first moment, quiet imports, one line when they fail.

A program imports this first and calls `begin` before its other imports; after them, `run` runs its `main`. Knows no
model.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from engine.names import visible
from engine.private import own_folders

if TYPE_CHECKING:
    import argparse


def begin() -> None:
    """Let Ctrl-C end the process quietly, with exit code 130, until `run`: few imports survive an exception."""
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))


def run(main: Callable[[], int]) -> NoReturn:
    """Run a program whose imports are done. From here on Ctrl-C is an exception; unhandled, it exits with code 130."""
    import argparse  # noqa: F401  # the last one, which `parser` needs

    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, also where Ctrl-C comes just as it is made, which leaves that of `tempfile`."""
    folder = Path(tempfile.gettempdir()) / f"textrepl-{os.urandom(8).hex()}"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; show it only if an error is raised.

    TensorFlow's first messages come from C++ before its own logging can be told to be silent.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(saved, kept.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C until the end of the block: few imports of libraries survive an exception."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        signal.raise_signal(signal.SIGINT)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras and look for GPUs, silently. Raises `ImportError` if they are not installed."""
    with interrupts_held(), quiet_stderr(), own_folders():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")


def parser(*, help_page: str | None = None, **given: Any) -> argparse.ArgumentParser:
    """A parser whose messages are safe on a terminal, whatever the command line had in it.

    A `help_page` written by hand is shown in place of the one that argparse makes.
    """
    import argparse  # not before `begin`

    class Parser(argparse.ArgumentParser):
        def format_help(self) -> str:
            return super().format_help() if help_page is None else help_page

        def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
            super().exit(status, visible(message) if message else None)

    return Parser(**given)


def fail(program: str, message: str) -> int:
    """Print one line to stderr and return exit code 1. Nothing more goes to stdout, nor what is flushed at exit."""
    say(program, message)
    give_up(sys.stdout)
    return 1


def say(program: str, message: str) -> None:
    """One line to stderr; if it cannot be written, do without."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{program}: {visible(message)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # what is left of it would be tried again at exit, and fail
        give_up(sys.stderr)


def give_up(stream: TextIO | None) -> None:
    """Have what is still to be written to a stream go nowhere."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
