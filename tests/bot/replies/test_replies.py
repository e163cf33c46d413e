"""Replies while they are written: streaming, buttons, several at once, and Discord at its worst."""

from __future__ import annotations

import itertools
import time

import pytest

import engine
from bot.commands.presses import PRESS_SECONDS
from tests.bot.reading import is_growing, is_written, same_words, story_of, turn_of, written
from tests.bot.running import Bot
from tests.local_discord import Channel, Guild, LocalDiscord, Member, Message, Permission

pytestmark = pytest.mark.usefixtures("bot")
LONG = 4000


def begun(channel: Channel, member: Member) -> Message:
    """A long reply whose first words are there, and that is still being written."""
    call = member.slash(channel, "continue", text="ROMEO:", length=LONG, seed=3, temperature=0.7)
    return call.wait_message(is_growing, 20)


@pytest.fixture(scope="module")
def long_text(model: engine.Engine) -> str:
    sampling = engine.Sampling(temperature=0.7, seed=3, length=LONG)
    return "ROMEO:" + model.conversation(sampling=sampling).say("ROMEO:").text


def whole(channel: Channel, timeout: float = 30) -> list[Message]:
    """The messages of the channel's only reply, once it is whole."""
    channel.wait_message(is_written, timeout)
    return [message for message in channel.messages if message.content and message.ephemeral_to is None]


def test_a_long_reply_grows_and_goes_on_in_further_messages(channel: Channel, anna: Member, long_text: str) -> None:
    first = begun(channel, anna)
    messages = whole(channel)
    assert len(messages) >= 3
    assert same_words(story_of(*messages), long_text)
    assert all(len(message.content) <= 2000 for message in messages)
    assert [bool(message.buttons) for message in messages] == [False] * (len(messages) - 1) + [True]
    contents = [content for _, content in first.edits if content]
    assert len(contents) >= 2
    page = contents[-1]  # which may end behind a break before what was shown of it
    assert all(
        after.startswith(before) or (before.startswith(after) and after == page)
        for before, after in itertools.pairwise(contents)
    )


def test_stop_is_for_who_asked_and_for_moderators(
    channel: Channel, guild: Guild, anna: Member, moderator: Member, long_text: str
) -> None:
    for who in (anna, moderator):
        place = guild.add_channel("stop")
        message = begun(place, anna)
        refused = guild.add_member("Bea").press(message, "Stop")
        assert "only who asked" in refused.wait_message(lambda m: m.content).content
        who.press(message, "Stop")
        text = story_of(*whole(place))
        assert len(text) < len(long_text)
        assert "".join(long_text.split()).startswith("".join(text.split()))


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


def test_buttons_do_what_they_say(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    second = written(anna.press(first, "Continue"))
    assert turn_of(second) > turn_of(first)
    assert story_of(written(anna.press(first, "Retry"))) != story_of(first)
    empty = written(anna.press(first, "Undo"))
    assert "empty" in empty.content
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
    answers = [call.wait_message(lambda m: is_written(m) or "once is enough" in m.content).content for call in calls]
    assert sum("once is enough" in answer for answer in answers) == 2
    assert len([message for message in channel.messages if is_written(message)]) == 2


def test_several_requests_in_a_channel_are_written_one_after_the_other(channel: Channel, guild: Guild) -> None:
    members = [guild.add_member(f"M{number}") for number in range(5)]
    calls = [member.slash(channel, "continue", text=f"[{n}]", length=60) for n, member in enumerate(members)]
    turns = [turn_of(written(call)) for call in calls]
    assert sorted(turns) == [2, 4, 6, 8, 10]


def test_events_that_come_twice_are_done_once(
    discord: LocalDiscord, channel: Channel, guild: Guild, anna: Member
) -> None:
    discord.misbehave.double("INTERACTION_CREATE")
    written(anna.slash(channel, "continue", text="first", length=20))
    discord.misbehave.double("MESSAGE_CREATE")
    anna.say(channel, f"<@{guild.me.id}> second")
    channel.wait_message(lambda m: "second" in m.content and is_written(m))
    time.sleep(0.5)
    assert len([message for message in channel.messages if is_written(message)]) == 2


@pytest.mark.parametrize("fault", ["expired", "5xx", "limited", "lost answer", "hanging"])
def test_the_last_edit_always_arrives(
    discord: LocalDiscord, channel: Channel, anna: Member, long_text: str, fault: str
) -> None:
    begun(channel, anna)
    if fault == "expired":
        discord.misbehave.expire_tokens()
    elif fault == "5xx":
        discord.misbehave.fail(1.5, "", 503)
    elif fault == "limited":
        discord.misbehave.limit(1.0, "PATCH", times=2)
    elif fault == "lost answer":
        discord.misbehave.lose_answer("PATCH", times=2)
    else:
        discord.misbehave.hang(1.5, "PATCH")
    assert same_words(story_of(*whole(channel, 40)), long_text)
    discord.misbehave.stop()
    assert written(anna.slash(channel, "continue", length=10))


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


def test_a_lost_answer_to_the_first_promise_is_no_harm(discord: LocalDiscord, channel: Channel, anna: Member) -> None:
    discord.misbehave.lose_answer("POST .*callback")
    assert written(anna.slash(channel, "continue", text="ROMEO:", length=30))


def test_a_deleted_message_ends_the_reply_quietly(channel: Channel, anna: Member, bot: Bot, long_text: str) -> None:
    begun(channel, anna).delete()
    time.sleep(1.5)
    exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    text = exported.attachments[0].data.decode()
    assert long_text.startswith(text)
    assert written(anna.slash(channel, "continue", length=10))


def test_a_refusal_is_told_also_when_the_token_has_run_out(
    discord: LocalDiscord, channel: Channel, anna: Member
) -> None:
    message = begun(channel, anna)
    call = anna.slash(channel, "redo")  # it waits for the reply to end, and then there is nothing to bring back
    call.wait_answer()
    discord.misbehave.expire_tokens()
    anna.press(message, "Stop")
    assert "not so many turns" in call.wait_message(lambda m: m.content).content


def test_a_channel_that_is_closed_or_deleted_is_no_harm(
    discord: LocalDiscord, guild: Guild, channel: Channel, anna: Member
) -> None:
    begun(channel, anna).channel.delete()
    other = guild.add_channel("closed")
    other.set_permissions(guild.me, deny=Permission.SEND_MESSAGES)
    anna.say(other, f"<@{guild.me.id}> can you hear me")
    time.sleep(0.5)
    assert written(anna.slash(guild.add_channel("open"), "continue", length=10))


def test_too_much_is_refused_in_words(channel: Channel, anna: Member) -> None:
    call = anna.slash(channel, "continue", text="x" * 1501)
    message = call.wait_message(lambda m: m.content)
    assert "text 1501: at most 1500" in message.content
    assert message.ephemeral_to is not None


def test_characters_the_model_never_saw_are_told(channel: Channel, anna: Member) -> None:
    message = written(anna.slash(channel, "continue", text="漢 ROMEO", length=10))
    assert message.content.endswith("never saw them: 漢")
