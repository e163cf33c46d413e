"""What `--check` says about an application, from what Discord tells about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import discord
import pytest

from bot.settings import Discord, Settings
from bot.setup import describe, faults, install, invite


@dataclass
class App:
    """An application as discord.py shows it, set up as the docs say."""

    id: int = 5
    bot_public: bool = True
    bot_require_code_grant: bool = False
    interactions_endpoint_url: str | None = None
    flags: discord.ApplicationFlags = field(default_factory=discord.ApplicationFlags)
    guild_integration_config: object | None = True
    user_integration_config: object | None = None


def test_the_addresses_are_those_of_the_application() -> None:
    assert "client_id=5" in invite(5)
    assert "scope=bot+applications.commands" in invite(5)
    assert install(5).endswith("?client_id=5&scope=applications.commands&integration_type=1")


def test_what_keeps_it_from_working_is_a_fault() -> None:
    assert list(faults(App())) == []
    (told,) = faults(App(interactions_endpoint_url="https://example.org"))
    assert "page General Information, empty Interactions Endpoint URL" in told
    (told,) = faults(App(bot_require_code_grant=True))
    assert "page Bot" in told


@pytest.mark.parametrize(
    ("app", "settings", "line"),
    [
        (App(), Settings(), "servers: yes"),
        (App(), Settings(), "people, anywhere: no: page Installation, tick User Install"),
        (App(user_integration_config=True), Settings(), "people, anywhere: yes"),
        (
            App(user_integration_config=True, guild_integration_config=None),
            Settings(),
            "servers: no: page Installation",
        ),
        (App(user_integration_config=True), Settings(Discord(guilds=(1,))), "people, anywhere: no: [discord] guilds"),
        (App(bot_public=False), Settings(), "servers and people of others: no: page Bot, switch Public Bot on"),
        (App(), Settings(Discord(components="v1")), "messages: v1"),
        (App(), Settings(), "messages: components V2"),
        (App(), Settings(), "pictures of stories: yes"),
        (
            App(flags=discord.ApplicationFlags(gateway_message_content=True)),
            Settings(),
            "not needed: page Bot, Message",
        ),
    ],
)
def test_every_way_to_use_it_is_told_with_the_switch_that_is_missing(app: App, settings: Settings, line: str) -> None:
    assert any(told.startswith(line) for told in describe(app, settings))


def test_what_is_set_up_as_the_docs_say_needs_nothing() -> None:
    lines = list(describe(App(user_integration_config=True), Settings()))
    assert all(line.endswith((": yes", "V2")) for line in lines)
