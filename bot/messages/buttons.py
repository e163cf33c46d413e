"""The buttons below a reply. Their ids name the story and the turn, so they work at any time, even after a restart.

Where the bot is no member they name the person whose story it is, too: each has stories of their own there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self

import discord

PRESSED = "story_button"  # the event of a press: the interaction, the button

Style = discord.ButtonStyle
BUTTONS = {
    "stop": ("Stop", Style.danger),
    "continue": ("Continue", Style.primary),
    "write": ("Write", Style.secondary),
    "retry": ("Retry", Style.secondary),
    "undo": ("Undo", Style.secondary),
    "fork": ("Fork", Style.secondary),
    "pick": ("", Style.primary),
    "vote": ("", Style.secondary),
    "settings": ("Change", Style.secondary),
    "ban": ("Ban", Style.secondary),
}
OF_MEMBERS = ("fork", "vote")  # what needs the bot as a member of the channel
BELOW_REPLY = ("continue", "write", "retry", "undo", "fork")


class StoryButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"textbot:(?P<action>{'|'.join(BUTTONS)}):(?P<serial>\d{{1,9}}):(?P<turn>\d{{1,9}})(?::(?P<owner>\d{{1,20}}))?",
):
    """A button with what it does, the story's serial number in its channel, and the turn where it does it.

    `owner` is the person whose story it is, where the bot is no member; else 0.
    """

    def __init__(self, action: str, serial: int, turn: int, label: str = "", owner: int = 0) -> None:
        usual, style = BUTTONS[action]
        label = label or usual or str(turn)
        custom_id = f"textbot:{action}:{serial}:{turn}" + (f":{owner}" if owner else "")
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=custom_id))
        self.action, self.serial, self.turn, self.owner = action, serial, turn, owner

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed."""
        return cls(match["action"], int(match["serial"]), int(match["turn"]), owner=int(match["owner"] or 0))

    def owned_by(self, owner: int) -> StoryButton:
        """The same button, of a person's own story."""
        return StoryButton(self.action, self.serial, self.turn, self.item.label or "", owner)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Dispatch the event `PRESSED`; a listener does the work."""
        interaction.client.dispatch(PRESSED, interaction, self)


def while_writing(serial: int, turn: int) -> list[StoryButton]:
    """The button below a reply that is being written from a turn on."""
    return [StoryButton("stop", serial, turn)]


def when_written(serial: int, turn: int) -> list[StoryButton]:
    """The buttons below a reply, or below the end of a story at any turn."""
    return [StoryButton(action, serial, turn) for action in BELOW_REPLY]


def to_choose(action: str, serial: int, turns: Sequence[int]) -> list[StoryButton]:
    """The numbered buttons that pick one of several turns, or vote for one."""
    return [StoryButton(action, serial, turn, str(number)) for number, turn in enumerate(turns, 1)]
