"""What an operator sees: the log, the health of the bot, and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from bot.client import Textbot
from bot.settings import Service
from bot.watchdog import Watchdog

HEALTH_SECONDS = 5.0
_PAIR = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)")
_log = logging.getLogger(__name__)


class Lines(logging.Formatter):
    """Formats each event as one line: time, level, logger and key=value pairs, or all of that as JSON."""

    def __init__(self, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        """The line of an event."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        message = " ".join(record.getMessage().split("\n"))
        if record.exc_info:
            message += f" exception={self.formatException(record.exc_info)!r}"
        if not self._is_json:
            return f"{when} {record.levelname.lower()} {record.name} {message}"
        pairs = {key: value.strip("'\"") for key, value in _PAIR.findall(message)}
        body = pairs or {"message": message}
        return json.dumps({"time": when, "level": record.levelname.lower(), "logger": record.name, **body})


def set_up_log(service: Service) -> None:
    """Log to stderr as the settings say. A second call takes on other settings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(service.log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(service.log_level.upper())
    logging.getLogger("discord").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("discord.client").setLevel(logging.ERROR)  # it warns that voice is not supported


def health(bot: Textbot) -> dict[str, Any]:
    """Whether the bot is well (`ok`), and what is wrong (`faults`)."""
    faults = [f"model {name} has stopped" for name, model in bot.models.items() if not model.is_running]
    faults += [f"shard {number} is not connected" for number, shard in bot.shards.items() if shard.is_closed()]
    if not bot.is_ready():
        faults.append("not connected yet")
    return {"ok": not faults, "faults": faults}


async def keep_health_file(bot: Textbot, path: Path) -> None:
    """Touch a file every few seconds while the bot is well."""
    while True:
        if is_well := health(bot)["ok"]:
            try:
                path.touch()
            except OSError as error:
                _log.warning("event=no-health-file path=%s error=%r", path, error.strerror)
        await asyncio.sleep(HEALTH_SECONDS if is_well else 1.0)


async def serve_health(bot: Textbot, port: int) -> Callable[[], Awaitable[None]]:
    """Answer GET /health on 127.0.0.1; returns what ends that. Raises `OSError` if the port is taken."""
    from aiohttp import web  # takes a while to import

    async def answer(request: web.Request) -> web.Response:
        state = health(bot)
        return web.json_response(state, status=200 if state["ok"] else 503)

    app = web.Application()
    app.router.add_get("/health", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner.cleanup


def serve_metrics(bot: Textbot, watchdog: Watchdog, port: int) -> None:
    """Answer GET /metrics on 127.0.0.1. Raises `ImportError` without the library, `OSError` if the port is taken."""
    from prometheus_client import REGISTRY, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

    class Collector:
        def collect(self) -> Iterable[Metric]:
            yield GaugeMetricFamily("textbot_replies_running", "replies being written", bot.replies.queue.running)
            yield GaugeMetricFamily("textbot_replies_waiting", "requests in line", bot.replies.queue.waiting)
            yield GaugeMetricFamily("textbot_guilds", "servers", len(bot.guilds))
            yield GaugeMetricFamily("textbot_loop_worst_seconds", "longest hold-up of the event loop", watchdog.worst)
            yield CounterMetricFamily("textbot_replies", "replies written", bot.statistics.num_replies)
            yield CounterMetricFamily("textbot_tokens", "tokens written", bot.statistics.num_tokens)
            yield CounterMetricFamily("textbot_rate_limited", "answers with status 429", bot.rates.refusals)
            yield CounterMetricFamily("textbot_loop_blocked", "hold-ups of the event loop", watchdog.count)

    REGISTRY.register(Collector())
    start_http_server(port, addr="127.0.0.1")
