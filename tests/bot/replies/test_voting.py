"""Votes of a whole channel through restarts, by a real client against a local Discord."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine
from bot.stories.stories import BALLOTS, VOTES, WRITING
from tests.bot.conftest import ROOMY
from tests.bot.reading import answer, is_choice, is_growing, is_written, same_words, story_of, text_of, written
from tests.bot.running import TOKEN, started, until
from tests.local_discord import Channel, LocalDiscord, Message

LONG = {"writing": {"max_length": 4000}}


@pytest.fixture
def discord() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


def reschedule(folder: Path, seconds: float) -> None:
    """Have the only vote end in so many seconds."""
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        ((key, value),) = store.notes(VOTES).items()
        store.write_notes({(VOTES, key): value | {"ends": time.time() + seconds}})


def texts(message: Message) -> list[str]:
    """The alternatives."""
    return [story_part.partition(" ")[2] for story_part in message.texts if story_part.startswith("**")]


def decided(channel: Channel, vote: Message) -> tuple[Message, Message]:
    """The vote's message with what was decided, and the message that goes on from there."""
    over = channel.wait_message(lambda m: m is vote and "the vote has ended" in m.text, 20)
    return over, channel.wait_message(is_written, 20, after=vote)


def left(folder: Path) -> list[Any]:
    """What the store still has of votes and unfinished replies."""
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        ((key, _),) = store.notes(VOTES).items() or [("", None)]
        return [store.notes(topic) for topic in (VOTES, WRITING, f"{BALLOTS}/{key}") if store.notes(topic)]


def test_a_vote_of_fifty_members_with_a_restart_in_the_middle(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    channel, members = guild.add_channel("story"), [guild.add_member(f"M{number}") for number in range(50)]
    with started(discord, folder, LONG) as bot:
        first = written(members[0].slash(channel, "continue", text="ROMEO:", length=20))
        vote = members[0].slash(channel, "alternatives", n=3, vote=5, length=30).wait_message(is_choice, 20)
        assert "decided <t:" in vote.text
        for number, member in enumerate(members[:30]):
            told = answer(member.press(vote, str(1 + number % 3)))
            assert told.startswith(f"You chose {1 + number % 3}; {number + 1} member")
        bot.kill()
    reschedule(folder, 8)
    with started(discord, folder, LONG) as bot:
        for member in members[20:]:  # ten of whom choose again
            assert "You chose 2" in answer(member.press(vote, "2"))
        over, onward = decided(channel, vote)
        assert "the vote has ended: 2, with 37 of 50 votes" in over.text
        assert same_words(story_of(onward), texts(over)[1])
        assert "".join(text_of(members[0], channel).split()).endswith("".join(texts(over)[1].replace("\\", "").split()))
        assert turn_changes(channel, members[0], over, first)
        assert not bot.complaints()
    assert left(folder) == []


def turn_changes(channel: Channel, member: Any, over: Message, first: Message) -> bool:
    """After the vote its other alternatives are there to go on with, and so is every older button."""
    picked = written(member.press(over, "3"))
    return same_words(story_of(picked), texts(over)[2]) and bool(written(member.press(first, "Continue")))


@pytest.mark.parametrize("is_due", [True, False])
def test_alternatives_that_are_cut_by_kill_9_come_back_with_their_vote(
    discord: LocalDiscord, folder: Path, model: engine.Engine, is_due: bool
) -> None:
    """Once while they are written, and once more while nobody is there to see the vote's end."""
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder, LONG) as bot:
        written(anna.slash(channel, "continue", text="ROMEO:", length=20, seed=5))
        call = anna.slash(channel, "alternatives", n=2, vote=5, length=4000, temperature=0.8)
        call.wait_message(is_growing, 20)
        bot.kill()
    with started(discord, folder, LONG) as bot:
        vote = channel.wait_message(is_choice, 30)
        assert "a restart came in between" in vote.text
        talk = model.conversation(sampling=engine.Sampling(seed=5, length=20, temperature=0.8))
        talk.say("ROMEO:").result()
        said = [reply.text for reply in talk.alternatives(2, engine.Sampling(length=4000, temperature=0.8))]
        shown = texts(vote)[0].replace("\\", "").rstrip("\N{HORIZONTAL ELLIPSIS}")
        assert "".join(said[0].split()).startswith("".join(shown.split())[:500])
        assert "1 member has chosen" in answer(anna.press(vote, "2"))
        bot.kill()
    reschedule(folder, -60 if is_due else 3)
    with started(discord, folder, LONG) as bot:
        if not is_due:
            bot.kill()
            bot = started(discord, folder, LONG)
        with bot:
            over, onward = decided(channel, vote)
            assert "2, with 1 of 1 votes" in over.text
            assert text_of(anna, channel) == talk.text + said[1]
            until(lambda: left(folder) == [])
            assert len([m for m in channel.messages if is_written(m) and m.id >= onward.id]) == 1
            assert not bot.complaints()


def test_a_decision_that_kill_9_kept_from_its_message_is_shown_there(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder, LONG) as bot:
        written(anna.slash(channel, "continue", text="ROMEO:", length=20))
        vote = anna.slash(channel, "alternatives", n=2, vote=5, length=20).wait_message(is_choice, 20)
        bot.kill()
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:  # what a decision leaves
        ((key, value),) = store.notes(VOTES).items()
        told = "the vote has ended: 2, with 1 of 1 votes"
        saved = {"serial": 1, "turn": value["options"][1], "fed": "", "told": told, "decided": value["options"]}
        store.write_notes({(VOTES, key): None, (WRITING, key): saved | {"messages": [], "format": value["format"]}})
    with started(discord, folder, LONG) as bot:
        over, onward = decided(channel, vote)
        assert told in over.text
        assert same_words(story_of(onward), texts(over)[1])
        until(lambda: left(folder) == [])
        assert same_words(story_of(written(anna.press(over, "1"))), texts(over)[0])
        assert not bot.complaints()


def test_the_buttons_of_a_vote_that_was_decided_unseen_pick(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder, LONG) as bot:
        written(anna.slash(channel, "continue", text="ROMEO:", length=20))
        vote = anna.slash(channel, "alternatives", n=2, vote=5, length=20).wait_message(is_choice, 20)
        reschedule(folder, -1)
        assert "has just ended" in answer(anna.press(vote, "2"))
        with engine.Store(f"sqlite:///{folder}/stories.db") as store:  # as earlier versions left it
            store.write_notes({(VOTES, key): None for key in store.notes(VOTES)})
        assert same_words(story_of(written(anna.press(vote, "2"))), texts(vote)[1])
        assert not bot.complaints()


def test_a_vote_that_was_asked_for_but_never_answered_is_held(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder, LONG) as bot:
        written(anna.slash(channel, "continue", text="ROMEO:", length=20))
        bot.kill()
    plan = {"member": anna.id, "kind": "alternatives", "number": 2, "minutes": 5, "sampling": {"length": 9}}
    with engine.Store(f"sqlite:///{folder}/stories.db") as store:
        asked = {"plan": plan, "messages": [], "attempts": 0}
        store.write_notes({(WRITING, f"{guild.id}/{channel.id}/77"): asked})
    with started(discord, folder, LONG) as bot:
        vote = channel.wait_message(is_choice, 20)
        assert "decided <t:" in vote.text
        assert "1 member has chosen" in answer(anna.press(vote, "2"))
        reschedule(folder, 1)
        bot.kill()
    with started(discord, folder, LONG) as bot:
        assert "2, with 1 of 1 votes" in decided(channel, vote)[0].text
        assert not bot.complaints()


def test_a_vote_whose_story_is_forgotten_ends_with_nothing(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    channel, moderator = guild.add_channel("story"), guild.add_member("Mo", manage_messages=True)
    with started(discord, folder, LONG) as bot:
        written(moderator.slash(channel, "continue", text="ROMEO:", length=20))
        vote = moderator.slash(channel, "alternatives", n=2, vote=5, length=20).wait_message(is_choice, 20)
        assert "Deleted 1 story" in answer(moderator.slash(channel, "forget", what="all stories here"))
        assert "that story was forgotten" in answer(moderator.press(vote, "1"))
        assert not bot.complaints()
    assert left(folder) == []
