"""How fast the bot may talk to Discord, and how often members may ask.

`Pace` spaces the edits in a channel by what Discord answers: its headers tell how many more requests it takes, and for
how long. `Cooldown` spaces what members ask for. Both are plain objects that get the time passed in. `Rates` keeps the
paces of all channels and feeds them with Discord's answers.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Hashable
from types import SimpleNamespace
from typing import TypeVar

import aiohttp

FIRST_INTERVAL = 1.0  # seconds between edits before Discord has answered: it allows five in five seconds
MIN_INTERVAL = 0.5  # a person reads no faster
RESERVE = 1  # requests of a window that are kept for the last edit
MAX_SLOWDOWN = 8.0
MARGIN = 0.02  # seconds by which two clocks and the network may differ
MAX_KEYS = 4096  # kept in memory; the oldest are dropped
MAX_TOKENS = 2048  # interactions that are known by their tokens: more than may run and wait
OVERALL_PER_SECOND, OVERALL_BURST = 35, 10  # of the bot's fifty in any second; its other requests need some, too
_TOKEN_ROUTE = re.compile(r"/webhooks/\d+/([^/]+)/messages/")
_CHANNEL_ROUTE = re.compile(r"/channels/(\d+)/messages/\d+$")
Key = TypeVar("Key")
Value = TypeVar("Value")
_log = logging.getLogger(__name__)


class Pace:
    """When the next edit in a channel may go out."""

    def __init__(self) -> None:
        self._interval = FIRST_INTERVAL
        self._slowdown = 1.0  # grows with each refusal, shrinks with each answer
        self._last = float("-inf")  # when the last edit went out
        self._closed = float("-inf")  # until when Discord takes no edit
        self._spared = float("-inf")  # until when only the last edit of a reply may go out

    def wait(self, now: float, *, is_last: bool = False) -> float:
        """Seconds until an edit may go out; the last edit of a reply need not keep the interval."""
        if is_last:
            return max(0.0, self._closed - now)
        return max(0.0, self._closed - now, self._spared - now, self._last + self._interval * self._slowdown - now)

    def sent(self, now: float) -> None:
        """Note that an edit goes out."""
        self._last = now

    def answered(self, now: float, remaining: int, reset_after: float) -> None:
        """Note that Discord takes `remaining` more requests in the next `reset_after` seconds."""
        self._slowdown = max(1.0, self._slowdown * 0.9)
        reset_after += MARGIN
        if remaining <= 0:
            self._closed = max(self._closed, now + reset_after)
        if remaining <= RESERVE:
            self._spared = max(self._spared, now + reset_after)
        else:
            self._interval = max(MIN_INTERVAL, reset_after / (remaining - RESERVE))

    def refused(self, now: float, retry_after: float) -> None:
        """Note that Discord answered with status 429."""
        self._slowdown = min(MAX_SLOWDOWN, 2 * self._slowdown)
        self._closed = max(self._closed, now + retry_after)


class Cooldown:
    """Allows each key one request in `seconds` in the long run, and a `burst` of them at once.

    This is the generic cell rate algorithm (ITU-T I.371). A key needs only one number: the time when it has made up
    for all its requests.
    """

    def __init__(self, seconds: float, burst: int) -> None:
        self.seconds, self.burst = seconds, burst
        self._made_up: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until a request is allowed; if that is now (0), the request counts."""
        made_up = max(now, self._made_up.get(key, now))
        if (wait := made_up - now - self.seconds * (self.burst - 1)) > 0:
            return wait
        _remember(self._made_up, key, made_up + self.seconds)
        return 0.0


class Rates:
    """The paces of channels, kept up to date by what Discord answers to each request."""

    def __init__(self) -> None:
        self._channels: OrderedDict[int, Pace] = OrderedDict()
        self._tokens: OrderedDict[str, Pace] = OrderedDict()
        self._overall = Cooldown(1 / OVERALL_PER_SECOND, OVERALL_BURST)
        self.refusals = 0  # answers with status 429

    def channel(self, channel: int, token: str | None = None) -> Pace:
        """The pace of a channel. Edits through an interaction's token keep to it as well."""
        pace = self._channels.get(channel) or Pace()
        _remember(self._channels, channel, pace)
        if token is not None:
            _remember(self._tokens, token, pace, MAX_TOKENS)
        return pace

    async def wait_overall(self) -> None:
        """Wait until one more request through a channel is within the bot's allowance."""
        while (wait := self._overall.wait("", time.monotonic())) > 0:
            await asyncio.sleep(wait)

    def trace(self) -> aiohttp.TraceConfig:
        """The tracing by which the HTTP client reports each answer."""
        config = aiohttp.TraceConfig()
        config.on_request_end.append(self._answered)
        return config

    async def _answered(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        headers, now = end.response.headers, time.monotonic()
        is_refused = end.response.status == 429
        self.refusals += is_refused
        if end.method != "PATCH" or (pace := self._find(end.url.path)) is None:
            return
        try:
            if is_refused:
                pace.refused(now, float(headers.get("Retry-After", 1)))
            elif "X-RateLimit-Remaining" in headers:
                remaining, reset_after = headers["X-RateLimit-Remaining"], headers["X-RateLimit-Reset-After"]
                pace.answered(now, int(remaining), float(reset_after))
        except (KeyError, ValueError):
            _log.debug("event=odd-headers path=%s", end.url.path)

    def _find(self, path: str) -> Pace | None:
        if found := _TOKEN_ROUTE.search(path):
            return self._tokens.get(found[1])
        found = _CHANNEL_ROUTE.search(path)
        return self._channels.get(int(found[1])) if found else None


def _remember(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int = MAX_KEYS) -> None:
    """Keep a value as the latest, and drop the oldest beyond `most`."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
