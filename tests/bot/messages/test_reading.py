"""What discord.py's messages say."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest

from bot.messages.reading import place_of, text_of

ME = 7
USER: dict[str, Any] = {"id": "5", "username": "anna", "global_name": "Anna", "discriminator": "0", "avatar": None}
DATA: dict[str, Any] = {
    "id": "1", "channel_id": "2", "type": 0, "content": "", "author": USER, "attachments": [], "embeds": [],
    "mentions": [USER], "mention_roles": [], "mention_everyone": False, "timestamp": "2026-01-01T00:00:00+00:00",
    "edited_timestamp": None, "flags": 0, "pinned": False, "tts": False, "components": [],
}  # fmt: skip


def message(**changes: Any) -> discord.Message:
    async def made() -> discord.Message:
        client = discord.Client(intents=discord.Intents.none())
        data: Any = DATA | changes
        return discord.Message(state=client._connection, channel=client.get_partial_messageable(2), data=data)

    return asyncio.run(made())


def test_the_bots_mention_is_no_part_of_a_text_and_others_are_names() -> None:
    said = message(content=f" <@{ME}> hello <@5> and <@!5><@!{ME}>")
    assert text_of(said, ME) == "hello Anna and Anna"


@pytest.mark.parametrize(
    ("custom_ids", "place"),
    [
        (["textbot:continue:3:40", "textbot:retry:3:40"], (3, 40, 0)), (["textbot:undo:1:2"], (1, 2, 0)),
        (["textbot:continue:3:40:77"], (3, 40, 77)),
        (["textbot:stop:3:40"], None), (["textbot:pick:3:40"], None), ([], None),
    ],
)  # fmt: skip
def test_the_place_is_what_the_buttons_below_a_reply_name(
    custom_ids: list[str], place: tuple[int, int, int] | None
) -> None:
    buttons = [{"type": 2, "style": 1, "label": "x", "custom_id": one} for one in custom_ids]
    row = [{"type": 1, "components": buttons}] if buttons else []
    assert place_of(message(components=row)) == place
    assert place_of(message(components=[{"type": 10, "content": "x"}, *row], flags=1 << 15)) == place
