"""Does what the pressed buttons say, each press once."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from discord.ext import commands

from bot.commands.interactions import Interaction, Interactions, channel_of, check_owner, is_moderator
from bot.commands.settings import ChannelSettings
from bot.messages.buttons import PRESSED, StoryButton
from bot.messages.forms import write_form
from bot.messages.rate_limits import MAX_KEYS
from bot.replies.replies import Replies
from bot.replies.requests import Request
from bot.replies.voting import Voting
from bot.stories.navigation import go_to, present_turn, take_back
from bot.stories.refusals import Refusal, VoteOver

PRESS_SECONDS = 2.0  # until then, a second press of a button is taken for the first one
Key = tuple[int, str]  # a message, and the action and turn of a button below it


class ButtonPresses(commands.Cog):
    """Hears the presses of buttons."""

    def __init__(
        self, replies: Replies, voting: Voting, interactions: Interactions, settings: ChannelSettings,
        begin: Callable[[int], bool],
    ) -> None:  # fmt: skip
        """`begin` tells by an interaction's id whether there is work to do, and has the bot's end wait for it."""
        self._replies, self._voting, self._interactions, self._begin = replies, voting, interactions, begin
        self._settings = settings
        self._presses: dict[Key, float] = {}  # until when a further press is refused

    @commands.Cog.listener(f"on_{PRESSED}")
    async def on_pressed(self, interaction: Interaction, button: StoryButton) -> None:
        """Do what a button says, at its story's turn."""
        if not self._begin(interaction.id):
            return
        message = interaction.message.id if interaction.message else 0
        action, serial, turn = button.action, button.serial, button.turn
        try:
            check_owner(interaction, button.owner)
            if action == "stop":
                await self._stop(interaction, message)
                return
            if action in ("vote", "write", "settings", "ban"):  # as often as anybody wants
                await self._ask(interaction, button)
                return
            with self._once((message, f"{action}:{turn}")):
                await self._do(interaction, action, serial, turn)
        except Exception as error:  # the library would only log it
            await self._interactions.tell_error(interaction, error)

    @contextmanager
    def _once(self, key: Key) -> Iterator[None]:
        """Keep further presses of a button out while its work is done and shortly after. Raises `Refusal`."""
        now = time.monotonic()
        if self._presses.get(key, 0.0) > now:
            raise Refusal("somebody has just pressed that button: once is enough")
        self._presses[key] = float("inf")
        try:
            yield
        except Refusal:  # nothing was done, so the next press may do it
            del self._presses[key]
            raise
        finally:
            if self._presses.pop(key, None) is not None:
                self._presses[key] = time.monotonic() + PRESS_SECONDS
            if len(self._presses) > MAX_KEYS:
                self._presses = {key: until for key, until in self._presses.items() if until > now}

    async def _do(self, interaction: Interaction, action: str, serial: int, turn: int) -> None:
        member = interaction.user.id
        if action == "continue":
            await self._interactions.answer(interaction, Request(member, serial=serial, turn=turn))
        elif action == "retry":
            await self._interactions.answer(interaction, Request(member, "retry", serial=serial, turn=turn))
        elif action == "pick":
            act = functools.partial(go_to, turn=turn)
            await self._interactions.move(interaction, act, serial, present_turn)
        elif action == "undo":
            await self._interactions.move(interaction, lambda conversation: take_back(conversation, turn), serial)
        else:
            await self._interactions.fork(interaction, serial=serial, turn=turn)

    async def _ask(self, interaction: Interaction, button: StoryButton) -> None:
        """Take a ballot, or show a form. A vote that was decided goes on with what is pressed."""
        if button.action in ("settings", "ban"):
            await self._settings.open_form(interaction, button.action)
            return
        self._interactions.check_may_write(interaction)
        if button.action == "write":
            most = self._replies.access.stories.writing.max_text
            await interaction.response.send_modal(write_form(button.serial, button.turn, most, button.owner))
            return
        message = interaction.message.id if interaction.message else 0
        try:
            told = await self._voting.cast(channel_of(interaction), message, interaction.user.id, button.turn)
        except VoteOver:  # a crash came before its message could say so
            with self._once((message, f"pick:{button.turn}")):
                await self._do(interaction, "pick", button.serial, button.turn)
            return
        await interaction.response.send_message(told, ephemeral=True)

    async def _stop(self, interaction: Interaction, message: int) -> None:
        channel, member = channel_of(interaction), interaction.user.id
        if not self._replies.stop(channel, message, member, is_moderator(interaction)):
            raise Refusal("it has just ended")
        await interaction.response.defer()
