"""The commands about a channel: its model, its stories as files, their deletion, and the bot's status."""

from __future__ import annotations

import functools
import io
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.commands.interactions import Interaction, Interactions, channel_of, is_moderator
from bot.commands.settings import may_change
from bot.messages.markdown import escape
from bot.messages.pages import Passage
from bot.replies.replies import Replies
from bot.replies.requests import remember
from bot.statistics import Statistics
from bot.stories.channels import Channel
from bot.stories.refusals import Refusal


class ChannelCommands(commands.Cog):
    """The commands that show or change what belongs to a channel."""

    def __init__(
        self, replies: Replies, interactions: Interactions, models: Mapping[str, engine.Engine], statistics: Statistics
    ) -> None:
        self._queue, self._access, self._stories = replies.queue, replies.access, replies.access.stories
        self._interactions, self._models, self._statistics = interactions, models, statistics

    @app_commands.command(description="Show or choose the model that writes in this channel")
    @app_commands.describe(name="another model; it reads the story first, and goes on from there")
    async def model(self, interaction: Interaction, name: str | None = None) -> None:
        """Show or choose the channel's model."""
        channel = channel_of(interaction)
        if name is None:
            await self._interactions.defer(interaction, is_private=True)
            now = await self._access.run(channel, lambda: self._stories.model(channel))
            await self._interactions.show_privately(interaction, self._describe(now))
            return
        if name not in self._models:
            raise Refusal(f"there is no model of that name, only {', '.join(self._models)}")
        self._interactions.admit(interaction)
        message = await self._interactions.defer(interaction)
        await self._access.run(channel, lambda: self._stories.change_model(channel, name), is_slow=True)
        await self._interactions.show(interaction, message, Passage(said=self._describe(name)))

    @model.autocomplete("name")
    async def _names(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = [name for name in self._models if typed.casefold() in name.casefold()]
        return [app_commands.Choice(name=name[:100], value=name[:100]) for name in found[:25]]

    def _describe(self, name: str) -> str:
        info = self._models[name].info
        return (
            f"This channel's model: **{escape(name)}** ({info.cell.upper()}, {info.layers} x {info.units} units, "
            f"{info.parameters / 1e6:.1f} M parameters, {info.vocabulary_size} {info.level} tokens, {info.precision})"
        )

    @app_commands.command(description="Have this channel's story write with the words of a text, too")
    @app_commands.describe(
        file="a text, or a chat's export; the story's memory knows it, the story does not contain it"
    )
    @app_commands.default_permissions(manage_channels=True)
    async def remember(self, interaction: Interaction, file: discord.Attachment) -> None:
        """Add a text to the memory of the channel's story."""
        if not may_change(interaction):
            raise Refusal("having a story remember a text needs the permission Manage Channels")
        channel, most = channel_of(interaction), self._stories.writing.max_remembered
        self._interactions.admit(interaction)
        if not most:
            raise Refusal("whoever runs this bot has switched /remember off")
        if file.size > 8 * most:  # an archive or an export has more bytes than its text has characters
            raise Refusal(f"{escape(file.filename)} is too large: at most {most:,} characters are remembered at once")
        message = await self._interactions.defer(interaction)
        data = await file.read()

        def remembered() -> str:
            text = read_attachment(file.filename, data)
            if len(text) > most:
                raise Refusal(f"{escape(file.filename)} has {len(text):,} characters: at most {most:,} are remembered")
            remember(self._stories, channel, text, interaction.user.id)
            off = " The memory is off here: `/settings memory:mine` writes with it."
            return (
                f"This story's memory knows {len(text):,} characters of {escape(file.filename)} now. /undo takes that "
                f"back.{off if self._stories.choices(channel).memory == 'off' else ''}"
            )

        told = await self._access.run(channel, remembered, is_slow=True)
        await self._interactions.show(interaction, message, Passage(said=told))

    @app_commands.command(description="This channel's story as a text file, and as a file that can be replayed")
    async def export(self, interaction: Interaction) -> None:
        """Send the story as files."""
        await self._interactions.defer(interaction, is_private=True)
        channel = channel_of(interaction)

        def exported() -> dict[str, bytes]:
            conversation = self._stories.peek(channel).conversation
            return {
                "story.txt": conversation.text.encode("utf-8", "replace"),
                "story.json": conversation.export().encode("utf-8", "replace"),
            }

        contents = await self._access.run(channel, exported, is_slow=True)

        def files() -> list[discord.File]:
            return [discord.File(io.BytesIO(content), name) for name, content in contents.items()]

        most = interaction.filesize_limit
        if sum(map(len, contents.values())) > most:
            raise Refusal(f"the story is too long for Discord's limit of {most / 2**20:.0f} MB a message")
        await self._interactions.show_privately(interaction, "The story so far:", files)

    @app_commands.command(description="Delete this channel's stories, or all that you wrote on this server, for good")
    @app_commands.describe(
        what="all stories of this channel (needs Manage Messages), or only your own texts on this server"
    )
    async def forget(self, interaction: Interaction, what: Literal["what I wrote", "all stories here"]) -> None:
        """Delete permanently."""
        channel = channel_of(interaction)
        if what == "what I wrote":
            await self._interactions.defer(interaction, is_private=True)
            count = await self._forget_member(channel, interaction.user.id)
            text = f"Deleted {count} of your texts; the rest of those stories was kept."
            await self._interactions.show_privately(interaction, describe_deletion(count, text))
            return
        if not is_moderator(interaction):
            raise Refusal("deleting a channel's stories needs the permission Manage Messages")
        message = await self._interactions.defer(interaction)
        count = await self._access.run(
            channel, lambda: self._stories.forget(channel), is_slow=True, is_patient=True
        )  # fmt: skip
        text = f"Deleted {count} {'story' if count == 1 else 'stories'} of this channel for good."
        await self._interactions.show(interaction, message, Passage(said=describe_deletion(count, text)))

    async def _forget_member(self, channel: Channel, member: int) -> int:
        """Delete what a member wrote in all channels and threads of the server; returns the number of texts."""
        channels = [channel]
        if channel.guild:
            channels = await self._access.call(lambda: self._stories.channels(channel.guild))
        count = 0
        for one in channels:
            forget = functools.partial(self._stories.forget_member, one, member)
            count += await self._access.run(one, forget, is_slow=True, is_patient=True)
        return count

    @app_commands.command(description="How the bot is doing")
    async def status(self, interaction: Interaction) -> None:
        """Show the model, the replies at work, the speed and the uptime."""
        channel = channel_of(interaction)
        model = await self._access.call(lambda: self._stories.model(channel))
        info, up = self._models[model].info, int(self._statistics.seconds_up)
        uptime = f"{up // 86400} d {up // 3600 % 24} h {up // 60 % 60} min" if up >= 60 else f"{up} s"
        await interaction.response.send_message(
            f"**{escape(model)}** ({info.parameters / 1e6:.1f} M parameters, {info.precision}) · "
            f"{self._queue.running} replies being written, {self._queue.waiting} waiting · "
            f"{self._statistics.tokens_per_second():,.0f} characters a second over the last minute · up for {uptime}",
            ephemeral=True,
        )


def read_attachment(name: str, data: bytes) -> str:
    """The text of a file that a member sent, read as training reads it. Raises `engine.EngineError`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (re.sub(r"[^\w.-]", "_", name).lstrip(".")[-80:] or "file.txt")
        path.write_bytes(data)
        try:
            return engine.read_files(str(path))[0]
        except engine.EngineError as error:
            raise ValueError(str(error).replace(str(path), path.name)) from None


def describe_deletion(count: int, text: str) -> str:
    """What a member reads after a deletion; `text` says what was deleted."""
    if not count:
        return "There was nothing to delete."
    return f"{text} Messages in Discord are not touched: delete those yourself."
