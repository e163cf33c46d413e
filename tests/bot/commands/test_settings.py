"""A channel's settings, by a real client against a local Discord."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bot.commands.settings import ban_form, describe_choices, settings_form
from bot.settings import Writing
from bot.stories.channels import SETTINGS, ChannelRecord, Choices
from tests.bot.reading import answer, text_of, written
from tests.local_discord import Channel, Member
from tests.local_discord.forms.modals import check_modal


@pytest.mark.usefixtures("bot")
def test_settings_are_the_moderators(channel: Channel, anna: Member, moderator: Member) -> None:
    assert "**length** 300" in answer(anna.slash(channel, "settings"))
    assert "Manage Channels" in answer(anna.slash(channel, "settings", length=9))
    assert "**length** 12" in answer(moderator.slash(channel, "settings", length=12, max_length=20))
    written(anna.slash(channel, "continue", text="ab"))
    assert len(text_of(anna, channel)) == 14
    refused = anna.slash(channel, "continue", length=21)
    assert "at most 20" in answer(refused)
    assert "**length** 300" in answer(moderator.slash(channel, "settings", reset=True))


def test_every_setting_is_told_and_the_form_is_one_that_discord_takes() -> None:
    choices = Choices.of(Writing(), ChannelRecord())
    assert all(f"**{setting.name}**" in describe_choices(choices) for setting in SETTINGS)
    assert {setting.name for setting in SETTINGS} == set(Choices.__dataclass_fields__) - {
        "speaker",
        "ban",
    }  # /as, a form of its own

    async def made() -> dict[str, object]:
        return dict(settings_form(choices, Writing()).to_dict())

    async def banned() -> dict[str, object]:
        return dict(ban_form(dataclasses.replace(choices, ban=("x" * 99,) * 50), Writing()).to_dict())

    check_modal(asyncio.run(made()))
    check_modal(asyncio.run(banned()))
