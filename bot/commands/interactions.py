"""Answers what members type and press: promises an answer in time, checks cooldowns, and puts errors in words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import discord
from discord import app_commands

import engine
from bot.messages.buttons import StoryButton, when_written
from bot.messages.layout import arguments
from bot.messages.markdown import escape
from bot.messages.pages import CONTENT, Page, Passage
from bot.messages.post import RETRY_SECONDS, Post, Posts
from bot.messages.rate_limits import Cooldown
from bot.replies.replies import Replies
from bot.replies.requests import Note, Request
from bot.settings import Settings
from bot.statistics import Statistics
from bot.stories.channels import Channel
from bot.stories.navigation import begin_with_copy, copy_at_turn, move_in_story, story_end
from bot.stories.refusals import Refusal
from bot.stories.stories import Story

MOST_ELSEWHERE = 700  # tokens, for six messages: with half as many to the sentence's end, some 10 characters each
MAX_BEGINNING = 8  # requests that are noted at once: among hundreds, the event loop can do other work between them
ASK_SECONDS = 1.5  # a request is noted before its answer is promised, unless the store takes longer than this
ALREADY_ANSWERED = 40060  # Discord's error code
PROMISE = "promise"  # among an interaction's extras: the message that was promised to everybody
Interaction = discord.Interaction[Any]
MakeFiles = Callable[[], list[discord.File]]
_log = logging.getLogger(__name__)


class Interactions:
    """Answers interactions."""

    def __init__(self, replies: Replies, posts: Posts, statistics: Statistics, settings: Settings) -> None:
        self._replies, self._access = replies, replies.access
        self._posts, self._statistics = posts, statistics
        self._beginning = asyncio.Semaphore(MAX_BEGINNING)
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take on other settings."""
        limits = settings.limits
        self._is_logging_texts = settings.service.log_texts
        self._member_cooldown = Cooldown(limits.member_seconds, limits.member_burst)
        self._channel_cooldown = Cooldown(limits.channel_seconds, limits.channel_burst)

    # Admission

    def admit(self, interaction: Interaction) -> None:
        """Count a request to write here. Raises `Refusal` for members who may not write here, or ask too often.

        Discord keeps such members from the commands (`default_permissions`), but not from the buttons.
        """
        self.check_may_write(interaction)
        self.check_cooldown(channel_of(interaction), interaction.user.id)

    def check_may_write(self, interaction: Interaction) -> None:
        """Raise `Refusal` for members who may not write here."""
        if is_elsewhere(interaction):
            if not interaction.is_user_integration():
                raise Refusal("that story belongs to who asked for it: whoever installs me may begin one here, too")
        elif interaction.guild_id is not None and not may_send(interaction.channel, interaction.permissions):
            raise Refusal("you may not write here, so I may not write here for you")

    def check_cooldown(self, channel: Channel, member: int) -> None:
        """Count a request. Raises `Refusal` if it comes too soon."""
        now = time.monotonic()
        if wait := self._member_cooldown.wait(member, now):
            raise Refusal(
                f"not so fast: try again in {wait:.0f} s" if wait >= 1 else "not so fast: try again in a second"
            )
        if wait := self._channel_cooldown.wait(channel, now):
            raise Refusal(f"this channel asks for very much: try again in {wait:.0f} s")

    # Replies and moves

    async def answer(self, interaction: Interaction, request: Request) -> None:
        """Answer an interaction with a reply in a new message. Raises `Refusal`."""
        channel = channel_of(interaction)
        self.admit(interaction)
        post = self._answering(interaction)
        request = replace(request, name=request.name or interaction.user.display_name)
        if post.only_token is not None:
            request = replace(request, most=MOST_ELSEWHERE)
        note = self._replies.note(channel, post)
        async with self._beginning:
            request = await self._replies.check_limits(channel, request)
            asking = asyncio.create_task(self._access.try_call(lambda: note.ask(request)))
            await asyncio.wait({asking}, timeout=ASK_SECONDS)
        try:
            post.promise(await self.defer(interaction))
        except (discord.HTTPException, aiohttp.ClientError, OSError):  # nobody waits for the reply anymore
            await asking
            await self._access.try_call(note.remove)
            raise
        await asking
        await self.write(request, post, note)

    async def write(self, request: Request, post: Post, note: Note) -> None:
        """Have a reply written, after its limits were checked. Raises `Refusal`."""
        began, channel = time.monotonic(), note.channel
        await self._replies.write(request, post, note)
        self._statistics.num_replies += 1
        texts = f" text={request.text!r}" if self._is_logging_texts else ""
        _log.info(
            "event=reply guild=%d channel=%d member=%d kind=%s seconds=%.2f%s",
            channel.guild, channel.id, request.member, request.kind, time.monotonic() - began, texts,
        )  # fmt: skip

    async def move(
        self, interaction: Interaction, act: Callable[[engine.Conversation], None], serial: int | None = None,
        shown: Callable[[Story], Passage] = story_end,
    ) -> None:  # fmt: skip
        """Move in the story, and answer with what is `shown` of it there. Raises `Refusal`."""
        self.admit(interaction)
        message = await self.defer(interaction)
        story, passage = await move_in_story(self._access, channel_of(interaction), act, serial, shown)
        await self.show(interaction, message, passage, when_written(story.serial, story.conversation.present))

    async def fork(
        self, interaction: Interaction, name: str | None = None, serial: int | None = None, turn: int | None = None
    ) -> None:
        """Open a thread whose story begins as a copy of this channel's. Raises `Refusal`."""
        channel = channel_of(interaction)
        self.admit(interaction)
        if is_elsewhere(interaction):
            raise Refusal("I am no member here, so I cannot open a thread")
        parent = thread_parent(interaction)
        message = await self.defer(interaction)
        story, copy = await copy_at_turn(self._access, channel, serial, turn)
        kind = discord.ChannelType.news_thread if parent.is_news() else discord.ChannelType.public_thread
        title = name or f"fork of {getattr(interaction.channel, 'name', 'the story')}"
        try:
            thread = await parent.create_thread(name=title[:100], type=kind)
        except discord.HTTPException as error:
            raise Refusal(f"Discord does not let me open a thread here: {error.text}") from error
        forked, end = await begin_with_copy(self._access, Channel(channel.guild, thread.id), story, copy)
        post = self._posts.in_channel(channel.guild, thread.id, key=interaction.id)
        await post.finish(end, when_written(forked.serial, forked.conversation.present))
        await self.show(interaction, message, Passage(said=f"It goes on from here in {thread.mention}, too."))

    # Answers

    def _answering(self, interaction: Interaction) -> Post:
        return self._posts.answering(interaction, not is_elsewhere(interaction))

    async def defer(self, interaction: Interaction, *, is_private: bool = False) -> int:
        """Promise an answer, because Discord waits only three seconds; returns the id of its message."""
        message = None
        try:
            answer = await interaction.response.defer(thinking=True, ephemeral=is_private)
            message = answer.message_id if answer is not None else None
        except discord.HTTPException as error:
            if error.code != ALREADY_ANSWERED:  # Discord took the promise, but its own answer was lost
                raise
        message = message or (await interaction.original_response()).id
        if not is_private:
            interaction.extras[PROMISE] = message
        return message

    async def show(
        self, interaction: Interaction, message: int, passage: Passage, buttons: Sequence[StoryButton] = ()
    ) -> None:
        """Show a promised answer to everybody, however long Discord is away."""
        post = self._answering(interaction)
        post.promise(message)
        await post.finish(passage, buttons)

    async def show_privately(
        self, interaction: Interaction, text: str, make_files: MakeFiles = list, buttons: Sequence[StoryButton] = ()
    ) -> None:
        """Show a promised answer only to the member who asked, whom only the interaction's token reaches.

        Raises `Refusal` for what Discord does not take.
        """
        shown = arguments(Page((text,)), buttons, CONTENT)
        for wait in RETRY_SECONDS:
            try:
                await interaction.edit_original_response(attachments=make_files(), **shown)
                return
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                if isinstance(error, discord.HTTPException) and error.status < 500:
                    raise Refusal(f"Discord does not take the answer ({error.text or error.status})") from error
                await asyncio.sleep(wait)
        _log.warning("event=not-shown error='Discord was away for too long'")

    async def tell_error(self, interaction: Interaction, error: BaseException) -> None:
        """Tell only the member who asked what went wrong."""
        is_answered = interaction.response.is_done()
        if isinstance(error, discord.HTTPException) and not is_answered:  # too late, or Discord has a fault
            _log.warning("event=not-answered error=%r", str(error))
            return
        text = _in_words(interaction, error)
        try:
            if not is_answered:
                await interaction.response.send_message(text, ephemeral=True)
                return
            if interaction.response.type == discord.InteractionResponseType.deferred_channel_message:
                await interaction.delete_original_response()
            await interaction.followup.send(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as failure:
            _log.warning("event=not-told error=%r", str(failure))
            promise = interaction.extras.get(PROMISE)
            if promise and not is_elsewhere(interaction):  # everybody sees it waiting, and it needs no token
                channel = channel_of(interaction)
                await self._posts.promised(channel.guild, channel.id, promise).finish(Passage(footer=escape(text)))


def is_elsewhere(interaction: Interaction) -> bool:
    """Whether an interaction comes from where the bot is no member: there, somebody has installed it for themselves."""
    if interaction.guild_id is not None:
        client: discord.Client = interaction.client
        return not interaction.is_guild_integration() and client.get_guild(interaction.guild_id) is None
    return interaction.context.private_channel


def channel_of(interaction: Interaction) -> Channel:
    """Where an interaction happened; elsewhere the stories of a channel are those of one person."""
    place = interaction.user.id if is_elsewhere(interaction) else interaction.guild_id or 0
    return Channel(place, interaction.channel_id or 0)


def check_owner(interaction: Interaction, owner: int) -> None:
    """Raise `Refusal` for another person's own story, or one from before the bot was a member; an owner of 0 is none.

    A story's serial number and a turn would mean another story there.
    """
    if owner and channel_of(interaction).guild != owner:
        if is_elsewhere(interaction):
            raise Refusal("that story belongs to who asked for it: `/continue` goes on with yours")
        raise Refusal("that story is of one person, from before I was a member here: `/continue` goes on with this one")


def is_own(interaction: Interaction) -> bool:
    """Whether a story belongs to the person alone: in a direct message, and elsewhere. They may do everything there."""
    return interaction.guild_id is None or is_elsewhere(interaction)


def may_send(channel: object, permissions: discord.Permissions) -> bool:
    """Whether these permissions in a server's channel allow to send messages there."""
    is_thread = isinstance(channel, discord.Thread)
    return permissions.send_messages_in_threads if is_thread else permissions.send_messages


def is_moderator(interaction: Interaction) -> bool:
    """Whether a member may delete others' messages, or whether the story is their own."""
    return is_own(interaction) or interaction.permissions.manage_messages


def thread_parent(interaction: Interaction) -> discord.TextChannel:
    """The channel where a thread can be opened from here. Raises `Refusal` if there is none, or it is not allowed."""
    channel = interaction.channel
    if interaction.guild_id is not None and not interaction.permissions.create_public_threads:
        raise Refusal("opening a thread here needs the permission Create Public Threads")
    if isinstance(channel, discord.Thread) and channel.is_private():
        raise Refusal("this thread is private, and a fork of it would be for all to read")
    parent = channel.parent if isinstance(channel, discord.Thread) else channel
    if not isinstance(parent, discord.TextChannel):
        raise Refusal("threads cannot be opened here, so there is nowhere to fork to")
    permissions = parent.permissions_for(parent.guild.me)
    if not (permissions.create_public_threads and permissions.send_messages_in_threads):
        raise Refusal("I may not open threads here: I need Create Public Threads and Send Messages in Threads")
    return parent


def _in_words(interaction: Interaction, error: BaseException) -> str:
    """What a member reads about an error; an error that nobody expected is logged."""
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, app_commands.CheckFailure):
        return "you may not do that here"
    data: dict[str, Any] = dict(interaction.data or {})
    _log.error("event=error where=%r", data.get("name") or data.get("custom_id"), exc_info=error)
    return "something went wrong; it was logged for the operator, and the story is as it was"
