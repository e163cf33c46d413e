"""Replies: their order, what is refused, what members are told, and which of those that fail leave a note."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import discord
import pytest

import engine
from bot.messages.layout import Formats
from bot.messages.post import Post
from bot.messages.rate_limits import Pace, Rates
from bot.replies.replies import Replies
from bot.replies.requests import Request
from bot.settings import Limits, Writing
from bot.stories.access import StoryAccess
from bot.stories.refusals import EngineFailed, Impossible, NoStory, QueueFull, Refusal
from bot.stories.stories import WRITING, Stories
from tests.bot.reading import turn_of, written
from tests.bot.stories.writing import HERE
from tests.local_discord import Channel, Guild, Member, NotPossible
from tests.networks import tiny_engine

Prepare = Callable[[Replies, engine.Engine], Awaitable[None]]


async def nothing(replies: Replies, model: engine.Engine) -> None:
    pass


async def close_engine(replies: Replies, model: engine.Engine) -> None:
    await replies.access.call(lambda: replies.access.stories.present(HERE))
    model.close()


async def fill_queue(replies: Replies, model: engine.Engine) -> None:
    replies.apply(Limits(running=1, waiting=1))
    for _ in range(2):
        replies.queue.take()


async def close_bot(replies: Replies, model: engine.Engine) -> None:
    replies.is_closing = True


@pytest.mark.parametrize(
    ("request_", "prepare", "kind", "words", "is_kept"),
    [
        (Request(7, text="hello"), close_engine, EngineFailed, "closed", True),
        (Request(7, serial=1, turn=99), nothing, NoStory, "forgotten", False),
        (Request(7, "retry"), nothing, Impossible, "nothing to retry", False),
        (Request(7, text="hello"), fill_queue, QueueFull, "1 requests wait already", False),
        (Request(7, text="hello"), close_bot, Refusal, "about to restart", False),
    ],
)
def test_only_what_the_next_process_can_do_leaves_a_note(
    tmp_path: Path, request_: Request, prepare: Prepare, kind: type[Refusal], words: str, is_kept: bool
) -> None:
    async def main(store: engine.Store, model: engine.Engine) -> dict[str, Any]:
        replies = Replies(StoryAccess(Stories(store, {"tiny": model}, Writing()), 5), Limits())
        client = discord.Client(intents=discord.Intents.none())
        post = Post(
            client.get_partial_messageable(HERE.id, guild_id=HERE.guild), Rates(), Formats("auto"), pace=Pace(), key=99
        )
        note = replies.note(HERE, post)
        await prepare(replies, model)
        await replies.access.call(lambda: note.ask(request_))
        assert store.notes(WRITING)
        with pytest.raises(kind, match=words) as caught:
            await replies.write(request_, post, note)
        assert type(caught.value) is kind
        await replies.close(0)
        return store.notes(WRITING)

    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store, tiny_engine() as model:
        left = asyncio.run(main(store, model))
    assert bool(left) == is_kept
    if is_kept:
        assert left[f"{HERE.key}/99"]["plan"]["text"] == "hello"


@pytest.mark.usefixtures("bot")
def test_several_requests_in_a_channel_are_written_one_after_the_other(channel: Channel, guild: Guild) -> None:
    members = [guild.add_member(f"M{number}") for number in range(5)]
    calls = [member.slash(channel, "continue", text=f"[{n}]", length=60) for n, member in enumerate(members)]
    turns = [turn_of(written(call)) for call in calls]
    assert sorted(turns) == [2, 4, 6, 8, 10]


@pytest.mark.usefixtures("bot")
def test_too_much_is_refused_in_words(channel: Channel, anna: Member) -> None:
    with pytest.raises(NotPossible, match="0 to 1500 characters"):  # Discord offers no more
        anna.slash(channel, "continue", text="x" * 1501)
    anna.say(channel, "<@bot> " + "x" * 1501)
    assert "text 1501: at most 1500" in channel.wait_message(lambda m: m.text).text


@pytest.mark.usefixtures("bot")
def test_characters_the_model_never_saw_are_told(channel: Channel, anna: Member) -> None:
    message = written(anna.slash(channel, "continue", text="漢 ROMEO", length=10))
    assert message.text.endswith("never saw them: 漢")


def test_a_name_is_noted_only_for_a_chat(stories: Stories) -> None:
    access, request = StoryAccess(stories, 5), Request(7, text="hi", name="Anna")
    replies = Replies(access, Limits())
    assert asyncio.run(replies.check_limits(HERE, request)).name == ""
    stories.choose(HERE, style="chat")
    assert asyncio.run(replies.check_limits(HERE, request)).name == "Anna"
    access.close()
