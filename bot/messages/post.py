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

from bot.messages.buttons import StoryButton
from bot.messages.layout import Forms, arguments
from bot.messages.pages import CONTENT, Chain, Page, Passage, pages
from bot.messages.rate_limits import Rates

TOKEN_SECONDS = 14 * 60  # an interaction's token lives for a quarter of an hour
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0)  # between attempts to deliver a last edit; the last one repeats
UNKNOWN_WEBHOOK, INVALID_TOKEN, INVALID_FORM = 10015, 50027, 50035  # Discord's error codes
MAX_NONCE = 25  # characters, of Discord
_log = logging.getLogger(__name__)


class GoneError(Exception):
    """The message or its channel is not there anymore, or closed to the bot; or Discord does not take the form."""

    def __init__(self, error: discord.HTTPException) -> None:
        super().__init__(_one_line(error))
        self.is_form = error.code == INVALID_FORM


class Post:
    """The messages of one reply, in their order."""

    def __init__(
        self,
        channel: discord.PartialMessageable,
        rates: Rates,
        forms: Forms,
        *,
        interaction: discord.Interaction[Any] | None = None,
        answers: discord.MessageReference | None = None,
        chain: Chain | None = None,
        key: int = 0,
    ) -> None:
        """`chain` has messages that exist already; `answers` is what the first message replies to."""
        self.chain = chain or Chain([], forms.new)
        self.key = key or (interaction.id if interaction else (answers and answers.message_id) or 0)
        """The post's permanent number in its channel."""
        self.on_sent: Callable[[], Awaitable[None]] | None = None
        """This is awaited after a further message was sent."""
        self._is_told = False
        self._interaction, self._answers = interaction, answers
        self._original: int | None = None  # the message that answers the interaction itself
        self._of_token: set[int] = set()  # messages sent through the token: it can edit no others
        self._channel, self._rates, self._forms = channel, rates, forms
        self._pace = rates.channel(channel.id, interaction.token if interaction else None)
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
        try:
            await self._show(passage, buttons)
        except GoneError as error:
            is_begun = any(self._shown)
            if is_begun or not error.is_form or not self._forms.fall_back(self.chain.form, str(error)):
                raise
            self.chain.form = CONTENT
            await self._show(passage, buttons)
        self._is_told = False

    async def _show(self, passage: Passage, buttons: Sequence[StoryButton]) -> None:
        cut = pages(passage, self.chain.form)
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
        self._original, self._of_token = message, {message}

    @property
    def is_begun(self) -> bool:
        """Whether any part of the reply was shown."""
        return any(self._shown) and not self._is_told

    async def tell(self, note: str) -> None:
        """Show small print in place of the reply, until there is more of it."""
        await self.show(Passage(note=note))
        self._is_told = True

    async def add(self, note: str) -> None:
        """Put small print below the last message and take its buttons away, in one attempt that may fail."""
        if shown := self._shown[-1]:
            with suppress(GoneError, discord.HTTPException, aiohttp.ClientError, OSError):
                await self._edit(self.messages[-1], replace(shown[0], note=note), ())

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
        given = arguments(page, buttons, self.chain.form)
        if (interaction := self._alive()) is not None and message in self._of_token:
            try:
                if message == self._original:
                    await interaction.edit_original_response(**given)
                else:
                    await interaction.followup.edit_message(message, **given)
                return
            except discord.HTTPException as error:
                self._check(error)
        await self._rates.wait_overall()
        try:
            await self._channel.get_partial_message(message).edit(**given)
        except discord.HTTPException as error:
            self._check(error)
            raise

    async def _send(self, page: Page, buttons: Sequence[StoryButton]) -> int:
        """Send a message; returns its id.

        Messages through the channel carry a nonce, so Discord sends them once even if its answer is lost and the
        library sends them again. Messages through the token carry none, but they need no permission and do not count
        among the bot's requests.
        """
        given = arguments(page, buttons, self.chain.form)
        more = {name: value for name, value in given.items() if value is not None}
        if (interaction := self._alive()) is not None:
            try:
                message = (await interaction.followup.send(wait=True, **more)).id
                self._of_token.add(message)
                return message
            except discord.HTTPException as error:
                self._check(error)
        if not self.messages and self._answers is not None:
            more["reference"] = self._answers
        await self._rates.wait_overall()
        try:
            nonce = f"{self.key}.{len(self.messages)}"[-MAX_NONCE:]
            return (await self._channel.send(nonce=nonce, **more)).id
        except discord.HTTPException as error:
            self._check(error)
            raise

    def _alive(self) -> discord.Interaction[Any] | None:
        """The interaction, while its token lives."""
        if self._interaction is not None:
            age = discord.utils.utcnow() - self._interaction.created_at
            if age.total_seconds() > TOKEN_SECONDS:
                self._interaction = None
        return self._interaction

    def _check(self, error: discord.HTTPException) -> None:
        """Return if the token has run out, so that the channel can be used. Raises `GoneError`, or the error itself."""
        if error.code in (UNKNOWN_WEBHOOK, INVALID_TOKEN) and self._interaction is not None:
            self._interaction = None
        elif error.status in (400, 401, 403, 404):
            raise GoneError(error) from error
        else:
            raise error


def _one_line(error: BaseException) -> str:
    return repr(" ".join(str(error).split()) or type(error).__name__)


class Posts:
    """Makes posts that share the rates and the form of new messages."""

    def __init__(self, client: discord.Client, rates: Rates, forms: Forms) -> None:
        self._client, self._rates, self._forms = client, rates, forms

    def answering(self, interaction: discord.Interaction[Any]) -> Post:
        """A post that answers an interaction."""
        channel = self._channel(interaction.guild_id or 0, interaction.channel_id or 0)
        return Post(channel, self._rates, self._forms, interaction=interaction)

    def in_channel(
        self, guild: int, channel: int, *, answers: discord.MessageReference | None = None,
        chain: Chain | None = None, key: int = 0,
    ) -> Post:  # fmt: skip
        """A post in a channel (in a direct message, `guild` is 0), new or with the messages that it has already."""
        return Post(
            self._channel(guild, channel), self._rates, self._forms, answers=answers, chain=chain, key=key
        )  # fmt: skip

    def promised(self, guild: int, channel: int, message: int) -> Post:
        """A post in a message that was promised and shows nothing yet."""
        return self.in_channel(guild, channel, chain=Chain([message], self._forms.new))

    def _channel(self, guild: int, channel: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel, guild_id=guild or None)
