"""A channel's settings: `/settings`, and the form in place of its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.commands.interactions import Interaction, Interactions, channel_of, is_own
from bot.commands.options import Length, Temperature, TopP
from bot.messages.buttons import StoryButton
from bot.messages.forms import BAN_FORM, MAX_FIELD, SETTINGS_FORM, Filled, choice_field, form, line_field, text_field
from bot.messages.pages import Passage
from bot.replies.replies import Replies
from bot.settings import Writing
from bot.stories.channels import SETTINGS, Choices, read_phrases
from bot.stories.refusals import Refusal


class ChannelSettings(commands.Cog):
    """Shows and changes how replies are written in a channel."""

    def __init__(self, replies: Replies, interactions: Interactions) -> None:
        self._access, self._stories = replies.access, replies.access.stories
        self._interactions = interactions

    @app_commands.command(description="Show or change how replies are written in this channel")
    @app_commands.describe(
        length="of a reply, where nobody says otherwise", end="where a reply ends, once it has its length",
        temperature="how daring", top_p="choose among the likeliest",
        max_length="the longest reply that anybody may ask for here",
        memory="write with the story's own words: mine takes up what members wrote, all the bot's replies, too",
        style="chat: members' lines have their names, and I answer as one of the model's speakers",
        join="what stands between the story and a text that is added", reset="go back to the bot's own settings first",
    )  # fmt: skip
    async def settings(
        self, interaction: Interaction, length: Length | None = None,
        end: Literal["any", "word", "line", "sentence"] | None = None, temperature: Temperature | None = None,
        top_p: TopP | None = None, max_length: Length | None = None,
        memory: Literal["off", "mine", "all"] | None = None, style: Literal["story", "chat"] | None = None,
        join: Literal["space", "line", "nothing"] | None = None,
        reset: bool = False,
    ) -> None:  # fmt: skip
        """Show or change the channel's defaults and limits."""
        given = {
            "length": length, "end": end, "temperature": temperature, "top_p": top_p, "max_length": max_length,
            "memory": memory, "style": style, "join": join,
        }  # fmt: skip
        chosen = {name: value for name, value in given.items() if reset or value is not None}
        if chosen:
            await self.change(interaction, chosen)
            return
        await self._interactions.defer(interaction, is_private=True)
        channel = channel_of(interaction)
        choices = await self._access.run(channel, lambda: self._stories.choices(channel))
        buttons = [StoryButton(form, 0, 0) for form in ("settings", "ban")] if may_change(interaction) else []
        await self._interactions.show_privately(interaction, describe_choices(choices), buttons=buttons)

    async def change(self, interaction: Interaction, chosen: Mapping[str, Any]) -> None:
        """Change some settings; None goes back to the operator's. Raises `Refusal`."""
        check_may_change(interaction)
        channel = channel_of(interaction)
        message = await self._interactions.defer(interaction)
        choices = await self._access.run(channel, lambda: self._stories.choose(channel, **chosen))
        await self._interactions.show(interaction, message, Passage(said=describe_choices(choices)))

    async def open_form(self, interaction: Interaction, form: str) -> None:
        """Show the form with the settings, or with the banned phrases, as they are. Raises `Refusal`."""
        check_may_change(interaction)
        channel = channel_of(interaction)
        choices = await self._access.call(lambda: self._stories.choices(channel))
        make = ban_form if form == "ban" else settings_form
        await interaction.response.send_modal(make(choices, self._stories.writing))

    async def fill_in(self, interaction: Interaction, filled: Filled) -> None:
        """Change what was filled in and is not so already: the rest goes on with the operator's settings.

        Raises `Refusal` for what cannot be.
        """
        writing, fields = self._stories.writing, filled.fields
        if filled.form == BAN_FORM:
            await self.change(interaction, {"ban": read_phrases(fields["ban"], writing) or None})
        elif filled.form == SETTINGS_FORM:
            channel = channel_of(interaction)
            choices = await self._access.call(lambda: self._stories.choices(channel))
            changed = [
                one for one in SETTINGS
                if one.name in fields and fields[one.name].strip() != _shown(getattr(choices, one.name))
            ]  # fmt: skip
            await self.change(interaction, {one.name: one.read(fields[one.name], writing) for one in changed})


def settings_form(choices: Choices, writing: Writing) -> discord.ui.Modal:
    """The form for a channel's settings, with those that it has now."""
    made = form("How replies are written here", SETTINGS_FORM)
    for setting in SETTINGS:
        value = getattr(choices, setting.name)
        if not setting.is_in_form:
            continue
        if setting.choices:
            made.add_item(choice_field(setting.name, setting.title, setting.allowed(writing), value))
        else:
            low, high = setting.range(writing)
            hint = f"{low:g} to {high:g}; nothing: as everywhere else"
            made.add_item(line_field(setting.name, setting.title, hint, _shown(value)))
    return made


def ban_form(choices: Choices, writing: Writing) -> discord.ui.Modal:
    """The form for the phrases that are never written in a channel, with those that it has banned."""
    made = form("Never write", BAN_FORM)
    phrases = "\n".join(phrase for phrase in choices.ban if phrase not in writing.ban)
    title = "Phrases, one a line; none of them is written"
    made.add_item(text_field("ban", title, MAX_FIELD, phrases[:MAX_FIELD], is_required=False))
    return made


def may_change(interaction: Interaction) -> bool:
    """Whether a member may change the channel's settings, or whether the story is their own."""
    return is_own(interaction) or interaction.permissions.manage_channels


def check_may_change(interaction: Interaction) -> None:
    """Raise `Refusal` for members who may not change the channel's settings."""
    if not may_change(interaction):
        raise Refusal("changing a channel's settings needs the permission Manage Channels")


def describe_choices(choices: Choices) -> str:
    """A channel's settings in words."""
    shown = [f"**{setting.name}** {_shown(getattr(choices, setting.name))}" for setting in SETTINGS]
    if choices.ban:
        shown.append(f"**{len(choices.ban)}** banned phrases")
    return f"Replies here: {' · '.join(shown)}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
