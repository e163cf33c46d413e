"""How and where discord.py connects: few connections at once, and other work goes on between two events."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import discord.shard
import yarl
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from discord.gateway import DiscordWebSocket
from discord.http import Route

EVENTS_SECONDS = 0.005
MAX_CONNECTIONS = 32  # to Discord's REST API; each costs a handshake


class PatientWebSocket(DiscordWebSocket):
    """Lets other work go on after some milliseconds of events; the library alone handles all waiting events at once."""

    _began = 0.0

    async def poll_event(self) -> None:
        """Handle the next event."""
        if time.monotonic() - self._began > EVENTS_SECONDS:
            await asyncio.sleep(0)
            self._began = time.monotonic()
        await super().poll_event()


def be_patient() -> None:
    """Have all shards connect with a `PatientWebSocket`."""
    discord.shard.DiscordWebSocket = PatientWebSocket  # type: ignore[misc]


class Connector(aiohttp.TCPConnector):
    """A client's connections: few at once for requests, and as many as needed for the shards, which keep theirs.

    It has to be made in the event loop.
    """

    def __init__(self) -> None:
        super().__init__(limit=MAX_CONNECTIONS)
        self._of_shards = aiohttp.TCPConnector(limit=0)

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for a request; waits while there are too many."""
        if req.url.scheme in ("ws", "wss"):
            return await self._of_shards.connect(req, traces, timeout)
        return await super().connect(req, traces, timeout)

    async def close(self, **options: Any) -> None:
        """Close all connections."""
        await self._of_shards.close(**options)
        await super().close(**options)


async def use_other_address(api_url: str) -> bool:
    """Have discord.py talk to another server, a proxy or a test; False if that does not answer as Discord does."""
    Route.BASE = api_url
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{api_url}/gateway") as response:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL((await response.json())["url"])
    except (KeyError, TypeError, ValueError):
        return False
    return True
