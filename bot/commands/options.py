"""The options that several commands have, and the operator's limits on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from discord import app_commands

from bot.settings import MAX_ALTERNATIVES, MEMORIES, Writing

Length = app_commands.Range[int, 1, 4000]
Temperature = app_commands.Range[float, 0.0, 2.0]
TopP = app_commands.Range[float, 0.01, 1.0]
Seed = app_commands.Range[int, 0, 2**53 - 1]
Turns = app_commands.Range[int, 1, 1000]
Alternatives = app_commands.Range[int, 2, MAX_ALTERNATIVES]
Minutes = app_commands.Range[int, 1, 24 * 60]
Command = app_commands.Command[Any, ..., Any]


def offer_in(commands: Iterable[object], is_anywhere: bool) -> None:
    """Have Discord offer the commands on servers and in direct messages, and perhaps wherever a person is.

    What is for servers alone stays there: it needs the bot as a member.
    """
    for command in commands:
        if isinstance(command, app_commands.Command | app_commands.ContextMenu):
            in_private = not command.guild_only
            command.allowed_contexts = app_commands.AppCommandContext(
                guild=True, dm_channel=in_private, private_channel=in_private and is_anywhere
            )
            command.allowed_installs = app_commands.AppInstallationType(guild=True, user=in_private and is_anywhere)


def limit_options(commands: Iterable[object], writing: Writing) -> None:
    """Have Discord offer no more than the operator allows, so that nothing is typed only to be refused.

    discord.py takes ranges from annotations alone, so this changes the options that it has made of them.
    """
    most = {
        "length": writing.max_length, "max_length": writing.max_length, "temperature": writing.max_temperature,
        "text": writing.max_text, "n": writing.max_alternatives,
    }  # fmt: skip
    for command in commands:
        if isinstance(command, app_commands.Command):
            for name in most.keys() & command._params.keys():
                command._params[name] = dataclasses.replace(command._params[name], max_value=most[name])
            if (memory := command._params.get("memory")) is not None:
                allowed = MEMORIES[: MEMORIES.index(writing.max_memory) + 1]
                choices = [app_commands.Choice(name=one, value=one) for one in allowed]
                command._params["memory"] = dataclasses.replace(memory, choices=choices)
