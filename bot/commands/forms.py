"""Does what members have filled in."""

from __future__ import annotations

from collections.abc import Callable

import discord
from discord.ext import commands

from bot.commands.interactions import Interaction, Interactions, check_owner
from bot.commands.settings import ChannelSettings
from bot.messages.forms import WRITE_FORM, Filled, read_form
from bot.replies.requests import Request


class FilledForms(commands.Cog):
    """Hears of forms, also of those that an earlier process has shown."""

    def __init__(self, interactions: Interactions, settings: ChannelSettings, begin: Callable[[int], bool]) -> None:
        """`begin` tells by an interaction's id whether there is work to do, and has the bot's end wait for it."""
        self._interactions, self._settings, self._begin = interactions, settings, begin

    @commands.Cog.listener()
    async def on_interaction(self, interaction: Interaction) -> None:
        """Do what a form says."""
        if interaction.type is not discord.InteractionType.modal_submit or not self._begin(interaction.id):
            return
        try:
            if (filled := read_form(dict(interaction.data or {}))) is not None:
                await self._do(interaction, filled)
        except Exception as error:  # the library would only log it
            await self._interactions.tell_error(interaction, error)

    async def _do(self, interaction: Interaction, filled: Filled) -> None:
        check_owner(interaction, filled.owner)
        if filled.form == WRITE_FORM:
            text = filled.fields["text"]
            request = Request(interaction.user.id, text=text, serial=filled.serial, turn=filled.turn)
            await self._interactions.answer(interaction, request)
        else:
            await self._settings.fill_in(interaction, filled)
