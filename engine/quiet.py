"""What programs say on stderr: nothing of TensorFlow's at its import, one line when they fail."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from engine.names import visible
from engine.private import own_folders


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what is written to file descriptor 2 meanwhile; show it only if an error is raised.

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
    """Hold Ctrl-C back meanwhile and let it through after: few imports of libraries survive an exception."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras and look for GPUs, silently. Raises `ImportError` if they are not installed."""
    with interrupts_held(), quiet_stderr(), own_folders():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")


class Parser(argparse.ArgumentParser):
    """A parser whose messages act on no terminal, whatever stood on the command line."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        super().exit(status, visible(message) if message else None)


def fail(program: str, message: str) -> int:
    """One line to stderr, and exit code 1. Stdout is given up, so that nothing is flushed into it at exit."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{program}: {visible(message)}\n")
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
