"""Gateway sessions: which shard gets an event, what it may see of it, and what it missed while it was away."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from tests.local_discord.errors import Json
from tests.local_discord.records import GatewayEvent
from tests.local_discord.world.events import DIRECT_MESSAGES, GUILD_MESSAGES, GUILDS

if TYPE_CHECKING:
    from tests.local_discord.world.messages import Message
    from tests.local_discord.world.world import World


class Line(Protocol):
    """A live connection that takes whole texts in order."""

    def push(self, text: str) -> None: ...

    def close(self, code: int | None) -> None: ...


class Session:
    """One identified shard. It outlives its connection until `resume_within` is over."""

    def __init__(self, world: World, shard: int, num_shards: int, intents: int) -> None:
        self.world, self.shard, self.num_shards, self.intents = world, shard, num_shards, intents
        self.id = secrets.token_hex(16)
        self.sequence = 0
        self.sent: deque[tuple[int, str]] = deque(maxlen=world.settings.max_replay)
        self.line: Line | None = None
        self.left_at: float | None = None
        self.is_ready = False

    def owns(self, guild_id: int | None) -> bool:
        """Whether events of the guild (or, without one, of direct messages) come here."""
        return self.shard == (0 if guild_id is None else (guild_id >> 22) % self.num_shards)

    def send(self, name: str, body: Json) -> None:
        """Numbers the event, keeps it for a resume, and sends it if somebody listens."""
        for event_name, event_body in self.world.misbehave.deliveries(self, name, body):
            self.sequence += 1
            event = {"op": 0, "t": event_name, "s": self.sequence, "d": event_body}
            text = json.dumps(event, separators=(",", ":"))
            self.sent.append((self.sequence, text))
            if self.line is not None:
                self.line.push(text)

    def replay(self, after: int) -> bool:
        """Sends again what came after number `after`; false if that is no longer known."""
        if after < self.sequence and (not self.sent or self.sent[0][0] > after + 1):
            return False
        assert self.line is not None
        for number, text in self.sent:
            if number > after:
                self.line.push(text)
        return True


class Sessions:
    """All sessions by id."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.by_id: dict[str, Session] = {}

    def alive(self) -> list[Session]:
        """Sessions that have a connection or may still resume; the others are dropped."""
        oldest = self.world.clock() - self.world.settings.resume_within
        gone = [s.id for s in self.by_id.values() if s.line is None and s.left_at is not None and s.left_at < oldest]
        for session_id in gone:
            del self.by_id[session_id]
        return list(self.by_id.values())

    def add(self, session: Session) -> None:
        """A new session has identified; an older, disconnected one of the same shard will not come back."""
        for other in self.alive():
            if other.line is None and (other.shard, other.num_shards) == (session.shard, session.num_shards):
                del self.by_id[other.id]
        self.by_id[session.id] = session

    def of(self, guild_id: int | None) -> Iterator[Session]:
        """The sessions that get events of the guild."""
        return (session for session in self.alive() if session.owns(guild_id))

    def dispatch(self, name: str, body: Json, guild_id: int | None, intent: int = 0) -> int:
        """Sends an event to whoever owns the guild and asked for `intent`; returns to how many."""
        guild = self.world.guilds.get(guild_id) if guild_id is not None else None
        if guild is not None and not guild.has_bot and name not in ("GUILD_DELETE", "INTERACTION_CREATE"):
            return 0
        told = [session for session in self.of(guild_id) if session.intents & intent == intent]
        for session in told:
            session.send(name, body)
        return len(told)

    def dispatch_message(self, name: str, message: Message) -> None:
        """MESSAGE_CREATE and MESSAGE_UPDATE: without the content intent, strangers' words stay hidden."""
        guild = message.channel.guild
        needed = DIRECT_MESSAGES if guild is None else GUILD_MESSAGES
        for session in self.of(guild.id if guild else None):
            if not session.intents & needed:
                continue
            body = message.to_json(stripped=self.world.hides_content(message, session.intents))
            if guild is not None:
                body["guild_id"] = str(guild.id)
                if message.author.id in guild.members:
                    body["member"] = guild.members[message.author.id].to_json(with_user=False)
                for user in body["mentions"]:
                    user["member"] = guild.members[int(user["id"])].to_json(with_user=False)
            session.send(name, body)

    def welcome(self, session: Session) -> None:
        """READY and a GUILD_CREATE for each guild of the shard."""
        world = self.world
        guilds = [guild for guild in world.guilds.values() if session.owns(guild.id) and guild.has_bot]
        body: Json = {
            "v": 10,
            "user": world.bot.to_json() | {"verified": True, "mfa_enabled": False, "email": None, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": world.base_url.replace("http", "ws", 1),
            "shard": [session.shard, session.num_shards],
            "application": {"id": str(world.bot.id), "flags": 0},
            "session_type": "normal",
            "private_channels": [],
        }
        session.send("READY", body)
        for guild in guilds:
            if session.intents & GUILDS:
                session.send("GUILD_CREATE", guild.to_json())
        session.is_ready = True
        self.note("ready", session.shard)

    def note(self, what: str, shard: int, detail: str = "") -> None:
        """Writes an event of a connection's life down."""
        self.world.records.gateway.append(GatewayEvent(self.world.clock(), what, shard, detail))
        self.world.bell.ring()
