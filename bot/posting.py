"""A reply as a chain of Discord messages: sent, edited at the pace that Discord allows, and brought to its end.

While an interaction's token lives, messages go through it: that needs no right in the channel and does not count
towards the bot's fifty requests a second. Afterwards, and where no interaction began it, they go through the channel.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import discord

from bot.pacing import MAX_KEYS, Cooldown, Pace
from bot.stories import Place

TOKEN_SECONDS = 14 * 60  # an interaction's token lives a quarter of an hour
MAX_TOKENS = 2048  # interactions that are known by their tokens: more than may run and wait in line
OVERALL_PER_SECOND, OVERALL_BURST = 35, 10  # of the bot's fifty in any second; its other requests need some, too
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0)  # between attempts to deliver a last edit; the last of them for good
UNKNOWN_WEBHOOK, INVALID_TOKEN = 10015, 50027  # Discord's error codes
_TOKEN_ROUTE = re.compile(r"/webhooks/\d+/([^/]+)/messages/")
_CHANNEL_ROUTE = re.compile(r"/channels/(\d+)/messages/\d+$")
Key = TypeVar("Key")
_log = logging.getLogger("bot.posting")


class GoneError(Exception):
    """The message or its channel is not there any more, or closed to the bot."""


class Rates:
    """The paces of channels, told by what Discord answers to each request."""

    def __init__(self) -> None:
        self._channels: OrderedDict[int, Pace] = OrderedDict()
        self._tokens: OrderedDict[str, Pace] = OrderedDict()
        self._overall = Cooldown(1 / OVERALL_PER_SECOND, OVERALL_BURST)
        self.refusals = 0  # answers with status 429

    def channel(self, channel: int, token: str | None = None) -> Pace:
        """The pace of a channel, which edits through an interaction's token keep to as well."""
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
        """What has the HTTP client report each answer."""
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


class Post:
    """The messages of one reply, in their order."""

    def __init__(
        self,
        client: discord.Client,
        rates: Rates,
        place: Place,
        *,
        interaction: discord.Interaction[Any] | None = None,
        answers: discord.MessageReference | None = None,
        messages: Sequence[int] = (),
        key: int = 0,
    ) -> None:
        """`messages` are ids of those that stand already; `answers` is what the first one replies to."""
        self.messages = list(messages)
        self.key = key or (interaction.id if interaction else (answers and answers.message_id) or 0)
        """What tells it from other posts of the place, for good."""
        self.note: dict[str, Any] | None = None
        """What the store knows of it."""
        self.on_sent: Callable[[], Awaitable[None]] | None = None
        """What is awaited when a further message was sent."""
        self._is_told = False
        self._interaction, self._answers = interaction, answers
        self._original: int | None = None  # the interaction's own answer
        self._of_token: set[int] = set()  # messages that were made through the token: others it cannot edit
        self._channel = client.get_partial_messageable(place.channel, guild_id=place.guild or None)
        self._rates = rates
        self._pace = rates.channel(place.channel, interaction.token if interaction else None)
        self._shown: list[tuple[str, str] | None] = [None] * len(self.messages)

    async def wait(self, *, is_last: bool = False) -> None:
        """Wait until an edit is allowed; more than once if Discord slows us down meanwhile."""
        while (wait := self._pace.wait(time.monotonic(), is_last=is_last)) > 0:
            await asyncio.sleep(wait)

    async def show(self, pages: Sequence[str], view: discord.ui.View | None) -> None:
        """Have the messages show these pages, the last of them with `view`. One attempt. Raises `GoneError`."""
        await self._show_pages(pages, view)
        self._is_told = False

    async def _show_pages(self, pages: Sequence[str], view: discord.ui.View | None) -> None:
        for number, page in enumerate(pages):
            is_last = number == len(pages) - 1
            wanted = page, _view_key(view) if is_last else ""
            if number < len(self.messages) and self._shown[number] == wanted:
                continue
            shown_view = view if is_last else None
            if number < len(self.messages):
                self._pace.sent(time.monotonic())
                await self._edit(self.messages[number], page, shown_view)
                self._shown[number] = wanted
            else:
                self.messages.append(await self._send(page, shown_view))
                self._shown.append(wanted)
                if self.on_sent is not None:
                    await self.on_sent()

    def promise(self, message: int) -> None:
        """The interaction was answered with a promise: this message is what it will become."""
        self.messages, self._shown = [message], [None]
        self._original, self._of_token = message, {message}

    @property
    def is_begun(self) -> bool:
        """Whether any of the reply was shown yet."""
        return any(self._shown) and not self._is_told

    async def tell(self, line: str) -> None:
        """Show a line where the reply will be."""
        self._is_told = True
        await self._show_pages([line], None)

    async def add(self, line: str) -> None:
        """Put a line below the last message, and take its buttons away; one attempt, and no harm if it fails."""
        if shown := self._shown[-1]:
            with suppress(GoneError, discord.HTTPException, aiohttp.ClientError, OSError):
                await self._edit(self.messages[-1], shown[0] + line, None)

    async def finish(self, pages: Sequence[str], view: discord.ui.View | None) -> bool:
        """Show the last of it, however long Discord is away. False if there is nowhere to show it any more."""
        attempt = 0
        while True:
            await self.wait(is_last=True)
            try:
                await self.show(pages, view)
                return True
            except GoneError as error:
                _log.info("event=gone reason=%s", error)
                return False
            except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                _log.warning("event=not-delivered error=%s again_in=%.0f", _one_line(error), wait)
                attempt += 1
                await asyncio.sleep(wait)

    async def _edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        if (interaction := self._alive()) is not None and message in self._of_token:
            try:
                if message == self._original:
                    await interaction.edit_original_response(content=content, view=view)
                else:
                    await interaction.followup.edit_message(message, content=content, view=view)
                return
            except discord.HTTPException as error:
                self._check(error)
        await self._rates.wait_overall()
        try:
            await self._channel.get_partial_message(message).edit(content=content, view=view)
        except discord.HTTPException as error:
            self._check(error)
            raise

    async def _send(self, content: str, view: discord.ui.View | None) -> int:
        """Send a message.

        Through a channel its nonce has Discord send it once, also where the answer is lost and the library sends it
        again. The token's way knows no nonce; but it needs no right, and is not counted among the bot's requests.
        """
        more: dict[str, Any] = {} if view is None else {"view": view}
        if (interaction := self._alive()) is not None:
            try:
                message = (await interaction.followup.send(content, wait=True, **more)).id
                self._of_token.add(message)
                return message
            except discord.HTTPException as error:
                self._check(error)
        if not self.messages and self._answers is not None:
            more["reference"] = self._answers
        await self._rates.wait_overall()
        try:
            nonce = f"{self.key}.{len(self.messages)}"[-25:]  # Discord's longest
            return (await self._channel.send(content, nonce=nonce, **more)).id
        except discord.HTTPException as error:
            self._check(error)
            raise

    def _alive(self) -> discord.Interaction[Any] | None:
        """The interaction, as long as its token lives."""
        if self._interaction is not None:
            age = discord.utils.utcnow() - self._interaction.created_at
            if age.total_seconds() > TOKEN_SECONDS:
                self._interaction = None
        return self._interaction

    def _check(self, error: discord.HTTPException) -> None:
        """Whether it is worth going on: the token has run out (use the channel), all is gone, or try again later."""
        if error.code in (UNKNOWN_WEBHOOK, INVALID_TOKEN) and self._interaction is not None:
            self._interaction = None
        elif error.status in (400, 401, 403, 404):
            raise GoneError(_one_line(error)) from error
        else:
            raise error


def _remember(paces: OrderedDict[Key, Pace], key: Key, pace: Pace, most: int = MAX_KEYS) -> None:
    """As the latest; and forget the oldest."""
    paces[key] = pace
    paces.move_to_end(key)
    if len(paces) > most:
        paces.popitem(last=False)


def _view_key(view: discord.ui.View | None) -> str:
    return "" if view is None else ",".join(str(getattr(item, "custom_id", "")) for item in view.children)


def _one_line(error: BaseException) -> str:
    return repr(" ".join(str(error).split()) or type(error).__name__)
