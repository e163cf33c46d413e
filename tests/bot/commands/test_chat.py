"""A channel as a chat: the bot answers like a member, also after a restart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from tests.bot.conftest import ROOMY
from tests.bot.reading import answer, is_written, text_of, written
from tests.bot.running import ROOT, TOKEN, started, until
from tests.local_discord import Channel, LocalDiscord, Member, Message

SPEAKERS = ["ROMEO", "JULIET", "MERCUTIO"]


@pytest.fixture
def discord() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


@pytest.fixture
def chatty(tmp_path: Path) -> dict[str, dict[str, object]]:
    """The configuration of a bot with a model that knows speakers."""
    folder = tmp_path / "chatty"
    shutil.copytree(ROOT / "models" / "shakespeare", folder)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    (folder / "settings.json").write_text(json.dumps(settings | {"speakers": SPEAKERS}), encoding="utf-8")
    return {"engine": {"models": [str(folder)]}, "writing": {"max_length": 4000}}


def said(channel: Channel, member: Member, text: str) -> Message:
    """What the bot answers to a mention."""
    asked = member.say(channel, f"<@bot> {text}")
    return channel.wait_message(lambda m: m.text, 20, after=asked)


def test_a_mention_is_answered_like_a_member_does(
    discord: LocalDiscord, tmp_path: Path, chatty: dict[str, dict[str, object]]
) -> None:
    guild = discord.add_guild("Writers")
    channel, anna = guild.add_channel("chat"), guild.add_member("Anna")
    mo = guild.add_member("Mo", manage_channels=True)
    with started(discord, tmp_path, chatty) as bot:
        assert "**style** chat" in answer(mo.slash(channel, "settings", style="chat", length=200))
        assert [name for name, _ in anna.complete(channel, "as", "name", "j")] == ["JULIET"]
        assert "I write as **ROMEO**" in answer(anna.slash(channel, "as"))
        assert "I write as **JULIET**" in answer(anna.slash(channel, "as", name="JULIET"))
        reply = said(channel, anna, "how are you")
        assert not reply.buttons
        assert reply.reference is None
        assert "how are you" not in reply.text
        assert "JULIET:" not in reply.text
        assert len(reply.edits) == 0  # one message, that grows in nobody's sight
        assert any("/typing" in request.route for request in discord.requests)
        text = text_of(anna, channel)
        assert text.startswith("Anna: how are you\nJULIET: ")
        assert not any(f"\n{name}:" in text for name in ("ROMEO", "MERCUTIO"))
        shown = written(anna.slash(channel, "continue", text="and you"))  # nobody sees what a command was given
        assert shown.texts[0] == "**Anna: and you**"
        assert "Anna: and you\nJULIET: " in text_of(anna, channel)
        assert "a story" in answer(anna.slash(guild.add_channel("other"), "as"))
        assert not bot.complaints()


@pytest.mark.parametrize("moment", ["asked", "typing", "answered"])
def test_an_answer_in_a_chat_outlives_kill_9(
    discord: LocalDiscord, tmp_path: Path, chatty: dict[str, dict[str, object]], moment: str
) -> None:
    guild = discord.add_guild("Writers")
    channel, mo = guild.add_channel("chat"), guild.add_member("Mo", manage_channels=True)
    with started(discord, tmp_path, chatty) as bot:
        answer(mo.slash(channel, "settings", style="chat", length=300))
        asked = mo.say(channel, "<@bot> how are you")
        if moment == "asked":
            until(lambda: unfinished(tmp_path))
        elif moment == "typing":
            until(lambda: any("/typing" in request.route for request in discord.requests))
        else:
            channel.wait_message(lambda m: m.text and m.id > asked.id, 20)
        bot.kill()
    with started(discord, tmp_path, chatty) as bot:
        reply = channel.wait_message(lambda m: m.text, 30, after=asked)
        until(lambda: not unfinished(tmp_path))
        assert not is_written(reply)
        assert text_of(mo, channel).count("Mo: how are you\nROMEO: ") == 1
        assert len([m for m in channel.messages if m.id > asked.id and m.ephemeral_to is None]) == 1
        assert not bot.complaints()


def unfinished(folder: Path) -> dict[str, object]:
    """The notes on replies that are being written."""
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        return dict(store.notes("discord/writing"))
