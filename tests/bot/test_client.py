"""Events of the gateway: mentions, what comes twice, and a connection that breaks."""

from __future__ import annotations

import time

import pytest

from tests.bot.reading import begun, is_written, same_words, story_of, whole, written
from tests.local_discord import Channel, Guild, LocalDiscord, Member

pytestmark = pytest.mark.usefixtures("bot")


def test_events_that_come_twice_are_done_once(
    discord: LocalDiscord, channel: Channel, guild: Guild, anna: Member
) -> None:
    discord.misbehave.double("INTERACTION_CREATE")
    written(anna.slash(channel, "continue", text="first", length=20))
    discord.misbehave.double("MESSAGE_CREATE")
    anna.say(channel, f"<@{guild.me.id}> second")
    channel.wait_message(lambda m: "second" in m.text and is_written(m))
    time.sleep(0.5)
    assert len([message for message in channel.messages if is_written(message)]) == 2


@pytest.mark.parametrize("is_resumable", [True, False])
def test_a_lost_gateway_is_no_harm(
    discord: LocalDiscord, channel: Channel, anna: Member, long_text: str, is_resumable: bool
) -> None:
    begun(channel, anna)
    back = "resume" if is_resumable else "ready"
    before = len([event for event in discord.gateway_log if event.what == back])
    discord.misbehave.drop_gateway() if is_resumable else discord.misbehave.invalidate()
    assert same_words(story_of(*whole(channel)), long_text)
    discord.wait_gateway(back, before + 1, timeout=20)
    assert written(anna.slash(channel, "continue", length=10))


def test_mentions_replies_and_direct_messages_continue(
    discord: LocalDiscord, guild: Guild, channel: Channel, anna: Member
) -> None:
    anna.say(channel, f"<@{guild.me.id}> Once upon a time")
    first = channel.wait_message(lambda m: "Once upon" in m.text and is_written(m))
    anna.say(channel, "there was a king", reply_to=first, mention=True)
    channel.wait_message(lambda m: "there was a king" in m.text and is_written(m))
    anna.say(channel, "nobody asked the bot")
    dm = discord.dm(anna)
    anna.say(dm, "Only for you")
    assert dm.wait_message(lambda m: "Only for you" in m.text and is_written(m))
    time.sleep(0.3)
    assert not [m for m in channel.messages if "nobody asked" in m.text and m.author is guild.me.user]
