"""How the bot connects, against a real server."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from bot.gateway import Connector


async def keep(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


async def answer(request: web.Request) -> web.Response:
    return web.Response(text="here")


def test_the_connections_of_many_shards_take_no_requests_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.gateway.MAX_CONNECTIONS", 2)

    async def run() -> str:
        app = web.Application()
        app.router.add_get("/gateway", keep)
        app.router.add_get("/api", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        async with asyncio.timeout(10), aiohttp.ClientSession(connector=Connector()) as session:
            shards = [await session.ws_connect(f"ws://{host}:{port}/gateway") for _ in range(3)]
            async with session.get(f"http://{host}:{port}/api") as response:
                text = await response.text()
            for shard in shards:
                await shard.close()
        await runner.cleanup()
        return text

    assert asyncio.run(run()) == "here"
