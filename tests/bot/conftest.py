"""A local Discord without limits and the bot on it, shared by the tests of a module; a channel and members for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from bot.settings import Writing
from bot.stories.stories import Stories
from engine.serving.engine import Engine
from tests.bot.reading import LONG
from tests.bot.running import TOKEN, Bot
from tests.local_discord import UNLIMITED, Channel, Guild, LocalDiscord, Member, Settings

ROOMY = Settings(rates=UNLIMITED, max_concurrency=16, identify_window=0.0)


@pytest.fixture(scope="module")
def discord() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


@pytest.fixture(scope="module")
def guild(discord: LocalDiscord) -> Guild:
    return discord.add_guild("Writers")


@pytest.fixture(scope="module")
def bot(discord: LocalDiscord, guild: Guild, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    with Bot(discord, tmp_path_factory.mktemp("bot"), {"writing": {"max_length": 4000, "max_text": 1500}}) as running:
        discord.wait_ready()
        discord.wait_command("continue")
        yield running
    assert not running.complaints()


@pytest.fixture(scope="session")
def model() -> Iterator[engine.Engine]:
    """What the bot's stories are written by."""
    with engine.load("shakespeare", precision="int8") as loaded:
        yield loaded


@pytest.fixture
def channel(guild: Guild) -> Channel:
    return guild.add_channel("story")


@pytest.fixture
def anna(guild: Guild) -> Member:
    return guild.add_member("Anna")


@pytest.fixture
def moderator(guild: Guild) -> Member:
    return guild.add_member("Mo", manage_messages=True, manage_channels=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def long_text(model: engine.Engine) -> str:
    """What `tests.bot.reading.begun` writes, whole."""
    sampling = engine.Sampling(temperature=0.7, seed=3, length=LONG)
    return "ROMEO:" + model.conversation(sampling=sampling).say("ROMEO:").text


@pytest.fixture
def stories(tiny: Engine, tmp_path: Path) -> Iterator[Stories]:
    """Stories of a tiny model in a store."""
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        yield Stories(store, {"tiny": tiny}, Writing(length=12))
