"""What a message in Discord says: its text, and where in a story a message of the bot stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import discord

from bot.messages.buttons import BELOW_REPLY

_BELOW_REPLY = re.compile(rf"textbot:(?:{'|'.join(BELOW_REPLY)}):(\d{{1,9}}):(\d{{1,9}})(?::(\d{{1,20}}))?")


def text_of(message: discord.Message, me: int) -> str:
    """The text of a message, without the mention of the bot, and with names in place of other mentions."""
    text = re.sub(rf"\s*<@!?{me}>\s*", " ", message.content).strip()
    for person in message.mentions:
        text = text.replace(f"<@{person.id}>", person.display_name).replace(f"<@!{person.id}>", person.display_name)
    return text


def place_of(message: discord.Message) -> tuple[int, int, int] | None:
    """The story's serial number, the turn and the owner (or 0) that the buttons below a reply name; None without."""
    for component in _nested(message.components):
        if found := _BELOW_REPLY.fullmatch(getattr(component, "custom_id", None) or ""):
            return int(found[1]), int(found[2]), int(found[3] or 0)
    return None


def _nested(components: Any) -> Iterator[Any]:
    for component in components:
        yield component
        yield from _nested(getattr(component, "children", ()))
