"""Plain HTTP and WebSocket clients for the tests of the local Discord, which say what no library would let them say."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from tests.local_discord.errors import Json
from tests.local_discord.local import LocalDiscord
from tests.local_discord.world.channels import Channel


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: object
    headers: Mapping[str, str]

    @property
    def code(self) -> tuple[int, int]:
        """The HTTP status and the JSON error code."""
        assert isinstance(self.body, dict), self.body
        return self.status, self.body["code"]

    @property
    def id(self) -> int:
        """The id of what was made."""
        assert isinstance(self.body, dict), self.body
        return int(self.body["id"])

    @property
    def where(self) -> str:
        """The field of the form that is wrong, and Discord's name for the fault."""
        assert isinstance(self.body, dict), self.body
        path, errors = [], self.body["errors"]
        while "_errors" not in errors:
            ((key, errors),) = errors.items()
            path.append(key)
        return f"{'.'.join(path)} {errors['_errors'][0]['code']}"


BOUNDARY = "local"


def multipart(form: str, *files: bytes) -> bytes:
    """The body of an upload: the form's text and the files."""
    parts = [('name="payload_json"', form.encode())]
    parts += [(f'name="files[{n}]"; filename="{n}.txt"', data) for n, data in enumerate(files)]
    lines = [f"--{BOUNDARY}\r\nContent-Disposition: form-data; {h}\r\n\r\n".encode() + d + b"\r\n" for h, d in parts]
    return b"".join([*lines, f"--{BOUNDARY}--\r\n".encode()])


def request(local: LocalDiscord, method: str, path: str, form: object = None, token: str | None = None) -> Answer:
    """One REST request with the bot's token or another one."""
    kind = f"multipart/form-data; boundary={BOUNDARY}" if isinstance(form, bytes) else "application/json"
    headers = {"Authorization": f"Bot {token or local.token}", "Content-Type": kind}
    data = form if isinstance(form, bytes) else None if form is None else json.dumps(form).encode()
    asked = urllib.request.Request(local.api_url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            body = answer.read()
            return Answer(answer.status, json.loads(body) if body else None, dict(answer.headers))
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, json.loads(refused.read()), dict(refused.headers))


def exchange(
    local: LocalDiscord, *payloads: Json, query: str = "v=10&encoding=json", patience: float = 0.3
) -> list[Json]:
    """Opens the gateway, sends the payloads, and gives what came until a close (`{"close": code}`) or silence."""
    return asyncio.run(_exchange(f"{local.gateway_url}/?{query}", payloads, patience))


async def _exchange(address: str, payloads: tuple[Json, ...], patience: float) -> list[Json]:
    heard: list[Json] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as ws:
        for payload in payloads:
            await ws.send_str(json.dumps(payload))
        while True:
            try:
                message = await ws.receive(timeout=patience)
            except TimeoutError:
                return heard
            if message.type is not aiohttp.WSMsgType.TEXT:
                return [*heard, {"close": ws.close_code}]
            heard.append(json.loads(message.data))


def identify(local: LocalDiscord, **changes: object) -> Json:
    """The payload that starts a session."""
    body: Json = {"token": local.token, "intents": 1 | 1 << 9 | 1 << 12, "properties": {}, "shard": [0, 1]}
    return {"op": 2, "d": body | changes}


def send(local: LocalDiscord, channel: Channel, form: Json) -> Answer:
    """A message of the bot."""
    return request(local, "POST", f"/channels/{channel.id}/messages", form)


def row(*parts: Json) -> Json:
    """An action row."""
    return {"type": 1, "components": list(parts)}


def button(custom_id: str = "a", **changes: object) -> Json:
    """A button."""
    return {"type": 2, "style": 1, "label": "A", "custom_id": custom_id} | changes


def text(content: str = "x") -> Json:
    """A text of a layout."""
    return {"type": 10, "content": content}


def label(field: Json) -> Json:
    """A label of a form with its field."""
    return {"type": 18, "label": "L", "component": field}
