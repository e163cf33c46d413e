"""Every command of the contract, by a real client against a local Discord."""

from __future__ import annotations

import json
import time

import pytest

import engine
from tests.bot.reading import is_written, story_of, text_of, turn_of, written
from tests.bot.running import Bot
from tests.local_discord import Channel, Guild, LocalDiscord, Member, NotPossible, Permission

pytestmark = pytest.mark.usefixtures("bot")
COMMANDS = {
    "continue": {"text", "length", "temperature", "top_p", "seed"}, "retry": {"temperature", "seed"},
    "undo": {"turns"}, "redo": {"turns"}, "fork": {"name"}, "tree": set(), "goto": {"turn"}, "restart": set(),
    "model": {"name"}, "settings": {"length", "temperature", "top_p", "max_length", "join", "reset"},
    "export": set(), "forget": {"what"}, "status": set(),
}  # fmt: skip


def answer(call: object, wanted: str = "") -> str:
    """The text of an answer, once it is there."""
    return call.wait_message(lambda m: m.content and wanted in m.content).content  # type: ignore[attr-defined,no-any-return]


def test_the_commands_are_those_of_the_contract(discord: LocalDiscord) -> None:
    synced = discord.commands()
    assert {name: {o["name"] for o in command.get("options", [])} for name, command in synced.items()} == COMMANDS
    for command in synced.values():
        assert command["description"]
        assert all(option["description"] not in ("", "…") for option in command.get("options", []))


def test_continue_writes_what_the_engine_writes(channel: Channel, anna: Member, model: engine.Engine) -> None:
    call = anna.slash(channel, "continue", text="ROMEO:", length=300, temperature=0.9, top_p=0.95, seed=7)
    sampling = engine.Sampling(temperature=0.9, top_p=0.95, seed=7, length=300)
    expected = model.conversation(sampling=sampling).say("ROMEO:").text
    message = written(call)
    assert story_of(message) == ("ROMEO:" + expected)
    assert message.content.startswith("**ROMEO:**")
    assert [button["label"] for button in message.buttons] == ["Continue", "Retry", "Undo", "Fork"]
    assert call.latency < 3


def test_a_text_is_set_off_from_the_story(channel: Channel, anna: Member, moderator: Member) -> None:
    written(anna.slash(channel, "continue", text="O", length=1, temperature=0))
    written(anna.slash(channel, "continue", text="and then", length=2, temperature=0))
    answer(moderator.slash(channel, "settings", join="line"), "line")
    written(anna.slash(channel, "continue", text="JULIET:", length=3))
    exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    text = exported.attachments[0].data.decode()
    assert " and then" in text
    assert "\nJULIET:" in text


def test_undo_redo_goto_and_retry(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    second = written(anna.slash(channel, "continue", length=40))
    back = written(anna.slash(channel, "undo"))
    assert turn_of(back) == turn_of(first)
    assert turn_of(written(anna.slash(channel, "redo"))) == turn_of(second)
    other = written(anna.slash(channel, "retry", temperature=1.0))
    assert story_of(other) != story_of(second)
    assert turn_of(written(anna.slash(channel, "goto", turn=turn_of(second)))) == turn_of(second)
    again = written(anna.slash(channel, "retry", seed=5, temperature=1.0))
    same = written(anna.slash(channel, "retry", seed=5, temperature=1.0))
    assert story_of(again) == story_of(same)
    call = anna.slash(channel, "undo", turns=50)
    assert "there are only" in answer(call, "turns to take back")
    assert call.messages[-1].ephemeral_to is not None
    choices = anna.complete(channel, "goto", "turn", str(turn_of(first)))
    assert turn_of(first) in [value for _, value in choices]


def test_tree_shows_the_branches_to_the_one_who_asks(channel: Channel, anna: Member) -> None:
    written(anna.slash(channel, "continue", text="```ROMEO:", length=20))
    written(anna.slash(channel, "retry", temperature=1.0))
    message = anna.slash(channel, "tree").wait_message(lambda m: "<- here" in m.content)
    assert message.content.count("```") == 2
    assert "`-- " in message.content
    assert message.ephemeral_to is not None


def test_a_large_tree_comes_as_a_file(channel: Channel, anna: Member) -> None:
    for _ in range(45):
        written(anna.slash(channel, "continue", text="words and words and words and words", length=1))
    message = anna.slash(channel, "tree").wait_message(lambda m: m.attachments)
    assert len(message.content) <= 2000
    assert "<- here" in message.content
    assert len(message.attachments[0].data.decode().splitlines()) == 91


def test_fork_opens_a_thread_and_leaves_the_channel_unharmed(channel: Channel, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    call = anna.slash(channel, "fork", name="What if")
    thread = channel.wait_thread("What if")
    assert thread.wait_message(is_written)
    assert f"<#{thread.id}>" in answer(call, "goes on")
    there = written(anna.slash(thread, "continue", length=40, seed=1))
    here = written(anna.slash(channel, "continue", length=40, seed=1))
    assert story_of(there) == story_of(here)
    assert turn_of(written(anna.slash(channel, "undo"))) == turn_of(first)


def test_a_fork_needs_a_place_for_it(discord: LocalDiscord, anna: Member) -> None:
    dm = discord.dm(anna)
    with pytest.raises(NotPossible):
        anna.slash(dm, "fork")


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
    assert "here" in answer(quiet.slash(channel, "tree"))
    assert written(stranger.press(message, "Continue"))


def test_threads_have_a_right_of_their_own(guild: Guild, channel: Channel, anna: Member) -> None:
    message = written(anna.slash(channel, "continue", length=10))
    anna.press(message, "Fork").wait_message(lambda m: "goes on from here" in m.content)
    thread = channel.threads[-1]
    channel.set_permissions(anna, deny=Permission.SEND_MESSAGES)
    assert written(anna.press(thread.messages[-1], "Continue"))
    channel.set_permissions(anna, deny=Permission.SEND_MESSAGES_IN_THREADS)
    assert "may not write here" in answer(anna.press(thread.messages[-1], "Retry"), "may not")


def test_restart_begins_anew_and_keeps_the_old_story(channel: Channel, anna: Member) -> None:
    old = written(anna.slash(channel, "continue", text="ROMEO:", length=30))
    assert "new story" in written(anna.slash(channel, "restart")).content
    written(anna.slash(channel, "continue", text="JULIET:", length=30))
    anna.press(old, "Fork").wait_message(lambda m: "goes on" in m.content)
    assert text_of(anna, channel).startswith("JULIET:")
    again = written(anna.press(old, "Continue"))
    assert again.buttons[0]["custom_id"].split(":")[2] == "1"
    tree = answer(anna.slash(channel, "tree"), "ROMEO")
    assert "JULIET" not in tree


def test_model_shows_chooses_and_completes(channel: Channel, anna: Member) -> None:
    assert "2 x 512" in answer(anna.slash(channel, "model"))
    assert anna.complete(channel, "model", "name", "shak") == [("shakespeare", "shakespeare")]
    assert "there is no model" in answer(anna.slash(channel, "model", name="nobody"))


def test_settings_are_the_moderators(channel: Channel, anna: Member, moderator: Member) -> None:
    assert "**length** 300" in answer(anna.slash(channel, "settings"))
    assert "Manage Channels" in answer(anna.slash(channel, "settings", length=9))
    assert "**length** 12" in answer(moderator.slash(channel, "settings", length=12, max_length=20))
    written(anna.slash(channel, "continue", text="ab"))
    assert len(text_of(anna, channel)) == 14
    refused = anna.slash(channel, "continue", length=21)
    assert "at most 20" in answer(refused)
    assert "**length** 300" in answer(moderator.slash(channel, "settings", reset=True))


def test_export_gives_a_text_and_what_replays_it(channel: Channel, anna: Member, model: engine.Engine) -> None:
    written(anna.slash(channel, "continue", text="ROMEO:", length=50))
    written(anna.slash(channel, "continue", text="JULIET:", length=50))
    message = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    text, replayable = (attachment.data.decode() for attachment in message.attachments)
    assert engine.replay(model, replayable).text == text
    assert json.loads(replayable)["model"] == "shakespeare"
    assert message.ephemeral_to is not None


def test_status_tells_how_it_is(channel: Channel, anna: Member) -> None:
    assert "2.8 M parameters, int8" in answer(anna.slash(channel, "status"))


def test_forget_deletes_for_good(channel: Channel, anna: Member, moderator: Member, bot: Bot, guild: Guild) -> None:
    def on_disk(words: str) -> bool:
        return any(words.encode() in path.read_bytes() for path in bot.path.parent.glob("stories.db*"))

    bea = guild.add_member("Bea")
    written(anna.slash(channel, "continue", text="unmistakable Anna", length=20))
    written(bea.slash(channel, "continue", text="unmistakable Bea", length=20))
    assert on_disk("unmistakable Anna")
    assert "Manage Messages" in answer(anna.slash(channel, "forget", what="all stories here"))
    assert "Deleted 1 of your texts" in answer(anna.slash(channel, "forget", what="what I wrote"))
    assert not on_disk("unmistakable Anna")
    assert on_disk("unmistakable Bea")
    assert "unmistakable Bea" in answer(anna.slash(channel, "tree"), "Bea")
    assert "Deleted 1 of your texts" in answer(bea.slash(channel, "forget", what="what I wrote"))
    assert not on_disk("unmistakable Bea")
    assert "nothing to delete" in answer(bea.slash(channel, "forget", what="what I wrote"))
    assert "Deleted 1 story" in answer(moderator.slash(channel, "forget", what="all stories here"))


def test_what_a_member_wrote_is_forgotten_in_threads_too(channel: Channel, anna: Member) -> None:
    written(anna.slash(channel, "continue", text="unmistakable", length=20))
    anna.slash(channel, "fork", name="Copy").wait_message(lambda m: "goes on" in m.content)
    assert "Deleted 2 of your texts" in answer(anna.slash(channel, "forget", what="what I wrote"))


def test_mentions_replies_and_direct_messages_continue(
    discord: LocalDiscord, guild: Guild, channel: Channel, anna: Member
) -> None:
    anna.say(channel, f"<@{guild.me.id}> Once upon a time")
    first = channel.wait_message(lambda m: "Once upon" in m.content and is_written(m))
    anna.say(channel, "there was a king", reply_to=first, mention=True)
    channel.wait_message(lambda m: "there was a king" in m.content and is_written(m))
    anna.say(channel, "nobody asked the bot")
    dm = discord.dm(anna)
    anna.say(dm, "Only for you")
    assert dm.wait_message(lambda m: "Only for you" in m.content and is_written(m))
    time.sleep(0.3)
    assert not [m for m in channel.messages if "nobody asked" in m.content and m.author is guild.me.user]


def test_nothing_was_refused_and_nobody_was_pinged(discord: LocalDiscord, channel: Channel, anna: Member) -> None:
    text = "@everyone <@1> **bold** ```code``` https://example.org"
    written(anna.slash(channel, "continue", text=text, length=10))
    assert not discord.pings
    assert not discord.refused
