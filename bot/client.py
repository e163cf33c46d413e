"""The bot as Discord sees it: the connection and its events."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.commands.channel_commands import ChannelCommands
from bot.commands.commands import StoryCommands
from bot.commands.forms import FilledForms
from bot.commands.inspection import InspectionCommands
from bot.commands.interactions import Interaction, Interactions, may_send
from bot.commands.menus import MessageMenus
from bot.commands.options import limit_options, offer_in
from bot.commands.presses import ButtonPresses
from bot.commands.settings import ChannelSettings
from bot.gateway import Connector
from bot.messages.buttons import StoryButton
from bot.messages.layout import Formats
from bot.messages.pages import Chain
from bot.messages.post import Post, Posts
from bot.messages.rate_limits import Cooldown, Rates
from bot.messages.reading import text_of
from bot.replies.recovery import Recovery
from bot.replies.replies import Replies
from bot.replies.requests import Note, Request
from bot.replies.voting import Voting
from bot.settings import Settings
from bot.statistics import Statistics
from bot.stories.access import StoryAccess
from bot.stories.channels import Channel
from bot.stories.refusals import Refusal
from bot.stories.stories import Stories

COMMANDS_NOTE = "discord/commands", "synced"  # which guilds have which commands
SYNC_SECONDS = 86400.0
TELL_SECONDS = 30.0  # between answers to a member whose mentions are refused
MAX_EVENTS = 4096  # whose ids are remembered
_log = logging.getLogger(__name__)


class Tree(app_commands.CommandTree["Textbot"]):
    """The tree of commands. It tells members what went wrong."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Tell the member about the exception of a command."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await self.client.interactions.tell_error(interaction, cause)

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Whether the event comes for the first time. From here on, the end waits for its command."""
        return self.client.begin(interaction.id)


class Textbot(commands.AutoShardedBot):
    """The client of all shards in this process."""

    def __init__(
        self, settings: Settings, models: dict[str, engine.Engine], store: engine.Store,
        speakers: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """`speakers` are those of the chats that models were trained on, by the names of the models."""
        self.rates = Rates()
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        given = settings.discord
        shards: dict[str, Any] = {"shard_count": given.shard_count} if given.shard_count else {}
        if given.shard_ids:
            shards["shard_ids"] = list(given.shard_ids)
        super().__init__(
            command_prefix=commands.when_mentioned, help_command=None, tree_cls=Tree, intents=intents,
            allowed_mentions=discord.AllowedMentions.none(), member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False, max_messages=None, guild_ready_timeout=0.5, http_trace=self.rates.trace(),
            connector=Connector(), **shards,
        )  # fmt: skip
        self.models, self.settings, self.statistics = models, settings, Statistics(models)
        self.access = StoryAccess(Stories(store, models, settings.writing, speakers), settings.limits.channel_waiting)
        self.replies = Replies(self.access, settings.limits)
        self._posts = Posts(self, self.rates, Formats(given.components))
        self.interactions = Interactions(self.replies, self._posts, self.statistics, settings)
        self._recovery = Recovery(self.replies)
        self._voting = Voting(self.replies, self._in_channel)
        self._offered: list[Any] = []  # all commands, wherever they are offered
        self._recovered: set[int] = set()  # the shards whose guilds' replies were finished
        self._events: OrderedDict[int, None] = OrderedDict()
        self._telling = Cooldown(TELL_SECONDS, 1)

    def apply(self, settings: Settings) -> None:
        """Take on the settings that may change while the bot runs: how to write, and the limits."""
        is_other = settings.writing != self.settings.writing
        self.settings = dataclasses.replace(settings, discord=self.settings.discord)
        self.access.stories.writing, self.access.max_waiting = settings.writing, settings.limits.channel_waiting
        self.replies.apply(settings.limits)
        self.interactions.apply(settings)
        if is_other:
            self.replies.start(self._offer_again())

    async def setup_hook(self) -> None:
        """Set up the commands and buttons, after the login."""
        await self._recovery.look_back()
        await self._voting.look_back()
        self.add_dynamic_items(StoryButton)
        await self.add_cog(StoryCommands(self.replies, self.interactions))
        await self.add_cog(InspectionCommands(self.replies, self.interactions))
        await self.add_cog(ChannelCommands(self.replies, self.interactions, self.models, self.statistics))
        settings = ChannelSettings(self.replies, self.interactions)
        await self.add_cog(settings)
        await self.add_cog(ButtonPresses(self.replies, self._voting, self.interactions, settings, self.begin))
        await self.add_cog(FilledForms(self.interactions, settings, self.begin))
        MessageMenus(self.replies, self.interactions).add_to(self.tree)
        self._offered = self.tree.get_commands()
        await self._offer_commands()

    async def _offer_commands(self) -> None:
        """Have Discord offer the commands, within the operator's limits."""
        if 0 not in (self.settings.discord.shard_ids or (0,)):
            return  # the process with the first shard does it
        limit_options(self._offered, self.settings.writing)
        offer_in(self._offered, self._is_for_persons())
        await self._sync(list(self.settings.discord.guilds))

    async def _offer_again(self) -> None:
        """Offer the commands within other limits; if Discord does not take that, the next start does it."""
        try:
            await self._offer_commands()
        except (Refusal, discord.HTTPException, aiohttp.ClientError, OSError) as error:
            _log.warning("event=not-offered error=%r", str(error))

    def _is_for_persons(self) -> bool:
        """Whether a person may install the application; commands of single servers are not for persons."""
        application = self.application
        is_set_up = application is not None and application.user_integration_config is not None
        return is_set_up and not self.settings.discord.guilds

    async def _sync(self, guilds: list[int]) -> None:
        """Give the commands to `guilds` (to all, if it is empty), and take them from those that had them before.

        Nothing is sent if the same commands were sent within a day, because Discord limits how often this is done.
        """
        store = self.access.stories.store
        known = await self.access.call(lambda: store.note(*COMMANDS_NOTE)) or {}
        shapes = json.dumps([command.to_dict(self.tree) for command in self._offered], sort_keys=True)
        digest = hashlib.sha256(f"{self.application_id} {shapes}".encode()).hexdigest()
        if (known.get("digest"), known.get("guilds")) == (digest, guilds) and known["at"] > time.time() - SYNC_SECONDS:
            return
        for number in guilds:
            self.tree.copy_global_to(guild=discord.Object(number))
        if guilds:
            self.tree.clear_commands(guild=None)
        await self.tree.sync()
        for number in {*guilds, *known.get("guilds", [])}:
            try:
                await self.tree.sync(guild=discord.Object(number))
            except (discord.Forbidden, discord.NotFound):
                if number in guilds:
                    _log.error("event=no-commands guild=%d mend='invite the bot with the printed address'", number)
        note = {"digest": digest, "guilds": guilds, "at": time.time()}
        await self.access.call(lambda: store.write_notes({COMMANDS_NOTE: note}))

    async def on_ready(self) -> None:
        """Log that all shards are connected."""
        _log.info("event=ready shards=%s guilds=%d", sorted(self.shards), len(self.guilds))

    async def on_shard_ready(self, shard: int) -> None:
        """Finish what an earlier process was writing in the guilds of a shard, the first time it connects."""
        if shard in self._recovered:
            return
        self._recovered.add(shard)
        num_shards = self.shard_count or 1

        def is_mine(guild: int) -> bool:
            return (guild >> 22) % num_shards == shard

        def make_post(note: Note) -> Post:
            if note.token is not None:
                return self._posts.by_token(note.channel.guild, note.channel.id, note.token, note.chain, note.post)
            return self._in_channel(note.channel, note.chain, note.post)

        self._voting.take_up(is_mine)
        if count := self._recovery.finish_earlier(is_mine, make_post):
            _log.info("event=recovering shard=%d replies=%d", shard, count)

    def _in_channel(self, channel: Channel, chain: Chain | None, key: int) -> Post:
        return self._posts.in_channel(channel.guild, channel.id, chain=chain, key=key)

    async def on_message(self, message: discord.Message) -> None:
        """Continue the story with the text of a mention, of a reply to a message of the bot, or of a direct message."""
        if message.author.bot or message.is_system() or not self._is_addressed(message) or not self.begin(message.id):
            return
        guild = message.guild
        if guild is not None and not may_send(message.channel, message.channel.permissions_for(guild.me)):
            return
        channel = Channel(guild.id if guild else 0, message.channel.id)
        reference = message.to_reference(fail_if_not_exists=False)
        post = self._posts.in_channel(channel.guild, channel.id, answers=reference)
        try:
            text, author = text_of(message, self.user.id if self.user is not None else 0), message.author
            request = Request(author.id, text=text, name=author.display_name, is_said=True, is_mention=True)
            self.interactions.check_cooldown(channel, request.member)
            request = await self.replies.check_limits(channel, request)
            await self.interactions.write(request, post, self.replies.note(channel, post))
        except Refusal as refusal:
            if self._telling.wait(message.author.id, time.monotonic()):
                return
            try:
                await message.reply(str(refusal), delete_after=15)
            except discord.HTTPException:
                _log.info("event=not-told channel=%s", channel.key)

    def _is_addressed(self, message: discord.Message) -> bool:
        if self.user in message.mentions or isinstance(message.channel, discord.DMChannel):
            return message.guild is not None or isinstance(message.channel, discord.DMChannel)
        answered = message.reference.resolved if message.reference else None
        return bool(message.content) and isinstance(answered, discord.Message) and answered.author == self.user

    def begin(self, event: int) -> bool:
        """Begin the work for an event in the present task, which `close` waits for.

        False if there is nothing to do: Discord has sent the event before (as it may after a reconnection), or the
        bot has ended.
        """
        if event in self._events or self.replies.is_closed:
            return False
        self._events[event] = None
        if len(self._events) > MAX_EVENTS:
            self._events.popitem(last=False)
        self.replies.join()
        return True

    async def shut_down(self, seconds: float) -> None:
        """Let running replies and commands end, or stop them, within so many seconds; then leave Discord."""
        await self.replies.close(seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.close(), 1.0)

    async def close(self) -> None:
        """Leave Discord, after the end of all that is still at work: none of it finds its connection gone."""
        await self.replies.close(0)
        await super().close()
