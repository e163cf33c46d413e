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
from bot.settings import Settings
from bot.stories.stories import WRITING
from engine.serving.engine import Engine
from tests.bot.reading import answer, begun, written
from tests.local_discord import Channel, Guild, LocalDiscord, Member, NotPossible, Permission

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


@pytest.mark.usefixtures("bot")
def test_a_lost_answer_to_the_first_promise_is_no_harm(discord: LocalDiscord, channel: Channel, anna: Member) -> None:
    discord.misbehave.lose_answer("POST .*callback")
    assert written(anna.slash(channel, "continue", text="ROMEO:", length=30))


@pytest.mark.usefixtures("bot")
def test_a_refusal_is_told_also_when_the_token_has_run_out(
    discord: LocalDiscord, channel: Channel, anna: Member
) -> None:
    message = begun(channel, anna)
    call = anna.slash(channel, "redo")  # it waits for the reply to end, and then there is nothing to bring back
    call.wait_answer()
    discord.misbehave.expire_tokens()
    anna.press(message, "Stop")
    assert "not so many turns" in call.wait_message(lambda m: m.text).text


@pytest.mark.usefixtures("bot")
def test_who_may_not_write_in_a_channel_cannot_have_the_bot_write_there(
    guild: Guild, channel: Channel, anna: Member
) -> None:
    message = written(anna.slash(channel, "continue", length=10))
    quiet, stranger = guild.add_member("Quiet"), guild.add_member("Stranger")
    channel.set_permissions(quiet, deny=Permission.SEND_MESSAGES)
    channel.set_permissions(stranger, deny=Permission.CREATE_PUBLIC_THREADS)
    for command in ("continue", "retry", "undo", "restart"):
        with pytest.raises(NotPossible):
            quiet.slash(channel, command)
    with pytest.raises(NotPossible):
        stranger.slash(channel, "fork")
    assert "may not write here" in answer(quiet.press(message, "Continue"), "may not")
    assert "may not write here" in answer(quiet.press(message, "Undo"), "may not")
    assert "Create Public Threads" in answer(stranger.press(message, "Fork"), "needs")
    assert "here" in answer(quiet.slash(channel, "tree", as_text=True))
    assert written(stranger.press(message, "Continue"))


@pytest.mark.usefixtures("bot")
def test_threads_have_a_right_of_their_own(guild: Guild, channel: Channel, anna: Member) -> None:
    message = written(anna.slash(channel, "continue", length=10))
    anna.press(message, "Fork").wait_message(lambda m: "goes on from here" in m.text)
    thread = channel.threads[-1]
    channel.set_permissions(anna, deny=Permission.SEND_MESSAGES)
    assert written(anna.press(thread.messages[-1], "Continue"))
    channel.set_permissions(anna, deny=Permission.SEND_MESSAGES_IN_THREADS)
    assert "may not write here" in answer(anna.press(thread.messages[-1], "Retry"), "may not")
