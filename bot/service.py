"""What an operator sees: the log, a sign of health, and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.client import Textbot
from bot.settings import Service
from bot.watchdog import Watchdog

HEALTH_SECONDS = 5.0
_PAIR = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)")
_log = logging.getLogger("bot.service")


class Lines(logging.Formatter):
    """One line an event: time, level, where, then key=value pairs; or the same as JSON."""

    def __init__(self, is_json: bool) -> None:
        super().__init__()
        self._is_json = is_json

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
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
    """Log to stderr as the settings say; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(service.log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(service.log_level.upper())
    logging.getLogger("discord").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("discord.client").setLevel(logging.ERROR)  # it warns that it cannot speak; we do not want to


def health(bot: Textbot) -> dict[str, Any]:
    """Whether all is well, and what is not."""
    faults = [f"model {name} has stopped" for name, model in bot.models.items() if not model.is_running]
    faults += [f"shard {number} is not connected" for number, shard in bot.shards.items() if shard.is_closed()]
    if not bot.is_ready():
        faults.append("not connected yet")
    return {"ok": not faults, "faults": faults}


async def keep_health_file(bot: Textbot, path: Path) -> None:
    """Touch a file as long as all is well."""
    while True:
        if is_well := health(bot)["ok"]:
            try:
                path.touch()
            except OSError as error:
                _log.warning("event=no-health-file path=%s error=%r", path, error.strerror)
        await asyncio.sleep(HEALTH_SECONDS if is_well else 1.0)


async def serve_health(bot: Textbot, port: int) -> web.AppRunner:
    """Answer GET /health on 127.0.0.1. Raises `OSError` where the port is taken."""

    async def answer(request: web.Request) -> web.Response:
        state = health(bot)
        return web.json_response(state, status=200 if state["ok"] else 503)

    app = web.Application()
    app.router.add_get("/health", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def serve_metrics(bot: Textbot, watchdog: Watchdog, port: int) -> None:
    """Answer GET /metrics on 127.0.0.1. Raises `ImportError` without the library, `OSError` where the port is taken."""
    from prometheus_client import REGISTRY, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

    class Collector:
        def collect(self) -> Iterable[Metric]:
            line, models = bot.scribe.line, bot.models.values()
            yield GaugeMetricFamily("textbot_replies_running", "replies being written", line.running)
            yield GaugeMetricFamily("textbot_replies_waiting", "requests in line", line.waiting)
            yield GaugeMetricFamily("textbot_guilds", "servers", len(bot.guilds))
            yield GaugeMetricFamily("textbot_loop_worst_seconds", "longest hold-up of the event loop", watchdog.worst)
            yield CounterMetricFamily("textbot_replies", "replies written", bot.num_replies)
            tokens = sum(model.activity().tokens for model in models)
            yield CounterMetricFamily("textbot_tokens", "tokens written", tokens)
            yield CounterMetricFamily("textbot_rate_limited", "answers with status 429", bot.rates.refusals)
            yield CounterMetricFamily("textbot_loop_blocked", "hold-ups of the event loop", watchdog.count)

    REGISTRY.register(Collector())
    start_http_server(port, addr="127.0.0.1")
