"""A reply as a chain of Discord messages: sent, edited at the pace that Discord allows, and brought to its end.

While an interaction's token lives, messages go through it: that needs no permission in the channel and does not count
toward the bot's fifty requests a second. Afterward, and for a mention, they go through the channel.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp
import discord

from bot.messages.buttons import OF_MEMBERS, StoryButton
from bot.messages.layout import Formats, arguments
from bot.messages.pages import CONTENT, Chain, Page, Passage, Token, pages
from bot.messages.rate_limits import Pace, Rates

MARGIN_SECONDS = 30.0  # in which a last edit arrives
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0)  # between attempts to deliver a last edit; the last one repeats
UNKNOWN_WEBHOOK, INVALID_TOKEN, INVALID_FORM = 10015, 50027, 50035  # Discord's error codes
MAX_NONCE = 25  # characters, of Discord
_log = logging.getLogger(__name__)


class GoneError(Exception):
    """The message or its channel is not there anymore, or closed to the bot; or Discord does not take the format."""

    def __init__(self, reason: str, is_format: bool = False) -> None:
        super().__init__(reason)
        self.is_format = is_format


class Post:
    """The messages of one reply, in their order."""

    def __init__(
        self,
        channel: discord.PartialMessageable | None,
        rates: Rates,
        formats: Formats,
        *,
        pace: Pace,
        token: Token | None = None,
        webhook: discord.Webhook | None = None,
        answers: discord.MessageReference | None = None,
        chain: Chain | None = None,
        key: int = 0,
        owner: int = 0,
    ) -> None:
        """`chain` has messages that exist already; `answers` is what the first message replies to.

        `webhook` sends and edits through the `token`. Without a `channel` there is no other way: where the bot is no
        member; there, `owner` is the person whose story it is.
        """
        self.chain = chain or Chain([], formats.new)
        self.key = key or (answers and answers.message_id) or 0
        """The post's permanent number in its channel."""
        self.on_sent: Callable[[], Awaitable[None]] | None = None
        """This is awaited after a further message was sent."""
        self.is_answering = True
        """Whether the first message refers to what it answers."""
        self._is_told = False
        self._token, self._webhook, self._answers = token, webhook, answers
        self._of_token = set(self.chain.messages if token else ())  # sent through the token: it can edit no others
        self._channel, self._rates, self._formats, self._pace = channel, rates, formats, pace
        self._owner = owner
        self._shown: list[tuple[Page, str] | None] = [None] * len(self.chain.messages)

    @property
    def messages(self) -> list[int]:
        """The ids of its messages."""
        return self.chain.messages

    async def wait(self, *, is_last: bool = False) -> None:
        """Wait until an edit is allowed; several times if Discord slows the bot down meanwhile."""
        while (wait := self._pace.wait(time.monotonic(), is_last=is_last)) > 0:
            await asyncio.sleep(wait)

    async def show(self, passage: Passage, buttons: Sequence[StoryButton] = ()) -> None:
        """Show a passage, with buttons below its last message, in one attempt. Raises `GoneError`."""
        if self._channel is None:
            buttons = [button.owned_by(self._owner) for button in buttons if button.action not in OF_MEMBERS]
        try:
            await self._show(passage, buttons)
        except GoneError as error:
            is_begun = any(self._shown)
            if is_begun or not error.is_format or not self._formats.fall_back(self.chain.format, str(error)):
                raise
            self.chain.format = CONTENT
            await self._show(passage, buttons)
        self._is_told = False

    async def _show(self, passage: Passage, buttons: Sequence[StoryButton]) -> None:
        cut = pages(passage, self.chain.format)
        for number, page in enumerate(cut):
            below = buttons if number == len(cut) - 1 else ()
            wanted = page, ",".join(button.item.custom_id or "" for button in below)
            if number < len(self.messages) and self._shown[number] == wanted:
                continue
            if number < len(self.messages):
                self._pace.sent(time.monotonic())
                await self._edit(self.messages[number], page, below)
                self._shown[number] = wanted
            else:
                self.messages.append(await self._send(page, below))
                self._shown.append(wanted)
                if self.on_sent is not None:
                    await self.on_sent()

    def promise(self, message: int) -> None:
        """Note that the interaction was answered with a promise, and that the reply will appear in this message."""
        self.messages[:], self._shown = [message], [None]
        self._of_token = {message}

    @property
    def only_token(self) -> Token | None:
        """The token, where nothing else reaches the messages."""
        return self._token if self._channel is None else None

    @property
    def is_ending(self) -> bool:
        """Whether what is shown later may not arrive anymore."""
        token = self.only_token
        return token is not None and token.seconds_left < MARGIN_SECONDS

    @property
    def is_begun(self) -> bool:
        """Whether any part of the reply was shown."""
        return any(self._shown) and not self._is_told

    async def tell(self, footer: str) -> None:
        """Show small print in place of the reply, until there is more of it."""
        await self.show(Passage(footer=footer))
        self._is_told = True

    async def show_typing(self) -> None:
        """Show for some seconds that the bot is typing, unless it has promised an answer, which shows as much."""
        if self._channel is not None and self._token is None:
            with suppress(discord.HTTPException, aiohttp.ClientError, OSError):
                await self._rates.wait_overall()
                await self._channel.typing()

    async def add(self, footer: str) -> None:
        """Put small print below the last message and take its buttons away, in one attempt that may fail."""
        if shown := self._shown[-1]:
            with suppress(GoneError, discord.HTTPException, aiohttp.ClientError, OSError):
                await self._edit(self.messages[-1], replace(shown[0], footer=footer), ())

    async def finish(self, passage: Passage, buttons: Sequence[StoryButton] = ()) -> bool:
        """Show the final passage, however long Discord is away. False if there is nowhere to show it anymore."""
        attempt = 0
        while True:
            await self.wait(is_last=True)
            try:
                await self.show(passage, buttons)
                return True
            except GoneError as error:
                _log.info("event=gone reason=%s", error)
                return False
            except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                wait = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                _log.warning("event=not-delivered error=%s again_in=%.0f", _one_line(error), wait)
                attempt += 1
                await asyncio.sleep(wait)

    async def _edit(self, message: int, page: Page, buttons: Sequence[StoryButton]) -> None:
        given = arguments(page, buttons, self.chain.format)
        if (webhook := self._alive()) is not None and message in self._of_token:
            try:
                await webhook.edit_message(message, **given)
                return
            except discord.HTTPException as error:
                self._check(error)
        channel = self._reachable()
        await self._rates.wait_overall()
        try:
            await channel.get_partial_message(message).edit(**given)
        except discord.HTTPException as error:
            self._check(error)
            raise

    async def _send(self, page: Page, buttons: Sequence[StoryButton]) -> int:
        """Send a message; returns its id.

        Messages through the channel carry a nonce, so Discord sends them once even if its answer is lost and the
        library sends them again. Messages through the token carry none, but they need no permission and do not count
        among the bot's requests.
        """
        given = arguments(page, buttons, self.chain.format)
        more = {name: value for name, value in given.items() if value is not None}
        if (webhook := self._alive()) is not None:
            try:
                message = (await webhook.send(wait=True, **more)).id
                self._of_token.add(message)
                return message
            except discord.HTTPException as error:
                self._check(error)
        if not self.messages and self._answers is not None and self.is_answering:
            more["reference"] = self._answers
        channel = self._reachable()
        await self._rates.wait_overall()
        try:
            nonce = f"{self.key}.{len(self.messages)}"[-MAX_NONCE:]
            return (await channel.send(nonce=nonce, **more)).id
        except discord.HTTPException as error:
            self._check(error)
            raise

    def _alive(self) -> discord.Webhook | None:
        """What sends and edits through the token, while that lives."""
        if self._token is not None and self._token.seconds_left <= 0:
            self._webhook = None
        return self._webhook

    def _reachable(self) -> discord.PartialMessageable:
        """The channel. Raises `GoneError` where the bot is no member."""
        if self._channel is None:
            raise GoneError("the token has run out, and the bot is no member there")
        return self._channel

    def _check(self, error: discord.HTTPException) -> None:
        """Return if the token has run out, so that the channel can be used. Raises `GoneError`, or the error itself."""
        if error.code in (UNKNOWN_WEBHOOK, INVALID_TOKEN) and self._webhook is not None:
            self._webhook = None
        elif error.status in (400, 401, 403, 404):
            raise GoneError(_one_line(error), error.code == INVALID_FORM) from error
        else:
            raise error


def _one_line(error: BaseException) -> str:
    return repr(" ".join(str(error).split()) or type(error).__name__)


class Posts:
    """Makes posts that share the rates and the format of new messages."""

    def __init__(self, client: discord.Client, rates: Rates, formats: Formats) -> None:
        self._client, self._rates, self._formats = client, rates, formats

    def answering(self, interaction: discord.Interaction[Any], is_member: bool = True) -> Post:
        """A post that answers an interaction in a channel where the bot is a member, or is not."""
        channel = interaction.channel_id or 0
        token = Token(interaction.application_id, interaction.token, interaction.created_at.timestamp())
        place = self._channel(interaction.guild_id or 0, channel) if is_member else None
        owner = 0 if is_member else interaction.user.id
        return self._through(token, channel, place, Chain([], self._formats.new), interaction.id, owner)

    def by_token(self, owner: int, channel: int, token: Token, chain: Chain, key: int) -> Post:
        """A post with the messages that it has already, of a person's story where the bot is no member."""
        return self._through(token, channel, None, chain, key, owner)

    def in_channel(
        self, guild: int, channel: int, *, answers: discord.MessageReference | None = None,
        chain: Chain | None = None, key: int = 0,
    ) -> Post:  # fmt: skip
        """A post in a channel (in a direct message, `guild` is 0), new or with the messages that it has already."""
        return Post(
            self._channel(guild, channel), self._rates, self._formats, pace=self._rates.channel(channel),
            answers=answers, chain=chain, key=key,
        )  # fmt: skip

    def promised(self, guild: int, channel: int, message: int) -> Post:
        """A post in a message that was promised and shows nothing yet."""
        return self.in_channel(guild, channel, chain=Chain([message], self._formats.new))

    def _through(
        self, token: Token, channel: int, place: discord.PartialMessageable | None, chain: Chain, key: int, owner: int
    ) -> Post:
        data: Any = {"id": token.application, "type": discord.WebhookType.application.value, "token": token.value}
        webhook = discord.Webhook.from_state(data, self._client._connection)
        pace = self._rates.channel(channel, token.value)
        return Post(
            place, self._rates, self._formats, pace=pace, token=token, webhook=webhook, chain=chain, key=key,
            owner=owner,
        )  # fmt: skip

    def _channel(self, guild: int, channel: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel, guild_id=guild or None)
