"""The commands in a message's context menu: continue it, begin a thread's story from it, remember it."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.commands.interactions import Interaction, Interactions, channel_of, check_owner
from bot.commands.settings import may_change
from bot.messages.pages import Passage
from bot.messages.reading import place_of, text_of
from bot.replies.replies import Replies
from bot.replies.requests import Request, remember
from bot.stories.refusals import Refusal


class MessageMenus:
    """What a member can do with any message."""

    def __init__(self, replies: Replies, interactions: Interactions) -> None:
        self._access, self._interactions = replies.access, interactions

    def add_to(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """Add the commands to a tree."""
        rights = discord.Permissions(send_messages=True)
        threads, channels = discord.Permissions(create_public_threads=True), discord.Permissions(manage_channels=True)
        for name, callback, needed, is_guild_only in (
            ("Continue this", self.continue_this, rights, False),
            ("Story from here", self.story_from_here, threads, True),
            ("Remember this", self.remember_this, channels, False),
        ):
            menu = app_commands.ContextMenu(name=name, callback=callback)
            menu.default_permissions, menu.guild_only = needed, is_guild_only
            tree.add_command(menu)

    async def continue_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Go on from a reply of the bot, or add what somebody has written to the story and go on."""
        me, member = _me(interaction), interaction.user.id
        if message.author.id == me:
            serial, turn = _place(interaction, message)
            request = Request(member, serial=serial, turn=turn)
        else:
            text, author = _text(message, me), message.author
            request = Request(member, text=text, author=author.id, name=author.display_name, is_said=True)
        await self._interactions.answer(interaction, request)

    async def story_from_here(self, interaction: Interaction, message: discord.Message) -> None:
        """Open a thread whose story begins as a copy of what led to a reply."""
        if message.author.id != _me(interaction):
            raise Refusal("a story can only begin from one of my replies")
        serial, turn = _place(interaction, message)
        await self._interactions.fork(interaction, serial=serial, turn=turn)

    async def remember_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Have the story's memory know what somebody has written."""
        if not may_change(interaction):
            raise Refusal("having a story remember a text needs the permission Manage Channels")
        if message.author.id == _me(interaction):
            raise Refusal("that is of the story itself: `/settings memory:all` takes up what I write")
        text, channel = _text(message, _me(interaction)), channel_of(interaction)
        stories = self._access.stories
        self._interactions.admit(interaction)
        if len(text) > stories.writing.max_remembered:
            raise Refusal("whoever runs this bot has switched /remember off, or that text is too long for it")
        answer = await self._interactions.defer(interaction)

        def remembered() -> str:
            remember(stories, channel, text, message.author.id)
            off = " The memory is off here: `/settings memory:mine` writes with it."
            return off if stories.choices(channel).memory == "off" else ""

        off = await self._access.run(channel, remembered, is_slow=True)
        told = f"This story's memory knows that message now, with {len(text):,} characters. /undo takes it back.{off}"
        await self._interactions.show(interaction, answer, Passage(said=told))


def _me(interaction: Interaction) -> int:
    """The bot's number as a user; old applications have another one."""
    user: discord.ClientUser | None = interaction.client.user
    return user.id if user is not None else 0


def _text(message: discord.Message, me: int) -> str:
    if not (text := text_of(message, me)):
        raise Refusal("that message has no text")
    return text


def _place(interaction: Interaction, message: discord.Message) -> tuple[int, int]:
    if (place := place_of(message)) is None:
        raise Refusal("no story goes on from that message: take the last one of a reply, which has the buttons")
    serial, turn, owner = place
    check_owner(interaction, owner)
    return serial, turn
