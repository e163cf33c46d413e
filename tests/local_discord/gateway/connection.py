"""The gateway's WebSocket: HELLO, heartbeats, IDENTIFY, RESUME, and Discord's close codes for what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from tests.local_discord.errors import Json
from tests.local_discord.gateway.compression import packer
from tests.local_discord.gateway.members_chunk import members_chunk
from tests.local_discord.gateway.sessions import Session
from tests.local_discord.records import LateHeartbeat

if TYPE_CHECKING:
    from tests.local_discord.world.world import World

HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, MEMBERS = 1, 2, 3, 4, 6, 8
RECONNECT, INVALID, HELLO, ACK = 7, 9, 10, 11
PRIVILEGED = (1 << 1) | (1 << 8) | (1 << 15)
KNOWN_INTENTS = (1 << 22) - 1 | (1 << 24) | (1 << 25)
SENDS_A_MINUTE = 120


class Connection:
    """One WebSocket, whether it has identified yet or not."""

    def __init__(self, world: World, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.world, self.ws, self.transport = world, ws, request.transport
        self.pack = packer(request.query.get("compress", ""))
        self.queue: asyncio.Queue[str | int] = asyncio.Queue()
        self.session: Session | None = None
        self.shard = -1
        self.beat = world.clock()
        self.is_mute = self.is_closed_here = False
        self.received: list[float] = []

    def push(self, text: str) -> None:
        """Sends a text after all those before; a mute connection swallows it."""
        if not self.is_mute:
            self.queue.put_nowait(text)

    def send(self, op: int, body: object = None) -> None:
        """Sends a payload that is no event."""
        self.push(json.dumps({"op": op, "d": body, "s": None, "t": None}))

    def close(self, code: int | None) -> None:
        """Closes after what has been sent; with no code the line is cut."""
        self.is_closed_here = True
        if code is None and self.transport is not None:
            self.transport.abort()
        else:
            self.queue.put_nowait(4000 if code is None else code)

    def refuse(self, code: int, why: str) -> None:
        """Closes for a fault of the client."""
        self.world.sessions.note("refuse", self.shard, f"{code} {why}")
        self.close(code)

    def invalidate(self, resumable: bool = False) -> None:
        """Opcode 9; a session that may not be resumed is forgotten."""
        if self.session is not None and not resumable:
            self.world.sessions.by_id.pop(self.session.id, None)
            self.session.line = None
            self.session = None
        self.send(INVALID, resumable)

    async def write(self) -> None:
        """Sends the queue until a close code comes up."""
        while isinstance(item := await self.queue.get(), str):
            if self.pack is None:
                await self.ws.send_str(item)
            else:
                await self.ws.send_bytes(self.pack(item))
        await self.ws.close(code=item)

    async def read(self) -> None:
        """Takes the client's payloads until the line is closed."""
        async for message in self.ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return self.refuse(4002, "not a text")
            try:
                payload = json.loads(message.data)
                op, body = payload["op"], payload.get("d")
            except (ValueError, KeyError, TypeError):
                return self.refuse(4002, "not a payload")
            if self._too_many():
                return self.refuse(4008, "more than 120 payloads a minute")
            try:
                self._take(op, body)
            except Exception as error:  # a fault of this server or a payload that it does not foresee
                self.world.records.crashes.append(error)
                return self.refuse(4002, repr(error))
        return None

    def _too_many(self) -> bool:
        now = self.world.clock()
        self.received = [*(moment for moment in self.received if moment > now - 60), now]
        return len(self.received) > SENDS_A_MINUTE

    def _take(self, op: int, body: Json) -> None:
        if op == HEARTBEAT:
            self._heartbeat()
        elif op == IDENTIFY:
            self._identify(body)
        elif op == RESUME:
            self._resume(body)
        elif self.session is None:
            self.refuse(4003, f"opcode {op} before IDENTIFY")
        elif op == MEMBERS:
            members_chunk(self.session, body)
        elif op not in (PRESENCE, VOICE):
            self.refuse(4001, f"opcode {op}")

    def _heartbeat(self) -> None:
        now, settings = self.world.clock(), self.world.settings
        gap, self.beat = now - self.beat, now
        if gap > settings.heartbeat_interval + settings.heartbeat_tolerance:
            self.world.records.late_heartbeats.append(LateHeartbeat(now, self.shard, gap))
        self.send(ACK)

    async def watch(self) -> None:
        """Gives the connection up when two heartbeats in a row are missing."""
        settings = self.world.settings
        patience = 2 * settings.heartbeat_interval + settings.heartbeat_tolerance
        while (left := self.beat + patience - self.world.clock()) > 0:
            await asyncio.sleep(left)
        gap = self.world.clock() - self.beat
        self.world.records.late_heartbeats.append(LateHeartbeat(self.world.clock(), self.shard, gap, closed=True))
        self.refuse(4000, "no heartbeat")

    def _identify(self, body: Json) -> None:
        wrong = self._wrong_identify(body)
        if wrong is not None:
            return self.refuse(*wrong)
        shard, num_shards = body.get("shard", (0, 1))
        self.shard = shard
        self.world.sessions.note("identify", shard)
        if not self.world.gate.admit(shard):
            self.world.sessions.note("refuse", shard, "identified too soon after another shard")
            return self.invalidate()
        self.session = Session(self.world, shard, num_shards, body["intents"])
        self.session.line = self
        self.world.sessions.add(self.session)
        return self.world.sessions.welcome(self.session)

    def _wrong_identify(self, body: Json) -> tuple[int, str] | None:
        if self.session is not None:
            return 4005, "identified already"
        if body.get("token") != self.world.token or not self.world.gate.has_starts():
            return 4004, "token"
        shard = body.get("shard", [0, 1])
        numbers = isinstance(shard, list) and len(shard) == 2 and all(isinstance(n, int) for n in shard)
        if not numbers or not 0 <= shard[0] < shard[1]:
            return 4010, f"shard {shard}"
        intents = body.get("intents")
        if not isinstance(intents, int) or intents & ~KNOWN_INTENTS:
            return 4013, f"intents {intents}"
        if intents & PRIVILEGED & ~self.world.settings.privileged_intents:
            return 4014, f"privileged intents {intents & PRIVILEGED}"
        return None

    def _resume(self, body: Json) -> None:
        if body.get("token") != self.world.token:
            return self.refuse(4004, "token")
        session = self.world.sessions.by_id.get(str(body.get("session_id")))
        after = body.get("seq")
        if session is None or session not in self.world.sessions.alive() or not isinstance(after, int):
            self.world.sessions.note("refuse", self.shard, "resume of an unknown session")
            return self.invalidate()
        if after > session.sequence:
            return self.refuse(4007, f"sequence {after} of {session.sequence}")
        if session.line is not None and session.line is not self:
            session.line.close(4000)
        self.session, session.line, self.shard = session, self, session.shard
        if not session.replay(after):
            return self.invalidate()
        session.send("RESUMED", {"_trace": []})
        return self.world.sessions.note("resume", session.shard, f"{session.sequence - after - 1} events replayed")

    def left(self) -> None:
        """The line is closed: the session waits for a resume, unless the client said goodbye."""
        code = self.ws.close_code
        self.world.sessions.note("close", self.shard, f"{code} by the {'server' if self.is_closed_here else 'client'}")
        if self.session is None or self.session.line is not self:
            return
        self.session.line, self.session.left_at = None, self.world.clock()
        if code in (1000, 1001) and not self.is_closed_here:
            self.world.sessions.by_id.pop(self.session.id, None)


async def serve(world: World, request: web.Request) -> web.StreamResponse:
    """One client's connection from HELLO to its close."""
    if world.misbehave.refuses_gateway():
        return web.Response(status=503)
    ws = web.WebSocketResponse(max_msg_size=4096, autoclose=True, compress=False, timeout=1.0)
    await ws.prepare(request)
    connection = Connection(world, ws, request)
    if request.query.get("v") not in ("9", "10") or request.query.get("encoding") != "json":
        connection.refuse(4012, str(request.query))
    world.connections.add(connection)
    world.sessions.note("connect", -1)
    connection.send(HELLO, {"heartbeat_interval": int(world.settings.heartbeat_interval * 1000), "_trace": []})
    tasks = [asyncio.create_task(connection.write()), asyncio.create_task(connection.watch())]
    try:
        await connection.read()
    finally:
        connection.left()
        world.connections.discard(connection)
        tasks[1].cancel()
        connection.close(1000)
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
            await asyncio.wait_for(tasks[0], 2)
    return ws
