"""What Discord offers is what the operator allows."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import discord
from discord import app_commands

from bot.commands.options import Length, Temperature, limit_options
from bot.settings import Writing


def test_ranges_are_the_operators_and_of_each_bot_its_own() -> None:
    @app_commands.command(description="writes")
    async def write(
        interaction: discord.Interaction[Any], text: str, length: Length, temperature: Temperature,
        memory: Literal["off", "mine", "all"],
    ) -> None:  # fmt: skip
        """A command."""

    async def ranges(command: Any) -> list[Any]:
        tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
        options = command.to_dict(tree)["options"]
        choices = [choice["value"] for choice in options[-1]["choices"]]
        return [*(option.get("max_value", option.get("max_length")) for option in options[:-1]), choices]

    other: Any = write._copy_with(parent=None, binding=None)  # type: ignore[arg-type]
    limit_options([write, object()], Writing(max_length=70, max_temperature=1.5, max_text=90, max_memory="mine"))
    assert asyncio.run(ranges(write)) == [90, 70, 1.5, ["off", "mine"]]
    assert asyncio.run(ranges(other)) == [None, 4000, 2.0, ["off", "mine", "all"]]
