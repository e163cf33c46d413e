"""Replies while they are written, and what becomes of them where nobody can read them."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.bot.reading import begun, same_words, story_of, whole, written
from tests.bot.running import Bot
from tests.local_discord import Channel, Guild, LocalDiscord, Member, Permission

pytestmark = pytest.mark.usefixtures("bot")


def test_a_long_reply_grows_and_goes_on_in_further_messages(channel: Channel, anna: Member, long_text: str) -> None:
    first = begun(channel, anna)
    messages = whole(channel)
    assert len(messages) == 2  # 4,000 characters and their escapes
    assert same_words(story_of(*messages), long_text)
    assert all(2000 < len(message.text) <= 4000 for message in messages[:-1])
    assert [bool(message.buttons) for message in messages] == [False] * (len(messages) - 1) + [True]
    contents = [content for _, content in first.edits if content]
    assert len(contents) >= 2
    page = contents[-1]  # which may end behind a break before what was shown of it
    assert all(
        after.startswith(before) or (before.startswith(after) and after == page)
        for before, after in itertools.pairwise(contents)
    )


def test_a_stopped_reply_goes_on_to_the_same_words(channel: Channel, anna: Member, long_text: str) -> None:
    message = begun(channel, anna)
    anna.press(message, "Stop")
    whole(channel)
    exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    so_far = exported.attachments[0].data.decode()
    assert 6 < len(so_far) < len(long_text)
    written(anna.slash(channel, "continue", length=300, temperature=0.7))
    exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    assert exported.attachments[0].data.decode() == long_text[: len(so_far) + 300]


def test_a_deleted_message_ends_the_reply_quietly(channel: Channel, anna: Member, bot: Bot, long_text: str) -> None:
    begun(channel, anna).delete()
    time.sleep(1.5)
    exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    text = exported.attachments[0].data.decode()
    assert long_text.startswith(text)
    assert written(anna.slash(channel, "continue", length=10))


def test_a_channel_that_is_closed_or_deleted_is_no_harm(
    discord: LocalDiscord, guild: Guild, channel: Channel, anna: Member
) -> None:
    begun(channel, anna).channel.delete()
    other = guild.add_channel("closed")
    other.set_permissions(guild.me, deny=Permission.SEND_MESSAGES)
    anna.say(other, f"<@{guild.me.id}> can you hear me")
    time.sleep(0.5)
    assert written(anna.slash(guild.add_channel("open"), "continue", length=10))
