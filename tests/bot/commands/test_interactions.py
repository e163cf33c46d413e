"""What becomes of a request that cannot be answered, with a real bot and nobody where Discord should be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest
from discord.http import Route

import engine
from bot.client import Textbot
from bot.replies.requests import Request
from bot.replies.stories import WRITING
from bot.settings import Settings
from engine.serving.engine import Engine

REQUEST: dict[str, Any] = {
    "id": "123456789", "application_id": "1", "type": 2, "token": "token", "version": 1, "channel_id": "5",
    "user": {"id": "7", "username": "anna", "discriminator": "0", "avatar": None}, "data": {"name": "continue"},
    "entitlements": [], "authorizing_integration_owners": {}, "attachment_size_limit": 0,
}  # fmt: skip


def test_what_could_not_be_promised_is_not_written_after_a_restart(
    tiny: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:1")

    async def run(store: engine.Store) -> None:
        async with Textbot(Settings(), {"tiny": tiny}, store) as bot, aiohttp.ClientSession() as session:
            interaction = discord.Interaction[Any](data=REQUEST, state=bot._connection)  # type: ignore[arg-type]
            interaction._session = session
            with pytest.raises(aiohttp.ClientConnectorError):
                await bot.interactions.answer(interaction, Request(7, text="hello"))
            await bot.replies.close(0)

    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        asyncio.run(run(store))
        assert store.notes(WRITING) == {}
