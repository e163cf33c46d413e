"""Shows how much of a long prompt the network has read: a line on stderr if that is a terminal, removed at the end."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

SHOW_AFTER = 1.0  # seconds
LOOK_SECONDS = 0.25  # between two looks at how far it is


@contextlib.contextmanager
def reading_shown(share: Callable[[], float], characters: int, stderr: TextIO | None) -> Iterator[None]:
    """Show meanwhile, until `share` is 1, how much of so many `characters` has been read."""
    if stderr is None or not stderr.isatty():
        yield
        return
    is_over = threading.Event()
    showing = threading.Thread(target=_show, args=(share, characters, stderr, is_over), daemon=True)
    showing.start()
    try:
        yield
    finally:
        is_over.set()
        showing.join()


def _show(share: Callable[[], float], characters: int, stderr: TextIO, is_over: threading.Event) -> None:
    began, width = time.monotonic(), 0
    is_over.wait(SHOW_AFTER)
    with contextlib.suppress(OSError, ValueError):
        while not is_over.is_set() and (done := share()) < 1:
            speed = characters * done / (time.monotonic() - began)
            line = f"reading {characters:,} characters: {100 * done:.0f} %, {speed:,.0f} a second"
            line = line[: shutil.get_terminal_size().columns - 1]
            stderr.write("\r" + line.ljust(width))
            stderr.flush()
            width = max(width, len(line))
            is_over.wait(LOOK_SECONDS)
        if width:
            stderr.write("\r" + " " * width + "\r")
            stderr.flush()
