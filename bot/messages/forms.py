"""Forms (modals) that members fill in. Their ids say what they are for, so they count after a restart, too."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import discord

MAX_FIELD = 4000  # characters of a field, of Discord
WRITE_FORM, SETTINGS_FORM, BAN_FORM = "textbot:write", "textbot:settings", "textbot:ban"
_ID = re.compile(r"(textbot:\w+)(?::(\d{1,9}):(\d{1,9})(?::(\d{1,20}))?)?")


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was filled in: what it is for, perhaps at a story's turn, and its fields by their ids.

    `owner` is the person whose story it is, where the bot is no member; else 0.
    """

    form: str
    serial: int
    turn: int
    fields: dict[str, str]
    owner: int = 0


def read_form(data: Mapping[str, Any]) -> Filled | None:
    """A form from the data of an interaction; None if it is none of the bot's."""
    if (found := _ID.fullmatch(str(data.get("custom_id")))) is None:
        return None
    fields: dict[str, str] = {}
    for outer in data.get("components") or []:
        for field in outer.get("components") or [outer.get("component") or {}]:
            value = field["values"][0] if field.get("values") else field.get("value") or ""
            fields[str(field.get("custom_id"))] = str(value)
    return Filled(found[1], int(found[2] or 0), int(found[3] or 0), fields, int(found[4] or 0))


def form(title: str, custom_id: str) -> discord.ui.Modal:
    """An empty form. discord.py is told not to wait for it: the waiting would end with the process."""
    made = discord.ui.Modal(title=title, custom_id=custom_id, timeout=None)
    made.stop()
    return made


def write_form(serial: int, turn: int, most: int, owner: int = 0) -> discord.ui.Modal:
    """The form for a text of at most so many characters that goes on from a turn, perhaps of a person's own story."""
    made = form("Write", f"{WRITE_FORM}:{serial}:{turn}" + (f":{owner}" if owner else ""))
    made.add_item(text_field("text", "How does it go on?", min(MAX_FIELD, most)))
    return made


def text_field(name: str, title: str, most: int, value: str = "", *, is_required: bool = True) -> discord.ui.Label[Any]:
    """A field for a text of several lines."""
    field: discord.ui.TextInput[Any] = discord.ui.TextInput(
        style=discord.TextStyle.paragraph, custom_id=name, max_length=most, default=value or None, required=is_required
    )
    return discord.ui.Label(text=title, component=field)


def line_field(name: str, title: str, hint: str, value: str) -> discord.ui.Label[Any]:
    """A field for a few words, which may stay empty."""
    field: discord.ui.TextInput[Any] = discord.ui.TextInput(
        custom_id=name, default=value or None, required=False, max_length=40
    )
    return discord.ui.Label(text=title, description=hint, component=field)


def choice_field(name: str, title: str, choices: Sequence[str], value: str) -> discord.ui.Label[Any]:
    """A field to choose one of a few words."""
    options = [discord.SelectOption(label=one, default=one == value) for one in choices]
    field: discord.ui.Select[Any] = discord.ui.Select(custom_id=name, options=options)
    return discord.ui.Label(text=title, component=field)
