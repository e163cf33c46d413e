"""Writes messages to stderr: single lines without control characters, which never stop a text."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO

import engine


def complain(message: str, stderr: TextIO | None) -> None:
    """Write a line to stderr; if it takes none, do without."""
    if stderr is None:
        return
    try:
        stderr.write(f"textrepl: {engine.visible(message)}\n")
        stderr.flush()
    except (OSError, ValueError):  # a full disk, for one; what is left would be tried again at exit, and fail
        give_up(stderr)


def give_up(stream: TextIO) -> None:
    """Discard what is still to be written to a stream."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
