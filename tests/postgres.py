"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Server:
    url: str
    start_command: list[str]
    stop_command: list[str]

    def start(self) -> None:
        subprocess.run(self.start_command, check=True, capture_output=True)

    def stop(self) -> None:
        subprocess.run(self.stop_command, check=True, capture_output=True)


def start_postgres() -> Iterator[Server]:
    """A server of its own on a socket in a folder of its own, without passwords, gone when the tests are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else "")
    if not initdb:
        pytest.skip("PostgreSQL's server is not installed")
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:  # short: a socket's path is
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = f"{folder}/data"
        subprocess.run([*as_user, initdb, "-D", data, "-A", "trust", "-U", "writer"], check=True, capture_output=True)
        options = f"-c listen_addresses= -k {folder} -c fsync=off"
        control = [*as_user, str(Path(initdb).with_name("pg_ctl")), "-D", data, "-w"]
        server = Server(
            f"postgresql+psycopg://writer@/postgres?host={folder}",
            [*control, "-o", options, "-l", f"{folder}/log", "start"],
            [*control, "-m", "fast", "stop"],
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
