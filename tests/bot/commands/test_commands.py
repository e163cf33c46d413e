"""Every command of the contract, by a real client against a local Discord."""

from __future__ import annotations

import re

import pytest

import engine
from bot.messages.markdown import BLANK
from tests.bot.reading import answer, is_choice, is_written, same_words, story_of, text_of, turn_of, written
from tests.local_discord import Channel, Guild, LocalDiscord, Member, NotPossible

pytestmark = pytest.mark.usefixtures("bot")
COMMANDS = {
    "continue": {"text", "length", "temperature", "top_p", "seed"}, "retry": {"temperature", "seed"},
    "alternatives": {"n", "vote", "length", "temperature"},
    "undo": {"turns"}, "redo": {"turns"}, "fork": {"name"}, "tree": {"as_text"}, "heat": set(),
    "why": set(), "goto": {"turn"}, "restart": set(),
    "model": {"name"}, "remember": {"file"},
    "settings": {"length", "end", "temperature", "top_p", "max_length", "memory", "style", "join", "reset"},
    "as": {"name"},
    "export": set(), "forget": {"what"}, "status": set(),
}  # fmt: skip


def test_alternatives_stand_side_by_side_and_anybody_goes_on_with_one(
    channel: Channel, anna: Member, guild: Guild, model: engine.Engine
) -> None:
    assert "nothing to go on from" in answer(anna.slash(channel, "alternatives"))
    written(anna.slash(channel, "continue", text="ROMEO:", length=40, seed=5))
    message = anna.slash(channel, "alternatives", n=4, length=30).wait_message(is_choice, 20)
    assert [button["label"] for button in message.buttons] == ["1", "2", "3", "4"]
    talk = model.conversation(sampling=engine.Sampling(seed=5, length=40, temperature=0.8))
    talk.say("ROMEO:").result()
    texts = [reply.text for reply in talk.alternatives(4, engine.Sampling(length=30, temperature=0.8))]
    parts = [part.partition(" ")[2] for part in message.texts[:4]]
    assert all(
        same_words(text, part.replace("\\", "").replace(BLANK, "")) for text, part in zip(texts, parts, strict=True)
    )
    chosen = written(guild.add_member("Bea").press(message, "3"))
    assert same_words(story_of(chosen), texts[2])
    assert text_of(anna, channel) == talk.text + texts[2]
    tree = answer(anna.slash(channel, "tree", as_text=True), "here")
    assert all(re.search(rf"^\W*{turn}\b", tree, re.MULTILINE) for turn in (3, 4, 5, 6))
    assert same_words(story_of(written(anna.press(message, "1"))), texts[0])


def test_the_commands_are_those_of_the_contract(discord: LocalDiscord) -> None:
    synced = {name: command for name, command in discord.commands().items() if command["type"] == 1}
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
    assert message.text.startswith("**ROMEO:**")
    assert [button["label"] for button in message.buttons] == ["Continue", "Write", "Retry", "Undo", "Fork"]
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
    message = anna.slash(channel, "tree", as_text=True).wait_message(lambda m: "<- here" in m.text)
    assert message.text.count("```") == 2
    assert "`-- " in message.text
    assert message.ephemeral_to is not None


def test_a_large_tree_comes_as_a_file(channel: Channel, anna: Member) -> None:
    for _ in range(45):
        written(anna.slash(channel, "continue", text="words and words and words and words", length=1))
    message = anna.slash(channel, "tree", as_text=True).wait_message(lambda m: m.attachments)
    assert len(message.text) <= 2000
    assert "<- here" in message.text
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


def test_a_fork_needs_a_channel_that_has_threads(discord: LocalDiscord, anna: Member) -> None:
    dm = discord.dm(anna)
    with pytest.raises(NotPossible):
        anna.slash(dm, "fork")


def test_restart_begins_anew_and_keeps_the_old_story(channel: Channel, anna: Member) -> None:
    old = written(anna.slash(channel, "continue", text="ROMEO:", length=30))
    assert "new story" in written(anna.slash(channel, "restart")).text
    written(anna.slash(channel, "continue", text="JULIET:", length=30))
    anna.press(old, "Fork").wait_message(lambda m: "goes on" in m.text)
    assert text_of(anna, channel).startswith("JULIET:")
    again = written(anna.press(old, "Continue"))
    assert again.buttons[0]["custom_id"].split(":")[2] == "1"
    tree = answer(anna.slash(channel, "tree", as_text=True), "ROMEO")
    assert "JULIET" not in tree


def test_nothing_was_refused_and_nobody_was_pinged(discord: LocalDiscord, channel: Channel, anna: Member) -> None:
    text = "@everyone <@1> **bold** ```code``` https://example.org"
    written(anna.slash(channel, "continue", text=text, length=10))
    assert not discord.pings
    assert not discord.refused
