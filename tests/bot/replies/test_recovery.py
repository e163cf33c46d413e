"""What an earlier process left, with notes as every version has written them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine
from bot.messages.pages import CONTENT, Chain, Token
from bot.replies.recovery import Recovery
from bot.replies.replies import Replies
from bot.replies.requests import Note, Request
from bot.settings import Limits
from bot.stories.access import StoryAccess
from bot.stories.stories import WRITING, Stories
from tests.bot.conftest import ROOMY
from tests.bot.reading import story_of, turn_of, written
from tests.bot.running import TOKEN, Bot
from tests.bot.stories.writing import HERE
from tests.local_discord import LocalDiscord


@pytest.fixture
def discord() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


def test_notes_of_an_earlier_process_are_carried_out_or_given_up(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with Bot(discord, folder, {"discord": {"components": "v1"}}):  # all that earlier versions could
        discord.wait_ready()
        discord.wait_command("continue")
        messages = [written(anna.slash(channel, "continue", text="ROMEO:", length=20)) for _ in range(3)]
    plan: dict[str, Any] = {"member": anna.id, "kind": "continue", "text": "once", "sampling": {"length": 9, "seed": 1}}
    notes = {
        1: {"plan": {**plan, "serial": 1, "turn": turn_of(messages[0])}, "messages": [messages[0].id], "attempts": 0},
        2: {"plan": {**plan, "serial": 9, "turn": 1}, "messages": [messages[1].id], "attempts": 0},
        3: {"serial": 1, "turn": turn_of(messages[2]), "fed": "ROMEO:", "messages": [messages[2].id]},
    }
    before = story_of(messages[2])
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        store.write_notes(
            {("discord/writing", f"{guild.id}/{channel.id}/{post}"): note for post, note in notes.items()}
        )
    with Bot(discord, folder) as bot:
        discord.wait_gateway("ready", 2)
        finished = channel.wait_message(lambda m: m is messages[0] and "a restart came in between" in m.text)
        given_up = channel.wait_message(lambda m: m is messages[1] and "cut this reply off" in m.text)
        shown = channel.wait_message(lambda m: m is messages[2] and "a restart came in between" in m.text)
        assert finished.content.startswith("**once**")
        assert "that story was forgotten" in given_up.text
        assert story_of(shown).rstrip() == before.strip()  # Discord shows no blank at a message's end
        assert written(anna.press(finished, "Continue")).texts
        assert not bot.complaints()
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        assert store.notes("discord/writing") == {}


def test_a_token_that_has_run_out_is_deleted_at_the_start(stories: Stories) -> None:
    asked = {True: time.time(), False: time.time() - 3600}
    for post, (_, at) in enumerate(asked.items()):
        note = Note(stories.store, HERE, post, Chain([], CONTENT), Request(7), token=Token(1, "secret", at))
        note.write()
    access = StoryAccess(stories, 5)
    asyncio.run(Recovery(Replies(access, Limits())).look_back())
    access.close()
    notes = stories.store.notes(WRITING)
    assert [notes[f"{HERE.key}/{post}"]["token"]["value"] for post in (0, 1)] == ["secret", ""]
