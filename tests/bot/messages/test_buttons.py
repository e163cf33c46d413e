"""Buttons and their ids, which earlier versions have left below messages."""

from __future__ import annotations

import asyncio
import re

import pytest

from bot.messages.buttons import BUTTONS, StoryButton, to_choose, when_written, while_writing


def test_a_reply_that_is_written_has_all_buttons_but_stop() -> None:
    assert [button.custom_id for button in while_writing(1, 2)] == ["textbot:stop:1:2"]
    whole = [f"textbot:{action}:3:40" for action in ("continue", "write", "retry", "undo", "fork")]
    assert [button.custom_id for button in when_written(3, 40)] == whole
    assert [button.item.label for button in to_choose("vote", 3, [7, 9])] == ["1", "2"]
    assert [button.custom_id for button in to_choose("vote", 3, [7, 9])] == ["textbot:vote:3:7", "textbot:vote:3:9"]


@pytest.mark.parametrize("owner", [0, 2**63])
@pytest.mark.parametrize("action", BUTTONS)
def test_a_button_is_known_by_its_id(action: str, owner: int) -> None:
    made = StoryButton(action, 12, 345, "7", owner)
    assert made.owned_by(owner).custom_id == made.custom_id
    assert made.owned_by(owner).item.label == "7"

    async def read() -> StoryButton:
        template = StoryButton.__discord_ui_compiled_template__
        assert isinstance(template, re.Pattern)
        match = template.fullmatch(made.custom_id)
        assert match is not None
        assert template.fullmatch(f"textbot:{action}:-1:0") is None
        assert len(StoryButton(action, 10**9 - 1, 10**9 - 1, owner=2**64 - 1).custom_id) <= 100
        return await StoryButton.from_custom_id(None, None, match)  # type: ignore[arg-type]

    assert StoryButton(action, 1, 2).item.label
    button = asyncio.run(read())
    assert (button.action, button.serial, button.turn, button.owner) == (action, 12, 345, owner)
