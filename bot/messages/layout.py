"""Makes of a page what discord.py sends: a message's content with rows of buttons, or a layout of components (V2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import discord

from bot.messages.buttons import StoryButton
from bot.messages.pages import CONTENT, LAYOUT, Format, Page

_log = logging.getLogger(__name__)


class Formats:
    """Which format new messages have. A message keeps its format: Discord turns no layout back into content."""

    def __init__(self, setting: str) -> None:
        """`setting` is `[discord] components`: v1 or v2, or auto, which is v2 until Discord refuses it once."""
        self.new = CONTENT if setting == "v1" else LAYOUT
        self._may_fall_back = setting == "auto"

    def fall_back(self, format: Format, reason: str) -> bool:
        """Whether what Discord has refused in this format may be sent as content. If so, what follows is, too."""
        if format is CONTENT or not self._may_fall_back:
            return False
        _log.warning("event=no-layouts reason=%r mend='[discord] components says how messages are made'", reason)
        self.new = CONTENT
        return True


def arguments(page: Page, buttons: Sequence[StoryButton], format: Format) -> dict[str, Any]:
    """The arguments `content` and `view` that make a message show a page, for discord.py."""
    footer = f"-# {page.footer}" if page.footer else ""
    if format is CONTENT:
        return {"content": "\n".join(filter(None, ("".join(page.parts).rstrip("\n"), footer))), "view": _view(buttons)}
    view = discord.ui.LayoutView(timeout=None)
    for text in (*(part.strip("\n") for part in page.parts), footer):
        if text.strip():
            view.add_item(discord.ui.TextDisplay(text))
    if buttons:
        row: discord.ui.ActionRow[Any] = discord.ui.ActionRow()
        for button in buttons:
            row.add_item(button)
        view.add_item(row)
    return {"content": None, "view": view}


def _view(buttons: Sequence[StoryButton]) -> discord.ui.View | None:
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view
