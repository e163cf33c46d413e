"""What a test can make this Discord do wrong, as the real one sometimes does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.local_discord.errors import Json

if TYPE_CHECKING:
    from tests.local_discord.gateway.connection import Connection
    from tests.local_discord.gateway.sessions import Session
    from tests.local_discord.world.world import World


HOLD = 0.5


@dataclass(slots=True)
class Fault:
    """What happens to REST requests that match, until a moment or for so many `times`."""

    kind: str
    matching: re.Pattern[str]
    until: float
    times: int
    status: int = 500
    seconds: float = 0.0
    everywhere: bool = False


class Misbehavior:
    """One method a fault. `matching` is searched for in such as `PATCH /channels/1/messages/2`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults: list[Fault] = []
        self.gateway_closed_until = 0.0
        self.doubled: dict[str, int] = {}
        self.swapped: dict[str, int] = {}
        self.held: dict[str, tuple[str, Json]] = {}

    def drop_gateway(self, shard: int | None = None, code: int | None = 4000) -> None:
        """Closes connections so that they can resume; with no code the line is cut without a word."""
        self._each(shard, lambda connection: connection.close(code))

    def ask_reconnect(self, shard: int | None = None) -> None:
        """Opcode 7."""
        self._each(shard, lambda connection: connection.send(7))

    def invalidate(self, shard: int | None = None, resumable: bool = False) -> None:
        """Opcode 9: the session is over."""
        self._each(shard, lambda connection: connection.invalidate(resumable))

    def silence(self, shard: int | None = None) -> None:
        """The present connections never say a word again, not even to heartbeats."""
        self._each(shard, lambda connection: setattr(connection, "is_mute", True))

    def ask_heartbeat(self, shard: int | None = None) -> None:
        """Opcode 1: the client shall send a heartbeat at once."""
        self._each(shard, lambda connection: connection.send(1))

    def _each(self, shard: int | None, act: Callable[[Connection], None]) -> None:
        def work() -> None:
            for connection in list(self.world.connections):
                if connection.session is not None and shard in (None, connection.shard):
                    act(connection)

        self.world.run(work)

    def refuse_gateway(self, seconds: float) -> None:
        """New connections get HTTP 503 for so long."""
        self.gateway_closed_until = self.world.clock() + seconds

    def refuses_gateway(self) -> bool:
        """Whether a new connection is refused now."""
        return self.world.clock() < self.gateway_closed_until

    def fail(self, seconds: float, matching: str = "", status: int = 502) -> None:
        """Matching requests get this status, with no effect."""
        self._add(Fault("fail", re.compile(matching), self.world.clock() + seconds, 10**9, status=status))

    def limit(self, retry_after: float, matching: str = "", times: int = 1, everywhere: bool = False) -> None:
        """The next matching requests get a 429 though no limit is exceeded; `everywhere` is a global one."""
        fault = Fault("limit", re.compile(matching), float("inf"), times, seconds=retry_after, everywhere=everywhere)
        self._add(fault)

    def hang(self, seconds: float, matching: str = "", times: int = 1) -> None:
        """The next matching requests take effect only after so long."""
        self._add(Fault("hang", re.compile(matching), float("inf"), times, seconds=seconds))

    def lose_answer(self, matching: str = "", times: int = 1, status: int = 502) -> None:
        """The next matching requests take effect, but are answered with an error."""
        self._add(Fault("lose", re.compile(matching), float("inf"), times, status=status))

    def _add(self, fault: Fault) -> None:
        self.world.run(lambda: self.faults.append(fault))

    def stop(self) -> None:
        """REST and gateway behave again."""

        def work() -> None:
            self.faults.clear()
            self.gateway_closed_until = 0.0

        self.world.run(work)

    def fault(self, kind: str, request: str) -> Fault | None:
        """The fault of this kind for the request, used up once."""
        now = self.world.clock()
        self.faults = [fault for fault in self.faults if fault.times > 0 and fault.until > now]
        for fault in self.faults:
            if fault.kind == kind and fault.matching.search(request):
                fault.times -= 1
                return fault
        return None

    async def delay(self, request: str) -> None:
        """Waits as long as the request shall hang."""
        fault = self.fault("hang", request)
        if fault is not None:
            await asyncio.sleep(fault.seconds)

    def expire_tokens(self) -> None:
        """All interaction tokens are older than their lifetime now."""

        def work() -> None:
            for interaction in self.world.interactions.values():
                interaction.expire()

        self.world.run(work)

    def double(self, event: str, times: int = 1) -> None:
        """The next events of this name are delivered twice."""
        self.doubled[event] = times

    def swap(self, event: str, times: int = 1) -> None:
        """The next events of this name come only after the event that follows them (or half a second later)."""
        self.swapped[event] = times

    def deliveries(self, session: Session, name: str, body: Json) -> Iterator[tuple[str, Json]]:
        """The events to send now that this one has happened."""
        held = self.held.pop(session.id, None)
        if held is None and self.swapped.get(name, 0) > 0:
            self.swapped[name] -= 1
            self.held[session.id] = (name, body)
            asyncio.get_running_loop().call_later(HOLD, self._release, session)
            return
        yield name, body
        if self.doubled.get(name, 0) > 0:
            self.doubled[name] -= 1
            yield name, body
        if held is not None:
            yield held

    def _release(self, session: Session) -> None:
        """Sends what still waits for an event to overtake it."""
        if held := self.held.pop(session.id, None):
            session.send(*held)
