"""Buttons: each does what it says, once, and for those who may."""

from __future__ import annotations

import time

import pytest

from bot.commands.presses import PRESS_SECONDS
from tests.bot.reading import begun, is_written, story_of, turn_of, whole, written
from tests.local_discord import Channel, Guild, Member

pytestmark = pytest.mark.usefixtures("bot")


def test_stop_is_for_who_asked_and_for_moderators(
    guild: Guild, anna: Member, moderator: Member, long_text: str
) -> None:
    for who in (anna, moderator):
        channel = guild.add_channel("stop")
        message = begun(channel, anna)
        refused = guild.add_member("Bea").press(message, "Stop")
        assert "only who asked" in refused.wait_message(lambda m: m.text).text
        who.press(message, "Stop")
        text = story_of(*whole(channel))
        assert len(text) < len(long_text)
        assert "".join(long_text.split()).startswith("".join(text.split()))


def test_buttons_do_what_they_say(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    second = written(anna.press(first, "Continue"))
    assert turn_of(second) > turn_of(first)
    assert story_of(written(anna.press(first, "Retry"))) != story_of(first)
    empty = written(anna.press(first, "Undo"))
    assert "empty" in empty.text
    anna.press(first, "Fork")
    thread = channel.wait_thread("fork of story")
    assert story_of(thread.wait_message(is_written)).endswith(story_of(first)[-20:])


def test_continue_where_it_was_continued_before_writes_something_else(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    one = written(anna.press(first, "Continue"))
    time.sleep(PRESS_SECONDS + 1.5)  # until then a second press is the same press
    other = written(anna.press(first, "Continue"))
    assert story_of(one) != story_of(other)


def test_a_button_pressed_by_two_at_once_does_it_once(channel: Channel, guild: Guild, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    calls = [member.press(first, "Continue") for member in (anna, guild.add_member("Bea"), anna)]
    answers = [call.wait_message(lambda m: is_written(m) or "once is enough" in m.text).text for call in calls]
    assert sum("once is enough" in answer for answer in answers) == 2
    assert len([message for message in channel.messages if is_written(message)]) == 2
