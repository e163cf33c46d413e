"""Pages as Discord gets them: content with rows of buttons, or layouts."""

from __future__ import annotations

import asyncio
from typing import Any

import discord

from bot.messages.buttons import StoryButton, when_written
from bot.messages.layout import Formats, arguments
from bot.messages.pages import CONTENT, LAYOUT, Format, Page

PAGE = Page(("**Once**", "\nthere was"), "left out: x")


def sent(page: Page, format: Format, serial: int = 0) -> tuple[Any, Any]:
    """The content and the components."""

    async def made() -> tuple[Any, Any]:
        buttons: list[StoryButton] = when_written(serial, 2) if serial else []
        given = arguments(page, buttons, format)
        view: discord.ui.LayoutView | discord.ui.View | None = given["view"]
        return given["content"], view and view.to_components()

    return asyncio.run(made())


def test_content_holds_all_in_one_text() -> None:
    content, rows = sent(PAGE, CONTENT, 1)
    assert content == "**Once**\nthere was\n-# left out: x"
    assert [button["label"] for row in rows for button in row["components"]] == [
        "Continue",
        "Write",
        "Retry",
        "Undo",
        "Fork",
    ]
    assert sent(PAGE, CONTENT)[1] is None


def test_a_layout_has_a_part_for_each_and_the_buttons_below() -> None:
    content, parts = sent(PAGE, LAYOUT, 1)
    assert content is None
    assert [part["type"] for part in parts] == [10, 10, 10, 1]
    assert [part["content"] for part in parts[:3]] == ["**Once**", "there was", "-# left out: x"]
    assert [part["content"] for part in sent(Page(("**Once**", " \n")), LAYOUT)[1]] == ["**Once**"]


def test_only_auto_falls_back_and_only_from_layouts() -> None:
    assert [Formats(setting).new for setting in ("auto", "v2", "v1")] == [LAYOUT, LAYOUT, CONTENT]
    auto = Formats("auto")
    assert not auto.fall_back(CONTENT, "no")
    assert auto.new is LAYOUT
    assert auto.fall_back(LAYOUT, "no")
    assert auto.new is CONTENT
    assert not Formats("v2").fall_back(LAYOUT, "no")
