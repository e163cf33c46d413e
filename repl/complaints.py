"""Writes messages to stderr: single lines without control characters, which never stop a text."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO

import engine


def complain(message: str, stderr: TextIO | None) -> None:
    """Say something on stderr; where nothing can be said there, do without."""
    if stderr is None:
        return
    try:
        stderr.write(f"textrepl: {engine.visible(message)}\n")
        stderr.flush()
    except (OSError, ValueError):  # a full disk behind it; else what is left would be tried again at the end, and fail
        give_up(stderr)


def give_up(stream: TextIO) -> None:
    """Have what is still to be written to a stream go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
