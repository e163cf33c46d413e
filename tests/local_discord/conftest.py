"""A local Discord without limits, with the small bot on it, and a guild, channel and member for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local_discord import UNLIMITED, Channel, Guild, LocalDiscord, Member, Settings
from tests.local_discord.small_bot import running

ROOMY = Settings(rates=UNLIMITED, max_concurrency=16, identify_window=0.0, attachment_size_limit=1 << 20)


@pytest.fixture(scope="module")
def local() -> Iterator[LocalDiscord]:
    with LocalDiscord(settings=ROOMY) as server, running(server):
        server.wait_ready()
        yield server


@pytest.fixture(scope="module")
def guild(local: LocalDiscord) -> Guild:
    return local.add_guild("Writers")


@pytest.fixture
def channel(guild: Guild) -> Channel:
    return guild.add_channel("story")


@pytest.fixture
def anna(guild: Guild) -> Member:
    return guild.add_member("Anna")
