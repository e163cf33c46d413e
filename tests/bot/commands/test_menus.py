"""The context menu of messages, by a real client against a local Discord."""

from __future__ import annotations

import pytest

from tests.bot.reading import answer, begun, is_written, same_words, story_of, text_of, turn_of, whole, written
from tests.local_discord import Channel, Guild, LocalDiscord, Member, NotPossible

pytestmark = pytest.mark.usefixtures("bot")


def test_the_menu_has_three_commands(discord: LocalDiscord) -> None:
    menus = {name: command for name, command in discord.commands().items() if command["type"] == 3}
    assert set(menus) == {"Continue this", "Story from here", "Remember this"}
    assert menus["Story from here"]["contexts"] == [0]


def test_any_message_begins_or_goes_on_with_the_story(channel: Channel, guild: Guild, anna: Member) -> None:
    bea = guild.add_member("Bea")
    said = bea.say(channel, f"Once {anna.mention} came")  # the bot hears it only now
    first = written(anna.menu(said, "Continue this"))
    assert story_of(first).startswith("Once Anna came")
    written(anna.slash(channel, "continue", length=10))
    second = written(anna.menu(bea.say(channel, "and then"), "Continue this"))
    assert "and then" in story_of(second)
    onward = written(anna.menu(first, "Continue this"))  # from that reply, not from the end
    text = text_of(anna, channel)
    assert "and then" not in text
    assert same_words(text, story_of(first) + story_of(onward))
    assert turn_of(onward) > turn_of(second)
    assert "Deleted 2 of your texts" in answer(bea.slash(channel, "forget", what="what I wrote"))
    assert "no text" in answer(anna.menu(bea.say(channel, "", files={"a.txt": b"a"}), "Continue this"))


def test_a_story_begins_from_a_reply(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=30))
    written(anna.slash(channel, "continue", length=30))
    anna.menu(first, "Story from here").wait_message(lambda m: "goes on from here" in m.text)
    thread = channel.wait_thread("fork of story")
    assert same_words(text_of(anna, thread), story_of(first))
    assert thread.wait_message(is_written)
    said = anna.say(channel, "hello")
    assert "one of my replies" in answer(anna.menu(said, "Story from here"))


def test_a_message_without_a_place_in_the_story_says_so(channel: Channel, anna: Member) -> None:
    growing = begun(channel, anna)
    whole(channel)
    assert growing is channel.messages[0]  # the first page of two, and it has no buttons
    for name in ("Continue this", "Story from here"):
        assert "which has the buttons" in answer(anna.menu(growing, name))


def test_a_message_is_remembered(channel: Channel, guild: Guild, anna: Member, moderator: Member) -> None:
    said = guild.add_member("Bea").say(channel, "Zanzibar the unmistakable. " * 20)
    with pytest.raises(NotPossible, match="lacks the permissions"):
        anna.menu(said, "Remember this")
    told = answer(moderator.menu(said, "Remember this"))
    assert "knows that message now, with 539 characters" in told
    assert "/settings memory:mine" in told
    assert "(remembered) Zanzibar" in answer(anna.slash(channel, "tree", as_text=True), "Zanzibar")
    reply = written(anna.slash(channel, "continue", length=10))
    assert "of the story itself" in answer(moderator.menu(reply, "Remember this"))
