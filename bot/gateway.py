"""How discord.py connects: other work goes on between two events, few connections are opened at once, and where to."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import discord.shard
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

EVENTS_SECONDS = 0.005
MAX_CONNECTIONS = 32  # to Discord's REST API; each that is opened costs a handshake


class PatientWebSocket(DiscordWebSocket):
    """Lets other work go on after some milliseconds of events; the library handles all at once that have come."""

    _began = 0.0

    async def poll_event(self) -> None:
        """Handle the next event."""
        if time.monotonic() - self._began > EVENTS_SECONDS:
            await asyncio.sleep(0)
            self._began = time.monotonic()
        await super().poll_event()


def be_patient() -> None:
    """Have all shards connect so."""
    discord.shard.DiscordWebSocket = PatientWebSocket  # type: ignore[misc]


def connector() -> aiohttp.TCPConnector:
    """For the requests of a client; to be called in the event loop."""
    return aiohttp.TCPConnector(limit=MAX_CONNECTIONS)


async def use_other_address(api_url: str) -> bool:
    """Have discord.py talk to another server than Discord's: a proxy, or a test. False if it is none."""
    Route.BASE = api_url
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{api_url}/gateway") as response:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL((await response.json())["url"])
    except (KeyError, TypeError, ValueError):
        return False
    return True
