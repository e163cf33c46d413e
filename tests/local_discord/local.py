"""`LocalDiscord`: the whole thing, on a thread of its own with its own event loop, driven by plain synchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from types import TracebackType

from aiohttp import web

from tests.local_discord.errors import Json
from tests.local_discord.gateway.connection import serve
from tests.local_discord.misbehavior import Misbehavior
from tests.local_discord.records import GatewayEvent, LateHeartbeat, Limited, Ping, Request
from tests.local_discord.rest import application, channels, interactions, messages
from tests.local_discord.rest.server import Rest
from tests.local_discord.settings import Settings
from tests.local_discord.world.channels import Channel
from tests.local_discord.world.guilds import Guild
from tests.local_discord.world.interactions import Interaction
from tests.local_discord.world.people import Member, User
from tests.local_discord.world.world import World

ROUTES = [*application.ROUTES, *interactions.ROUTES, *messages.ROUTES, *channels.ROUTES]
MAX_BODY = 64 * 1024 * 1024
INVALID_STATUS, INVALID_SECONDS = (401, 403, 429), 600


class LocalDiscord:
    """A Discord for one bot. `api_url` is for `discord.http.Route.BASE`, `gateway_url` for the default gateway."""

    def __init__(
        self, token: str = "a.local.token", settings: Settings | None = None, bot_name: str = "textrepl"
    ) -> None:
        self.token = token
        self.world = World(token, bot_name, settings or Settings())
        self.misbehave: Misbehavior = self.world.misbehave
        self._thread = threading.Thread(target=self._serve, name="local-discord", daemon=True)
        self._started, self._stop = threading.Event(), asyncio.Event()

    def __enter__(self) -> LocalDiscord:
        self._thread.start()
        if not self._started.wait(10):
            raise TimeoutError("the local Discord did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections and ends the thread; raises what this server itself did wrong, if anything."""
        if self.world.loop is not None and self._thread.is_alive():
            self.world.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self.world.records.crashes:
            raise self.world.records.crashes[0]

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        world = self.world
        rest = Rest(world, ROUTES)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/api/v{version:9|10}/{path:.*}", rest.serve)
        app.router.add_get("/attachments/{channel}/{file}/{name}", self._file)
        app.router.add_get("/", self._gateway)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        world.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        world.loop, world.thread = asyncio.get_running_loop(), threading.get_ident()
        self._started.set()
        await self._stop.wait()
        for connection in list(world.connections):
            connection.close(1001)
        await runner.cleanup()
        world.loop = None

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        return await serve(self.world, request)

    async def _file(self, request: web.Request) -> web.Response:
        found = self.world.files.get(int(request.match_info["file"]))
        return web.Response(status=404) if found is None else web.Response(body=found.data)

    @property
    def api_url(self) -> str:
        """The base of all REST routes."""
        return f"{self.world.base_url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """The WebSocket's address, as `GET /gateway` tells it."""
        return self.world.base_url.replace("http", "ws", 1)

    @property
    def bot(self) -> User:
        """The bot's account."""
        return self.world.bot

    def add_guild(self, name: str, guild_id: int | None = None, *, shard: tuple[int, int] | None = None) -> Guild:
        """A new guild with the bot in it; `shard` as (number, of how many) chooses an id that goes there."""

        def work() -> Guild:
            number = guild_id or self.world.snowflakes.next()
            while shard is not None and (number >> 22) % shard[1] != shard[0]:
                number = self.world.snowflakes.next()
            guild = self.world.guilds[number] = Guild(self.world, name, number)
            self.world.events.guild_joined(guild)
            return guild

        return self.world.run(work)

    def add_user(self, name: str) -> User:
        """An account in no guild."""
        return self.world.run(lambda: User(self.world, name))

    def dm(self, person: User | Member) -> Channel:
        """The direct message channel of the bot and this person."""
        return self.world.run(lambda: self.world.dm_of(person.user))

    def group(self, *people: User | Member) -> Channel:
        """A new group of people, in which the bot cannot be."""
        return self.world.run(lambda: self.world.group_of(*(person.user for person in people)))

    def wait_ready(self, shards: int = 1, timeout: float = 20.0) -> None:
        """Waits until so many different shards are connected and have their guilds."""

        def look() -> bool:
            return len({s.shard for s in list(self.world.sessions.by_id.values()) if s.is_ready and s.line}) >= shards

        self.world.bell.wait(look, timeout, lambda: f"not {shards} shards: {list(self.gateway_log)[-20:]}")

    def commands(self, guild: Guild | None = None) -> dict[str, Json]:
        """What has been synced, by name: for one guild, or globally."""
        found = self.world.run(lambda: list(self.world.commands.of(guild.id if guild else None).values()))
        return {command["name"]: command for command in found}

    def wait_command(self, name: str, guild: Guild | None = None, timeout: float = 20.0) -> Json:
        """Waits until a command has been synced."""
        return self.world.bell.wait(lambda: self.commands(guild).get(name), timeout, lambda: f"no command {name!r}")

    def wait_gateway(self, what: str, times: int = 1, timeout: float = 10.0) -> GatewayEvent:
        """Waits for the event (`ready`, `resume`, `refuse`, `close` ...) to have happened so many times."""

        def look() -> GatewayEvent | None:
            found = [event for event in list(self.gateway_log) if event.what == what]
            return found[times - 1] if len(found) >= times else None

        return self.world.bell.wait(
            look, timeout, lambda: f"not {times} times {what!r}: {list(self.gateway_log)[-20:]}"
        )

    @property
    def requests(self) -> deque[Request]:
        """Every REST request so far."""
        return self.world.records.requests

    @property
    def calls(self) -> list[Interaction]:
        """Every interaction so far."""
        return list(self.world.interactions.values())

    def count_invalid(self) -> int:
        """Requests of the last ten minutes that Discord calls invalid; at 10,000 it bans the address."""
        since = self.world.clock() - INVALID_SECONDS
        return sum(r.time > since and r.status in INVALID_STATUS for r in list(self.requests))

    @property
    def refused(self) -> deque[Request]:
        """Every request that got a 4xx other than 429, with its reason."""
        return self.world.records.refused

    @property
    def limited(self) -> deque[Limited]:
        """Every 429."""
        return self.world.records.limited

    @property
    def pings(self) -> deque[Ping]:
        """Every message of the bot that has notified somebody."""
        return self.world.records.pings

    @property
    def mentions_by_edit(self) -> deque[Ping]:
        """Every edit of the bot that named somebody, which notifies nobody."""
        return self.world.records.mentions_by_edit

    @property
    def late_heartbeats(self) -> deque[LateHeartbeat]:
        """Every heartbeat that came too late or not at all."""
        return self.world.records.late_heartbeats

    @property
    def gateway_log(self) -> deque[GatewayEvent]:
        """The lives of all connections."""
        return self.world.records.gateway
