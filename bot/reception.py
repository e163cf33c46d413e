"""From what a member types or presses to the scribe, and back: promises, cooldowns, double presses, errors in words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import app_commands

import engine
from bot.buttons import StoryButton, when_written
from bot.moves import take_back
from bot.pacing import MAX_KEYS, Cooldown
from bot.pages import escape
from bot.plans import Plan
from bot.posting import RETRY_SECONDS, Post
from bot.scribe import Refusal
from bot.settings import Settings
from bot.stories import Place

if TYPE_CHECKING:
    from bot.client import Textbot

BEGINNING = 8  # requests that are noted at once: where hundreds come together, the event loop has air between them
ASK_SECONDS = 1.5  # a request is noted before its answer is promised, unless the store takes longer than that
PRESS_SECONDS = 2.0  # a second press of a button within so long after the first was done means the same
ALREADY_ANSWERED = 40060  # Discord's error code
PROMISE = "promise"  # among an interaction's extras: the message that was promised for all to see
Interaction = discord.Interaction[Any]
MakeFiles = Callable[[], list[discord.File]]
_log = logging.getLogger("bot.reception")


class Reception:
    """Answers interactions."""

    def __init__(self, bot: Textbot, settings: Settings) -> None:
        self.bot, self._scribe = bot, bot.scribe
        self._presses: dict[tuple[int, str], float] = {}
        self._beginning = asyncio.Semaphore(BEGINNING)
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take on other limits."""
        self._settings, limits = settings, settings.limits
        self._member_cooldown = Cooldown(limits.member_seconds, limits.member_burst)
        self._channel_cooldown = Cooldown(limits.channel_seconds, limits.channel_burst)

    async def write(self, place: Place, plan: Plan, post: Post) -> None:
        """Have a reply written, within limits that were checked. Raises `Refusal`."""
        began = time.monotonic()
        await self._scribe.write(place, plan, post)
        self.bot.num_replies += 1
        texts = f" text={plan.text!r}" if self._settings.service.log_texts else ""
        _log.info(
            "event=reply guild=%d channel=%d member=%d kind=%s seconds=%.2f%s",
            place.guild, place.channel, plan.member, plan.kind, time.monotonic() - began, texts,
        )  # fmt: skip

    async def answer(self, interaction: Interaction, plan: Plan) -> None:
        """Answer an interaction with a reply in a new message."""
        place = place_of(interaction)
        self.admit(interaction)
        post = Post(self.bot, self.bot.rates, place, interaction=interaction)
        async with self._beginning:
            await self._scribe.check_limits(place, plan)
            asking = asyncio.create_task(self._scribe.ask(place, plan, post))
            await asyncio.wait({asking}, timeout=ASK_SECONDS)
        try:
            post.promise(await self.defer(interaction))
        except (discord.HTTPException, aiohttp.ClientError, OSError):  # nobody waits for it any more
            await asking
            await self._scribe.unask(place, post)
            raise
        await asking
        await self.write(place, plan, post)

    async def defer(self, interaction: Interaction, *, only_for_them: bool = False) -> int:
        """Promise an answer, for three seconds are all that Discord waits; returns the message's id."""
        message = None
        try:
            answer = await interaction.response.defer(thinking=True, ephemeral=only_for_them)
            message = answer.message_id if answer is not None else None
        except discord.HTTPException as error:
            if error.code != ALREADY_ANSWERED:  # Discord took it, but its own answer was lost on the way
                raise
        message = message or (await interaction.original_response()).id
        if not only_for_them:
            interaction.extras[PROMISE] = message
        return message

    async def move(
        self, interaction: Interaction, act: Callable[[engine.Conversation], None], serial: int | None = None
    ) -> None:
        """Go elsewhere in the story, and answer with where that is."""
        self.admit(interaction)
        message = await self.defer(interaction)
        story, where = await self._scribe.move(place_of(interaction), act, serial)
        await self.show(interaction, message, where, when_written(story.serial, story.talk.present))

    async def show(
        self, interaction: Interaction, message: int, text: str, view: discord.ui.View | None = None
    ) -> None:
        """Let everybody see an answer that was promised, however long Discord is away."""
        post = Post(self.bot, self.bot.rates, place_of(interaction), interaction=interaction)
        post.promise(message)
        await post.finish([text], view)

    async def show_them(self, interaction: Interaction, text: str, make_files: MakeFiles = list) -> None:
        """Let only the one who asked see a promised answer; nothing but the interaction's token can reach them.

        Raises `Refusal` for what Discord does not take.
        """
        for wait in RETRY_SECONDS:
            try:
                await interaction.edit_original_response(content=text, attachments=make_files())
                return
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                if isinstance(error, discord.HTTPException) and error.status < 500:
                    raise Refusal(f"Discord does not take the answer ({error.text or error.status})") from error
                await asyncio.sleep(wait)
        _log.warning("event=not-shown error='Discord was away for too long'")

    async def fork(self, interaction: Interaction, name: str | None, serial: int | None, turn: int | None) -> None:
        """Open a thread whose story begins as a copy of this one."""
        place, channel = place_of(interaction), interaction.channel
        self.admit(interaction)
        if interaction.guild_id is not None and not interaction.permissions.create_public_threads:
            raise Refusal("opening a thread here needs the permission Create Public Threads")
        if isinstance(channel, discord.Thread) and channel.is_private():
            raise Refusal("this thread is private, and a fork of it would be for all to read")
        parent = channel.parent if isinstance(channel, discord.Thread) else channel
        if not isinstance(parent, discord.TextChannel):
            raise Refusal("threads cannot be opened here, so there is nowhere to fork to")
        rights = parent.permissions_for(parent.guild.me)
        if not (rights.create_public_threads and rights.send_messages_in_threads):
            raise Refusal("I may not open threads here: I need Create Public Threads and Send Messages in Threads")
        message = await self.defer(interaction)
        story, branch = await self._scribe.branch(place, serial, turn)
        kind = discord.ChannelType.news_thread if parent.is_news() else discord.ChannelType.public_thread
        title = name or f"fork of {getattr(channel, 'name', 'the story')}"
        try:
            thread = await parent.create_thread(name=title[:100], type=kind)
        except discord.HTTPException as error:
            raise Refusal(f"Discord does not let me open a thread here: {error.text}") from error
        copy, where = await self._scribe.plant(Place(place.guild, thread.id), story, branch)
        await thread.send(where, view=when_written(copy.serial, copy.talk.present))
        await self.show(interaction, message, f"It goes on from here in {thread.mention}, too.")

    async def pressed(self, interaction: Interaction, button: StoryButton) -> None:
        """A button was pressed, for the first time or once more."""
        key = interaction.message.id if interaction.message else 0, button.action
        if not self.bot.is_new(interaction.id):
            return
        try:
            if button.action == "stop":
                await self._stop(interaction)
                return
            now = time.monotonic()
            if self._presses.get(key, 0.0) > now:
                raise Refusal("somebody has just pressed that button: once is enough")
            self._presses[key] = float("inf")
            try:
                await self._do(interaction, button)
            except Refusal:  # nothing was done, so the next one may
                del self._presses[key]
                raise
            finally:
                if self._presses.pop(key, None) is not None:
                    self._presses[key] = time.monotonic() + PRESS_SECONDS
                if len(self._presses) > MAX_KEYS:
                    self._presses = {key: until for key, until in self._presses.items() if until > now}
        except Exception as error:  # the library would only log it
            await self.tell_error(interaction, error)

    async def _do(self, interaction: Interaction, button: StoryButton) -> None:
        member, serial, turn = interaction.user.id, button.serial, button.turn
        if button.action == "continue":
            await self.answer(interaction, Plan(member, serial=serial, turn=turn))
        elif button.action == "retry":
            await self.answer(interaction, Plan(member, "retry", serial=serial, turn=turn))
        elif button.action == "undo":
            await self.move(interaction, lambda talk: take_back(talk, turn), serial)
        else:
            await self.fork(interaction, None, serial, turn)

    async def _stop(self, interaction: Interaction) -> None:
        message = interaction.message.id if interaction.message else 0
        place, member = place_of(interaction), interaction.user.id
        if not await self._scribe.stop(place, message, member, is_moderator(interaction)):
            raise Refusal("it has just ended")
        await interaction.response.defer()

    def admit(self, interaction: Interaction) -> None:
        """Count a request to write here. Raises `Refusal` for who may not write here themselves, or asks too often.

        Discord keeps such members from the commands already (`default_permissions`), but not from the buttons.
        """
        if interaction.guild_id is not None and not may_send(interaction.channel, interaction.permissions):
            raise Refusal("you may not write here, so I may not write here for you")
        self.check_cooldown(place_of(interaction), interaction.user.id)

    def check_cooldown(self, place: Place, member: int) -> None:
        """Count a request. Raises `Refusal` where it comes too soon."""
        now = time.monotonic()
        if wait := self._member_cooldown.wait(member, now):
            raise Refusal(
                f"not so fast: try again in {wait:.0f} s" if wait >= 1 else "not so fast: try again in a second"
            )
        if wait := self._channel_cooldown.wait(place, now):
            raise Refusal(f"this channel asks for very much: try again in {wait:.0f} s")

    async def tell_error(self, interaction: Interaction, error: BaseException) -> None:
        """Tell the one who asked, and nobody else, what went wrong."""
        if isinstance(error, Refusal):
            text = str(error)
        elif isinstance(error, app_commands.CheckFailure):
            text = "you may not do that here"
        elif isinstance(error, discord.NotFound | discord.HTTPException) and not interaction.response.is_done():
            _log.warning("event=not-answered error=%r", str(error))  # too late, or Discord is ill
            return
        else:
            text = "something went wrong; it was logged for the operator, and the story is as it was"
            data: dict[str, Any] = dict(interaction.data or {})
            _log.error("event=error where=%r", data.get("name") or data.get("custom_id"), exc_info=error)
        try:
            if not interaction.response.is_done():
                await interaction.response.send_message(text, ephemeral=True)
                return
            if interaction.response.type == discord.InteractionResponseType.deferred_channel_message:
                await interaction.delete_original_response()
            await interaction.followup.send(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as failure:
            _log.warning("event=not-told error=%r", str(failure))
            if promise := interaction.extras.get(PROMISE):  # all see that one wait, and it can be had without the token
                post = Post(self.bot, self.bot.rates, place_of(interaction), messages=[promise])
                await post.finish([f"-# {escape(text)}"], None)


def place_of(interaction: Interaction) -> Place:
    """Where an interaction happened."""
    return Place(interaction.guild_id or 0, interaction.channel_id or 0)


def may_send(channel: object, permissions: discord.Permissions) -> bool:
    """Whether somebody with these permissions in a server's channel may send messages to it."""
    is_thread = isinstance(channel, discord.Thread)
    return permissions.send_messages_in_threads if is_thread else permissions.send_messages


def is_moderator(interaction: Interaction) -> bool:
    """Whether somebody may delete others' messages; in a direct message everybody may do everything."""
    return interaction.guild_id is None or interaction.permissions.manage_messages
