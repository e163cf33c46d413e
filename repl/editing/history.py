"""The lines that were typed, in all sessions."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

import platformdirs
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

import engine
from engine.program import say


class SafeHistory(FileHistory):
    """A history that goes on without the disk where that is full or read-only."""

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(engine.decoded(string))


def open_history() -> History:
    """The lines of all sessions, in the platform's folder for a user's state; in memory if that fails."""
    path = Path(platformdirs.user_state_dir("textrepl")) / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)  # do not wait for a pipe
        descriptor = os.open(path, flags, 0o600)  # for its owner alone
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        os.close(descriptor)
        if not is_file:  # reading a pipe or a device might never end
            raise OSError(errno.EINVAL, "is no file")
    except OSError as error:
        say("textrepl", f"your lines will not be remembered: {path}: {error.strerror}")
        return InMemoryHistory()
    return SafeHistory(str(path))
