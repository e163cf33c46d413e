"""A small bot on the real discord.py, for the tests of the local Discord itself."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import yarl

from tests.local_discord.local import LocalDiscord

with warnings.catch_warnings():  # discord.py imports `audioop`, which Python 3.11 and 3.12 warn of
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord
    from discord import app_commands
    from discord.ext import commands

__all__ = ["SmallBot", "discord", "running"]
ORDINARY_INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
NOBODY = discord.AllowedMentions.none()


class SmallBot(commands.AutoShardedBot):
    """Answers a few commands, a button and mentions; `heard` is what it was told, `failed` what ended it."""

    def __init__(self, **options: Any) -> None:
        settings: dict[str, Any] = {"intents": ORDINARY_INTENTS, "guild_ready_timeout": 0.1, "shard_count": 1}
        super().__init__(command_prefix="!", **settings | options)
        self.heard: list[tuple[int | None, str]] = []
        self.failed: BaseException | None = None

    async def setup_hook(self) -> None:
        """Adds and syncs the commands."""
        self.tree.add_command(echo)
        self.tree.add_command(pick)
        self.tree.add_command(hold)
        self.tree.add_command(tidy)
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Does not wait the five seconds that Discord asks for."""

    async def on_message(self, message: discord.Message, /) -> None:
        """Notes everybody's words and answers a mention."""
        if message.author == self.user or message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        self.heard.append((message.guild.shard_id if message.guild else None, message.content))
        if self.user in message.mentions:
            await message.reply(f"You said: {message.content}", mention_author="ping" in message.content)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """The button `fork`."""
        data: Any = interaction.data or {}
        if data.get("custom_id") == "fork":
            await interaction.response.edit_message(content="forked", view=None)
            assert isinstance(interaction.channel, discord.TextChannel)
            thread = await interaction.channel.create_thread(name="Fork", type=discord.ChannelType.public_thread)
            await thread.send(file=discord.File(io.BytesIO(b"once"), "text.txt"))


@app_commands.command()
async def echo(interaction: discord.Interaction[Any], text: str, times: app_commands.Range[int, 1, 5] = 1) -> None:
    """Says it again."""
    await interaction.response.defer()
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Fork", emoji="🍴", custom_id="fork"))
    view.add_item(discord.ui.Button(label="Never", custom_id="never", disabled=True))
    await interaction.edit_original_response(content=" ".join([text] * times), view=view, allowed_mentions=NOBODY)


@app_commands.command()
async def pick(interaction: discord.Interaction[Any], name: str) -> None:
    """Picks a name, for its user's eyes only."""
    await interaction.response.send_message(name, ephemeral=True)


@pick.autocomplete("name")
async def names(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
    """Three names."""
    return [app_commands.Choice(name=f"{typed} {n}", value=f"{typed}{n}") for n in range(3)]


@app_commands.command()
async def hold(interaction: discord.Interaction[Any]) -> None:
    """Never answers."""


@app_commands.command()
@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
async def tidy(interaction: discord.Interaction[Any]) -> None:
    """For moderators."""
    await interaction.response.send_message("tidy")


@contextlib.contextmanager
def running(local: LocalDiscord, shards: int = 1, **options: Any) -> Iterator[SmallBot]:
    """The bot on a thread of its own, connected (or failed) when the block begins."""
    base, gateway = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    discord.http.Route.BASE = local.api_url
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway_url)
    bot = SmallBot(shard_count=shards, **options)
    thread = threading.Thread(target=_live, args=(bot, local.token))
    thread.start()
    try:
        while bot.failed is None and len(local.world.sessions.by_id) < shards:
            time.sleep(0.005)
        yield bot
    finally:
        if not bot.is_closed() and bot.failed is None:
            asyncio.run_coroutine_threadsafe(bot.close(), bot.loop).result(10)
        thread.join(10)
        discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


def _live(bot: SmallBot, token: str) -> None:
    try:
        asyncio.run(_start(bot, token))
    except Exception as error:  # the test looks at what ended the bot
        bot.failed = error


async def _start(bot: SmallBot, token: str) -> None:
    try:
        async with bot:
            await bot.start(token)
    finally:
        await _end_heartbeats()


async def _end_heartbeats() -> None:
    """The library's heartbeat threads use the loop until they see that they shall end: it must not be closed before."""
    loop = asyncio.get_running_loop()
    for thread in threading.enumerate():
        if isinstance(thread, discord.gateway.KeepAliveHandler) and thread.ws.loop is loop:
            thread.stop()
            await asyncio.to_thread(thread.join, 5)
