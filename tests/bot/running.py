"""The bot as its users run it: a process of its own, here beside a local Discord."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.local_discord import LocalDiscord

ROOT = Path(__file__).parents[2]
TOKEN = "a.local.token"


def toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of plain values as TOML."""

    def value(one: Any) -> str:
        if isinstance(one, bool):
            return str(one).lower()
        if isinstance(one, list | tuple):
            return f"[{', '.join(map(value, one))}]"
        return f'"{one}"' if isinstance(one, str) else str(one)

    return "\n".join(
        f"[{name}]\n" + "\n".join(f"{key} = {value(one)}" for key, one in keys.items()) for name, keys in tables.items()
    )


class Bot:
    """`python -m bot` with a configuration in a folder; `log` is what it has said so far."""

    def __init__(
        self,
        discord: LocalDiscord,
        folder: Path,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        name: str = "textbot",
        arguments: Sequence[str] = (),
        before: Sequence[str] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.path, self.log = folder / f"{name}.toml", list[str]()
        given = {table: dict(keys) for table, keys in (settings or {}).items()}
        given.setdefault("discord", {})["api_url"] = discord.api_url
        given.setdefault("store", {}).setdefault("url", f"sqlite:///{folder}/stories.db")
        given.setdefault("engine", {}).setdefault("models", ["shakespeare"])  # whose tokens are characters
        given["writing"] = {"end": "any"} | given.get("writing", {})
        limits = {"member_seconds": 0.0, "channel_seconds": 0.0}
        given["limits"] = limits | given.get("limits", {})
        self.path.write_text(toml(given), encoding="utf-8")
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "bot", "--config", str(self.path), *arguments], text=True, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**environment, "DISCORD_TOKEN": TOKEN},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip())

    def kill(self) -> None:
        """As `kill -9` does."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """As systemd does; returns the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(15)
        self._reader.join(5)
        return code

    @property
    def resident_megabytes(self) -> float:
        """The memory that it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def complaints(self) -> list[str]:
        """What it has logged that no operator should see."""
        return [line for line in self.log if " error " in line or "Traceback" in line]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.terminate()
        assert self.process.stdout is not None
        self.process.stdout.close()


def started(discord: LocalDiscord, folder: Path, settings: Mapping[str, Any] | None = None, **more: Any) -> Bot:
    """A bot that is ready."""
    number = len([event for event in discord.gateway_log if event.what == "ready"])
    bot = Bot(discord, folder, settings, **more)
    try:
        discord.wait_gateway("ready", number + 1, timeout=20)
        discord.wait_command("continue")
        until(lambda: any("event=ready" in line for line in bot.log))
    except TimeoutError:
        bot.kill()
        pytest.fail("\n".join(bot.log))
    return bot


def until(look: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait for something to be true."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])
