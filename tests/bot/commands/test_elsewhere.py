"""The bot where it is no member: a person has installed it, and it has an interaction's token alone."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from bot.commands.interactions import MOST_ELSEWHERE
from tests.bot.conftest import ROOMY
from tests.bot.reading import answer, is_choice, is_growing, is_written, same_words, story_of, text_of, written
from tests.bot.running import TOKEN, started
from tests.local_discord import Channel, Guild, LocalDiscord, Member, NotPossible


@pytest.fixture
def abroad(discord: LocalDiscord) -> Guild:
    """A server without the bot."""
    guild = discord.add_guild("Abroad")
    guild.remove_bot()
    return guild


def visitor(guild: Guild, name: str = "Vera") -> Member:
    """A member who has installed the bot."""
    member = guild.add_member(name)
    member.user.has_installed = True
    return member


@pytest.mark.usefixtures("bot")
def test_a_story_is_written_where_the_bot_is_no_member(discord: LocalDiscord, abroad: Guild) -> None:
    vera, channel = visitor(abroad), abroad.add_channel("anywhere")
    refused = len(discord.refused)
    first = written(vera.slash(channel, "continue", text="ROMEO:", length=40))
    assert [button["label"] for button in first.buttons] == ["Continue", "Write", "Retry", "Undo"]
    second = written(vera.press(first, "Continue"))
    third = written(vera.submit(vera.press(second, "Write").wait_answer(), text="and then"))
    assert same_words(text_of(vera, channel), story_of(first) + story_of(second) + story_of(third))
    choice = vera.slash(channel, "alternatives", n=2, length=20).wait_message(is_choice, 20)
    assert written(vera.press(choice, "2"))
    assert "empty" not in written(vera.slash(channel, "undo")).text
    assert "**length** 12" in answer(vera.slash(channel, "settings", length=12))
    assert "and then" in answer(vera.slash(channel, "tree", as_text=True), "and then")
    assert "needs me as a member" in answer(vera.slash(channel, "alternatives", vote=5))
    with pytest.raises(NotPossible):
        vera.slash(channel, "fork")
    with pytest.raises(NotPossible, match="nobody has installed"):
        abroad.add_member("Bea").slash(channel, "continue")
    assert len(discord.refused) == refused
    assert "Deleted 1 story" in answer(vera.slash(channel, "forget", what="all stories here"))


@pytest.mark.usefixtures("bot")
def test_each_person_has_a_story_of_their_own(discord: LocalDiscord, abroad: Guild) -> None:
    vera, will, channel = visitor(abroad), visitor(abroad, "Will"), abroad.add_channel("anywhere")
    first = written(vera.slash(channel, "continue", text="Vera:", length=20))
    written(will.slash(channel, "continue", text="Will:", length=20))
    assert text_of(vera, channel).startswith("Vera:")
    assert text_of(will, channel).startswith("Will:")
    assert "belongs to who asked" in answer(will.press(first, "Continue"))
    group = discord.group(vera, will)
    said = will.user.say(group, "Once upon a time")
    assert "Once upon a time" in story_of(written(vera.user.menu(said, "Continue this")))
    assert text_of(vera, channel).startswith("Vera:")
    with pytest.raises(NotPossible):
        vera.user.menu(said, "Story from here")


@pytest.mark.usefixtures("bot")
def test_a_reply_of_one_person_moves_nobody_elses_story(abroad: Guild) -> None:
    vera, will, channel = visitor(abroad), visitor(abroad, "Will"), abroad.add_channel("anywhere")
    first = written(vera.slash(channel, "continue", text="Vera:", length=20))
    written(will.slash(channel, "continue", text="Will:", length=20))
    text = text_of(will, channel)
    form = vera.press(first, "Write").wait_answer()
    assert "belongs to who asked" in answer(will.menu(first, "Continue this"))
    for button in ("Continue", "Write", "Retry", "Undo"):
        assert "belongs to who asked" in answer(will.press(first, button))
    assert text_of(will, channel) == text
    assert text_of(vera, channel).startswith("Vera:")
    abroad.add_bot()
    assert "before I was a member" in answer(vera.press(first, "Undo"))
    assert "before I was a member" in answer(vera.submit(form, text="and then"))
    assert "before I was a member" in answer(vera.menu(first, "Continue this"))


@pytest.mark.usefixtures("bot")
def test_a_reply_is_no_longer_than_six_messages_usually_take(abroad: Guild) -> None:
    vera, channel = visitor(abroad), abroad.add_channel("anywhere")
    assert f"at most {MOST_ELSEWHERE}" in answer(vera.slash(channel, "continue", length=4000))
    vera.slash(channel, "settings", length=4000).wait_message(lambda m: m.text)
    written(vera.slash(channel, "continue", text="ab"))
    assert len(text_of(vera, channel)) == 2 + MOST_ELSEWHERE


def test_the_applications_set_up_says_where_commands_are_offered(tmp_path: Path) -> None:
    for installs in ((0,), (0, 1)):
        with LocalDiscord(token=TOKEN, settings=dataclasses.replace(ROOMY, installs=installs)) as discord:
            with started(discord, tmp_path):
                commands = discord.commands()
            assert commands["continue"]["integration_types"] == list(installs)
            assert commands["continue"]["contexts"] == ([0, 1, 2] if 1 in installs else [0, 1])
            assert (commands["fork"]["integration_types"], commands["fork"]["contexts"]) == ([0], [0])


@pytest.fixture
def local() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


@pytest.mark.parametrize("moment", ["promised", "growing", "late"])
def test_a_reply_elsewhere_outlives_kill_9(local: LocalDiscord, tmp_path: Path, moment: str) -> None:
    """While its token lives it is shown to its end; later it is only in the story."""
    guild = local.add_guild("Abroad")
    guild.remove_bot()
    vera, channel = visitor(guild), guild.add_channel("anywhere")
    with started(local, tmp_path) as bot:
        for number in range(12):  # so that the reply takes a while
            visitor(guild, f"V{number}").slash(channel, "continue", text="ab", length=700)
        call = vera.slash(channel, "continue", text="ROMEO:", length=700, seed=4)
        call.wait_answer()
        if moment != "promised":
            call.wait_message(lambda m: is_growing(m) or is_written(m), 20)
        bot.kill()
    if moment == "late":
        local.misbehave.expire_tokens()
    with started(local, tmp_path) as bot:
        if moment == "late":
            until_told(vera, channel)
            assert len(text_of(vera, channel)) == 706
        else:
            message = call.wait_message(is_written, 30)
            assert same_words(text_of(vera, channel), story_of(message))
            assert written(vera.press(message, "Continue"))
        assert not bot.complaints()
        assert not any(call.token in line for line in bot.log)
    with engine.Store(f"sqlite:///{tmp_path}/stories.db") as store:
        assert store.notes("discord/writing") == {}


def until_told(member: Member, channel: Channel) -> None:
    """Wait until an earlier process's reply is in the story."""
    ends = time.monotonic() + 20
    while "ROMEO" not in answer(member.slash(channel, "tree", as_text=True)) and time.monotonic() < ends:
        time.sleep(0.2)
