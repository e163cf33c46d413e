"""The bot as Discord sees it: its connection and events."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
import time
from collections import OrderedDict, deque
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.buttons import StoryButton
from bot.commands import StoryCommands
from bot.gateway import Connector
from bot.pacing import Cooldown
from bot.plans import Plan
from bot.posting import Post, Rates
from bot.reception import Interaction, Reception, may_send
from bot.scribe import Refusal, Scribe
from bot.settings import Settings
from bot.stories import Place, Stories

COMMANDS_NOTE = "discord/commands", "synced"  # who has which commands
SYNC_SECONDS = 86400.0
TELL_SECONDS = 30.0  # between refusals of a member's mentions; in the meantime nothing is said
MAX_HEARD = 4096  # events that are remembered
PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, create_public_threads=True,
    read_message_history=True, attach_files=True,
)  # fmt: skip
_log = logging.getLogger("bot.client")


class Tree(app_commands.CommandTree["Textbot"]):
    """The commands; tells whoever asked what went wrong."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """An exception of a command."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await self.client.reception.tell_error(interaction, cause)

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Whether an event came for the first time."""
        return self.client.is_new(interaction.id)


class Textbot(commands.AutoShardedBot):
    """All shards of this process."""

    def __init__(self, settings: Settings, models: dict[str, engine.Engine], store: engine.Store) -> None:
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
        self.models, self.store = models, store
        self.scribe = Scribe(Stories(store, models, settings.writing), settings.limits)
        self.started, self.num_replies = time.time(), 0
        self._heard: OrderedDict[int, None] = OrderedDict()
        self._recovered: set[int] = set()
        self._telling = Cooldown(TELL_SECONDS, 1)
        self._looks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.reception = Reception(self, settings)
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take on what may change while it runs: how to write, and the limits."""
        self.settings, limits = settings, settings.limits
        self.scribe.stories.writing, self.scribe.limits = settings.writing, limits
        self.scribe.line.max_running, self.scribe.line.max_waiting = limits.running, limits.waiting
        self.scribe.line.call_waiting()
        self.reception.apply(settings)

    async def setup_hook(self) -> None:
        """Once logged in: the commands and buttons."""
        await self.scribe.call(self.scribe.look_back)
        self.add_dynamic_items(StoryButton)
        await self.add_cog(StoryCommands(self))
        if 0 not in (self.settings.discord.shard_ids or (0,)):
            return  # the process with the first shard does it
        await self._sync(list(self.settings.discord.guilds))

    async def _sync(self, guilds: list[int]) -> None:
        """Give the commands to some guilds, or to all, and take them from those that had them before.

        Nothing is sent where that was done with the same commands within a day: Discord takes only so many of these.
        """
        known = await self.scribe.call(lambda: self.store.note(*COMMANDS_NOTE)) or {}
        shapes = json.dumps([command.to_dict(self.tree) for command in self.tree.get_commands()], sort_keys=True)
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
        await self.scribe.call(lambda: self.store.write_notes({COMMANDS_NOTE: note}))

    async def on_ready(self) -> None:
        """All shards are there."""
        _log.info("event=ready shards=%s guilds=%d", sorted(self.shards), len(self.guilds))

    async def on_shard_ready(self, shard: int) -> None:
        """A shard is there; at first, finish what an earlier process was writing in its guilds."""
        if shard in self._recovered:
            return
        self._recovered.add(shard)
        num_shards = self.shard_count or 1

        def make_post(place: Place, key: int, messages: list[int]) -> Post:
            return Post(self, self.rates, place, messages=messages, key=key)

        if count := self.scribe.finish_earlier(lambda guild: (guild >> 22) % num_shards == shard, make_post):
            _log.info("event=recovering shard=%d replies=%d", shard, count)

    async def on_message(self, message: discord.Message) -> None:
        """A mention, a reply to one of the bot's messages, or any direct message continues the story with its text."""
        if message.author.bot or message.is_system() or not self._is_addressed(message) or not self.is_new(message.id):
            return
        channel, guild = message.channel, message.guild
        if guild is not None and not may_send(channel, channel.permissions_for(guild.me)):
            return
        place = Place(message.guild.id if message.guild else 0, message.channel.id)
        post = Post(self, self.rates, place, answers=message.to_reference(fail_if_not_exists=False))
        try:
            plan = Plan(message.author.id, text=self._text_of(message))
            self.reception.check_cooldown(place, plan.member)
            await self.scribe.check_limits(place, plan)
            await self.reception.write(place, plan, post)
        except Refusal as refusal:
            if self._telling.wait(message.author.id, time.monotonic()):
                return
            try:
                await message.reply(str(refusal), delete_after=15)
            except discord.HTTPException:
                _log.info("event=not-told channel=%s", place.key)

    def _is_addressed(self, message: discord.Message) -> bool:
        if self.user in message.mentions or isinstance(message.channel, discord.DMChannel):
            return message.guild is not None or isinstance(message.channel, discord.DMChannel)
        answered = message.reference.resolved if message.reference else None
        return bool(message.content) and isinstance(answered, discord.Message) and answered.author == self.user

    def _text_of(self, message: discord.Message) -> str:
        """What a message says, without the mention of the bot, and with names for other people's."""
        assert self.user is not None
        text = re.sub(rf"\s*<@!?{self.user.id}>\s*", " ", message.content).strip()
        for person in message.mentions:
            text = text.replace(f"<@{person.id}>", person.display_name).replace(f"<@!{person.id}>", person.display_name)
        return text

    def is_new(self, event: int) -> bool:
        """Whether an event, by its id, comes for the first time: after a reconnection Discord may send it again."""
        if event in self._heard:
            return False
        self._heard[event] = None
        if len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)
        return True

    def characters_per_second(self) -> float:
        """Of all models, over the last minute or so."""
        now, tokens = time.monotonic(), sum(model.activity().tokens for model in self.models.values())
        self._looks.append((now, tokens))
        while len(self._looks) > 2 and self._looks[1][0] < now - 60:
            self._looks.popleft()
        then, before = self._looks[0]
        return (tokens - before) / max(1e-3, now - then)

    async def shut_down(self, seconds: float) -> None:
        """Let replies end or stop them within so many seconds, then leave Discord."""
        await self.scribe.close(seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.close(), 1.0)
