"""The lines that were typed, over all sittings."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import platformdirs
from prompt_toolkit.history import FileHistory, History, InMemoryHistory


class SafeHistory(FileHistory):
    """A history that a full or read-only disk cannot end a session with."""

    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):
            super().store_string(string)


def open_history() -> History:
    """The lines of all sessions, in the platform's folder for a user's state; in memory if that fails."""
    path = Path(platformdirs.user_state_dir("textrepl")) / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # what one writes is one's own
        os.close(descriptor)
    except OSError as error:
        sys.stderr.write(f"textrepl: your lines will not be remembered: {path}: {error.strerror}\n")
        return InMemoryHistory()
    return SafeHistory(str(path))
