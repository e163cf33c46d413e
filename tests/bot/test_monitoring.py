"""The log, the health and the metrics."""

from __future__ import annotations

import json
import logging
import sys
import urllib.request
from pathlib import Path

import pytest

from bot.monitoring import Lines
from tests.bot.reading import written
from tests.bot.running import TOKEN, Bot, free_port, until
from tests.local_discord import LocalDiscord


def record(message: str, *values: object, fault: bool = False) -> logging.LogRecord:
    """An event of the log, with an exception if it was a fault."""
    try:
        1 // (not fault)
    except ZeroDivisionError:
        return logging.LogRecord("bot.x", logging.ERROR, "x.py", 1, message, values, sys.exc_info())
    return logging.LogRecord("bot.x", logging.INFO, "x.py", 1, message, values, None)


def test_an_event_is_one_line() -> None:
    assert Lines(False).format(record("event=a reason=%r", "b\nc")).endswith(r" info bot.x event=a reason='b\nc'")
    line = Lines(False).format(record("event=a", fault=True))
    assert "\n" not in line
    assert "ZeroDivisionError" in line


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("event=a seconds=1.50 reason='b c'", {"event": "a", "seconds": "1.50", "reason": "b c"}),
        ("words of a library", {"message": "words of a library"}),
    ],
)
def test_an_event_as_json_has_its_pairs(message: str, body: dict[str, str]) -> None:
    made = json.loads(Lines(True).format(record(message)))
    assert made.pop("time")
    assert made == {"level": "info", "logger": "bot.x", **body}


def test_health_and_metrics(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    ports = free_port(), free_port()
    service = {
        "health_port": ports[0], "metrics_port": ports[1], "health_file": str(folder / "alive"), "log_format": "json",
    }  # fmt: skip
    bot = Bot(discord, folder, {"service": service})
    with bot:
        discord.wait_ready()
        discord.wait_command("continue")

        def healthy() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/health", timeout=5) as answer:
                    return bool(json.load(answer)["ok"])
            except OSError:
                return False

        until(healthy)
        written(guild.add_member("Anna").slash(guild.add_channel("s"), "continue", text="secret words", length=10))

        def metrics() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=5) as answer:
                return str(answer.read().decode())

        until(lambda: "textbot_replies_total 1.0" in metrics())
        assert "textbot_tokens_total 10.0" in metrics()
        until(lambda: (folder / "alive").exists())
    events = [json.loads(line) for line in bot.log if line.startswith("{")]
    assert {"ready", "reply", "ending"} <= {event.get("event") for event in events}
    assert not any("secret words" in line for line in bot.log)
    assert not any(TOKEN in line for line in bot.log)
