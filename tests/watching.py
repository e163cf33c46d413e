"""A program in an empty home, watched from below: which addresses it asks for, and which files are left of it.

Children and threads are watched, too, in whatever language they do it. The addresses need strace; what is left in the
home is seen without it.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CALLS = "%network,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mknodat"
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
RESOLVER = re.compile(r'sun_path="([^"]*(?:resolve|avahi|dbus)[^"]*)"')
MAKES = re.compile(r"O_CREAT|O_TRUNC|\b(?:creat|mkdir|mkdirat|mknodat|rename\w*|link|linkat|symlink\w*)\(")
PATH = re.compile(r'"(/[^"]*)"')
SYSTEM = Path("/var/cache/fontconfig")  # the machine's own list of its fonts, which root brings up to date


@functools.cache
def can_trace() -> bool:
    """Whether strace is there and may watch a child."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0


class Watched:
    """The home of one program and its folder to work in; `command` is what it is to be run by."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work, self._log = folder / "home", folder / "work", folder / "calls"
        self.temporary = self.work / "tmp"
        self.home.mkdir(parents=True)
        self.temporary.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.temporary), "LANG": "C.UTF-8",
            "TERM": "xterm", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def command(self, *words: str) -> list[str]:
        """With -D strace stands aside: signals, standard streams and the exit status are the program's own."""
        if not can_trace():
            return list(words)
        return ["strace", "-D", "-f", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(self._log), *words]

    def run(self, *words: str) -> str:
        """Run it to its end in its folder; returns what it said. Raises `AssertionError` if it could not."""
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            cwd=self.work, env=self.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _calls(self) -> list[str]:
        """What strace has noted, once it has noted the end of all."""
        until = time.monotonic() + 10
        while not re.search(r"\+\+\+ (exited|killed).*\n\Z", text := self._log.read_text(errors="replace")):
            assert time.monotonic() < until, f"strace never ended: {text[-400:]}"
            time.sleep(0.05)
        return text.splitlines()

    def asked(self) -> set[str]:
        """The addresses that are not this machine's, and whom it asked for a name's address."""
        found: set[str] = set()
        for call in self._calls():
            for port, address in ADDRESS.findall(call):
                if port == "53" or not ipaddress.ip_address(address).is_loopback:
                    found.add(f"{address} port {port}")
            found.update(RESOLVER.findall(call))
        return found

    def left(self) -> set[str]:
        """What is there now of it outside its working folder and the folders of ours in its home."""
        found = {path for path in self.home.rglob("*") if not _is_ours(path, self.home)} | {*self.temporary.iterdir()}
        if can_trace():
            calls = [call for call in self._calls() if MAKES.search(call) and " = -1 " not in call]
            made = {Path(name) for call in calls for name in PATH.findall(call)} - {SYSTEM, *self.home.parents}
            elsewhere = {
                path for path in made if not path.is_relative_to(self.work.parent) and SYSTEM not in path.parents
            }
            found |= {path for path in elsewhere if path.is_file() or path.is_dir()}  # there still, and no device
        return {str(path) for path in found}


def _is_ours(path: Path, home: Path) -> bool:
    """In a folder of ours, or a folder that leads to one."""
    return "textrepl" in path.relative_to(home).parts or (path.is_dir() and any(path.rglob("textrepl")))
