"""A real pseudo-terminal with `textrepl` in it, and the screen that a person would see."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence

import pexpect
import pyte


class Screen:
    """A real terminal, as a person sees it."""

    def __init__(self, columns: int, *arguments: str, **environment: str) -> None:
        self._screen, self._columns = pyte.Screen(columns, 30), columns
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        """All that came."""
        program, *words = self.command(arguments)
        self.child = pexpect.spawn(
            program, words, dimensions=(30, columns), timeout=30,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )  # fmt: skip

    def command(self, arguments: Sequence[str]) -> list[str]:
        """What runs in it."""
        return [sys.executable, "-m", "repl", *arguments]

    @property
    def text(self) -> str:
        """What it shows now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, is_there: Callable[[str], bool], seconds: float = 15) -> str:
        """Read until the screen shows it."""
        self._screen.write_process_input = self.child.send  # it answers where the cursor is, as terminals do
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
                data = self.child.read_nonblocking(65536, timeout=0.1)
                self.raw += data
                self._stream.feed(data)
            text = self.text
            if is_there(text):
                return text
        raise AssertionError(f"the screen shows\n{text}")

    def paste(self, text: str) -> None:
        """As terminals paste; what comes meanwhile is read, for neither side may wait for the other."""
        data = f"\x1b[200~{text}\x1b[201~".encode()
        while data:
            data = data[os.write(self.child.child_fd, data[:1024]) :]
            with contextlib.suppress(pexpect.TIMEOUT):
                self._stream.feed(self.child.read_nonblocking(65536, timeout=0))

    def resize(self, columns: int, lines: int = 30) -> None:
        """As when a person drags the window's edge."""
        self._screen.resize(lines, columns)
        self.child.setwinsize(lines, columns)

    def hang_up(self) -> None:
        """As when a person closes the window: the kernel sends SIGHUP, many a terminal another; until it has ended."""
        self.child.ptyproc.fileobj.close()
        while os.waitpid(self.child.pid, os.WNOHANG) == (0, 0):
            os.kill(self.child.pid, signal.SIGHUP)
            time.sleep(0.02)

    def close(self) -> int:
        """Leave with Ctrl-D; returns the exit status."""
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.child.close()
        return int(self.child.exitstatus)


class Shell(Screen):
    """A real terminal with a shell in it, in which people start, suspend and fetch back what they run."""

    def command(self, arguments: Sequence[str]) -> list[str]:
        """An interactive shell, with job control."""
        return ["bash", "--norc", "--noprofile", "-i"]

    def run(self, *arguments: str, before: str = "", after: str = "") -> None:
        """Type a command that starts `textrepl` with these arguments."""
        words = shlex.join([sys.executable, "-m", "repl", *arguments])
        self.child.send(f"{before}{words}{after}\r")


def shows(*words: str) -> Callable[[str], bool]:
    """Whether all of these are shown."""
    return lambda text: all(word in text for word in words)


def settled(pattern: str) -> Callable[[str], bool]:
    """Whether that is shown, and nothing goes on any more."""
    return lambda text: bool(re.search(pattern, text)) and not re.search("writing|working|loading", text)
