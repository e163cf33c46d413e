"""What the application is set up for in Discord's developer portal, and which switch is missing on which page."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlencode

import discord

from bot.settings import Settings

ADDRESS = "https://discord.com/oauth2/authorize"
PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, create_public_threads=True,
    read_message_history=True, attach_files=True,
)  # fmt: skip


class Application(Protocol):
    """What Discord tells about the application; `discord.AppInfo` has it."""

    @property
    def id(self) -> int: ...
    @property
    def bot_public(self) -> bool: ...
    @property
    def bot_require_code_grant(self) -> bool: ...
    @property
    def interactions_endpoint_url(self) -> str | None: ...
    @property
    def flags(self) -> discord.ApplicationFlags: ...
    @property
    def guild_integration_config(self) -> object | None: ...
    @property
    def user_integration_config(self) -> object | None: ...


def invite(application: int) -> str:
    """The address that invites the bot to a server."""
    return discord.utils.oauth_url(application, permissions=PERMISSIONS, scopes=("bot", "applications.commands"))


def install(application: int) -> str:
    """The address by which a person installs the bot."""
    return f"{ADDRESS}?{urlencode({'client_id': application, 'scope': 'applications.commands', 'integration_type': 1})}"


def faults(application: Application) -> Iterator[str]:
    """What keeps the bot from working at all, and the mend."""
    if application.interactions_endpoint_url:
        yield (
            "Discord sends commands to an address of yours, not here: page General Information, empty Interactions "
            "Endpoint URL"
        )
    if application.bot_require_code_grant:
        yield "nobody can invite it with a mere address: page Bot, switch Requires OAuth2 Code Grant off"


def describe(application: Application, settings: Settings) -> Iterator[str]:
    """A line for each way in which the bot can be used: whether it is set up, or what to do."""
    is_for_servers = application.guild_integration_config is not None
    is_for_persons = application.user_integration_config is not None
    yield _line("servers", is_for_servers or not is_for_persons, "page Installation, tick Guild Install")
    if is_for_persons and settings.discord.guilds:
        yield "people, anywhere: no: [discord] guilds gives the commands to these servers alone; empty it"
    else:
        yield _line("people, anywhere", is_for_persons, "page Installation, tick User Install")
    yield _line(
        "servers and people of others", application.bot_public, "page Bot, switch Public Bot on, if you want that"
    )
    forms = "v1, as [discord] components says" if settings.discord.components == "v1" else "components V2"
    yield f"messages: {forms}"
    has_pictures = importlib.util.find_spec("PIL") is not None
    yield _line("pictures of stories", has_pictures, "pip install 'textrepl[bot]'")
    flags = application.flags
    given = {
        "Message Content": flags.gateway_message_content or flags.gateway_message_content_limited,
        "Server Members": flags.gateway_guild_members or flags.gateway_guild_members_limited,
        "Presence": flags.gateway_presence or flags.gateway_presence_limited,
    }
    for name in (name for name, is_on in given.items() if is_on):
        yield f"not needed: page Bot, {name} Intent can be switched off"


def _line(what: str, is_set_up: bool, mend: str) -> str:
    return f"{what}: yes" if is_set_up else f"{what}: no: {mend}"
