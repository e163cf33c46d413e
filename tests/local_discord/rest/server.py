"""The REST side: finds the route, applies faults, token and rate limits, answers in Discord's form, writes it down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.local_discord.errors import Json, Refused
from tests.local_discord.forms.messages import Draft, Upload
from tests.local_discord.records import Request
from tests.local_discord.rest.limiter import Headers, Limiter, Refusal

if TYPE_CHECKING:
    from tests.local_discord.world.world import World

MAX_REQUEST = 25 * 1024 * 1024
TOKEN_ROUTES = ("/interactions/", "/webhooks/")


@dataclass(slots=True)
class Incoming:
    """One request as the handlers see it: numbers of the path, the query, and the form with its files."""

    world: World
    values: dict[str, str]
    query: Mapping[str, str]
    form: Any = None
    uploads: dict[int, Upload] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """A snowflake of the path."""
        if not self.values[name].isdigit():
            raise Refused(
                400, 50035, errors={name: {"_errors": [{"code": "NUMBER_TYPE_COERCE", "message": "snowflake"}]}}
            )
        return int(self.values[name])

    @property
    def fields(self) -> Json:
        """The form, which has to be an object."""
        if not isinstance(self.form, dict):
            raise Refused(400, 50035)
        return self.form

    @property
    def draft(self) -> Draft:
        """The form as a message."""
        return Draft(self.fields, self.uploads)


Handler = Callable[[Incoming], "Json | list[Json] | None"]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler for one method and path; `bucket` is a name in `Rates`, `major` the path value that splits it."""

    method: str
    path: str
    handler: Handler
    bucket: str = "other"
    major: str = ""
    status: int = 200

    @property
    def name(self) -> str:
        """How records name the route."""
        return f"{self.method} {self.path}"

    def pattern(self) -> re.Pattern[str]:
        """What the path has to look like."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


class Rest:
    """All routes of one world."""

    def __init__(self, world: World, routes: list[Route]) -> None:
        self.world, self.limiter = world, Limiter(world)
        self.routes: dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            key = route.method, route.path.count("/")
            self.routes.setdefault(key, []).append((route.pattern(), route))

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for pattern, route in self.routes.get((method, path.count("/")), []):
            if match := pattern.fullmatch(path):
                return route, match.groupdict()
        return None

    async def serve(self, request: web.Request) -> web.Response:
        """Answers one request, and writes it down."""
        path = "/" + request.match_info["path"]
        found = self._find(request.method, path)
        route, values = found or (Route(request.method, path, _nothing), {})
        major = values.get(route.major, "")
        record = Request(self.world.clock(), request.method, path, route.name, major, self._channel(values))
        self.world.records.requests.append(record)
        body = await request.read()
        record.received = len(body)
        response = await self._answer(request, route, values, record, body)
        response.headers["Via"] = "1.1 local"
        record.status, record.sent = response.status, len(response.body) if isinstance(response.body, bytes) else 0
        record.seconds = self.world.clock() - record.time
        if 400 <= record.status < 500 and record.status != 429:
            self.world.records.refused.append(record)
        self.world.bell.ring()
        return response

    def _channel(self, values: dict[str, str]) -> int:
        interaction = self.world.interactions.get(values.get("token", ""))
        channel = values.get("channel", "")
        return interaction.channel.id if interaction else int(channel) if channel.isdigit() else 0

    async def _answer(
        self, request: web.Request, route: Route, values: dict[str, str], record: Request, body: bytes
    ) -> web.Response:
        named, faults = f"{request.method} {record.path}", self.world.misbehave
        await faults.delay(named)
        if fault := faults.fault("fail", named):
            return _reply(fault.status, {"message": f"{fault.status}: asked for by the test", "code": 0})
        if refusal := self._limited(request, route, record, named):
            return self._reply_limited(refusal, route, record)
        lost = faults.fault("lose", named)
        status, answer = self._handle(request, route, values, body, record)
        if lost is not None:
            return _reply(lost.status, {"message": f"{lost.status}: asked for by the test", "code": 0})
        return _reply(status, answer, self.limiter.headers(route.bucket, record.major))

    def _limited(self, request: web.Request, route: Route, record: Request, named: str) -> Refusal | None:
        if fault := self.world.misbehave.fault("limit", named):
            return self.limiter.force(route, record.major, fault.seconds, fault.everywhere)
        counts = not record.path.startswith(TOKEN_ROUTES)
        counts = counts or (self.world.settings.followups_count_overall and record.path.startswith("/webhooks/"))
        return self.limiter.take(route, record.major, self.world.clock(), counts)

    def _reply_limited(self, refusal: Refusal, route: Route, record: Request) -> web.Response:
        told = self.limiter.headers(route.bucket, record.major) if refusal.scope == "user" else {}
        return _reply(429, refusal.to_json(), told | refusal.headers())

    def _handle(
        self, request: web.Request, route: Route, values: dict[str, str], body: bytes, record: Request
    ) -> tuple[int, object]:
        try:
            self._check_token(request, record.path)
            if len(body) > MAX_REQUEST:
                raise Refused(413, 40005)
            form, uploads = read_form(request.headers.get("Content-Type", ""), body)
            answer = route.handler(Incoming(self.world, values, request.query, form, uploads))
            return (204, None) if answer is None else (route.status, answer)
        except Refused as refused:
            record.code, record.reason = refused.code, str(refused)
            return refused.status, refused.to_json()
        except Exception as error:  # a fault of this server or a form that it does not foresee: the test shall fail
            self.world.records.crashes.append(error)
            record.reason = repr(error)
            return 500, {"message": record.reason, "code": 0}

    def _check_token(self, request: web.Request, path: str) -> None:
        if path.startswith(TOKEN_ROUTES) or path == "/gateway":
            return
        if request.headers.get("Authorization") != f"Bot {self.world.token}":
            raise Refused(401, 0, "401: Unauthorized")


def read_form(content_type: str, body: bytes) -> tuple[object, dict[int, Upload]]:
    """JSON, or multipart with `payload_json` and `files[n]`."""
    if content_type.startswith("multipart/form-data"):
        return read_multipart(content_type, body)
    if not body:
        return None, {}
    return _json(body), {}


def read_multipart(content_type: str, body: bytes) -> tuple[object, dict[int, Upload]]:
    """The parts of a multipart body; what aiohttp offers for it is a stream, and the body is here already."""
    boundary = re.search(r'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        raise Refused(400, 50035)
    form: object = None
    uploads: dict[int, Upload] = {}
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        data = data.removesuffix(b"\r\n")
        headers = head.decode()
        name = re.search(r'[; ]name="([^"]*)"', headers)
        if name is not None and name[1] == "payload_json":
            form = _json(data)
        elif name is not None and (number := re.fullmatch(r"files\[(\d+)\]", name[1])):
            file_name = re.search(r'filename="([^"]*)"', headers)
            uploads[int(number[1])] = Upload(file_name[1] if file_name else "file", data)
    return form, uploads


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(400, 50109) from None


def _reply(status: int, body: object, headers: Headers | None = None) -> web.Response:
    if body is None:
        return web.Response(status=204, headers=headers)
    text = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(status=status, body=text, headers=headers, content_type="application/json")


def _nothing(incoming: Incoming) -> None:
    raise Refused(404, 0, "404: Not Found")
