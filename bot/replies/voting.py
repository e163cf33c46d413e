"""Holds votes among alternatives: takes the ballots, and goes on with what was decided when the time is up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.messages.markdown import escape
from bot.messages.pages import FORMATS, Chain, Passage
from bot.messages.post import Post
from bot.replies.replies import Replies
from bot.replies.requests import Note, Saved, Written
from bot.replies.streaming import show_decided, show_written
from bot.stories.channels import Channel
from bot.stories.refusals import Impossible, Refusal
from bot.stories.stories import NoteKey
from bot.stories.votes import Outcome, Vote, cast, decide, end_vote, open_votes

PostMaker = Callable[[Channel, Chain | None, int], Post]  # a post in a channel, with a chain of messages and a key
ENDED = "that vote has just ended: what was chosen comes in a moment"
AGAIN_SECONDS = 600.0  # after all attempts to decide a vote have failed
_log = logging.getLogger(__name__)


class Voting:
    """The votes of this process. Each is in the store, so another process can go on with it."""

    def __init__(self, replies: Replies, make_post: PostMaker) -> None:
        self._replies, self._access, self._make_post = replies, replies.access, make_post
        self._left: list[Vote] = []
        self._expected: set[int] = set()  # messages whose votes will be decided
        self._deciding: set[int] = set()  # messages whose votes are being decided, until that is shown
        self._locks: dict[int, asyncio.Lock] = {}  # by message: no ballot is cast while its vote is decided
        replies.on_vote = self.expect

    async def look_back(self) -> None:
        """Read which votes an earlier process left."""
        self._left = await self._access.call(lambda: open_votes(self._access.stories.store))

    def take_up(self, is_mine: Callable[[int], bool]) -> None:
        """Go on with the votes in guilds that are `is_mine`; those whose time is up are decided now."""
        mine = [vote for vote in self._left if is_mine(vote.channel.guild)]
        self._left = [vote for vote in self._left if not is_mine(vote.channel.guild)]
        for vote in mine:
            self.expect(vote)

    def expect(self, vote: Vote) -> None:
        """Decide a vote when its time is up."""
        if vote.message not in self._expected:
            self._expected.add(vote.message)
            asyncio.get_running_loop().call_later(max(0.0, vote.ends - time.time()), self._begin, vote)

    async def cast(self, channel: Channel, message: int, member: int, turn: int) -> str:
        """Take a member's ballot; returns what to tell the member.

        Raises `VoteOver` if it was decided before, and another `Refusal` if its time is just up.
        """
        store = self._access.stories.store

        def read() -> Vote:
            vote = Vote.read(store, channel, message)
            if time.time() >= vote.ends:
                raise Refusal(ENDED)
            return vote

        def taken() -> tuple[Vote, int]:
            return (vote := read()), cast(store, vote, member, turn)

        if message in self._deciding:  # who holds the lock now may hold it for longer than Discord waits
            raise Refusal(ENDED)
        await self._access.call(read)
        async with self._lock(message):
            vote, count = await self._access.call(taken)
        number, members = vote.options.index(turn) + 1, "1 member has" if count == 1 else f"{count} members have"
        return f"You chose {number}; {members} chosen. It ends <t:{vote.ends:.0f}:R>; until then you may choose again."

    @asynccontextmanager
    async def _lock(self, message: int) -> AsyncIterator[None]:
        """Keep others out of a vote."""
        lock = self._locks.setdefault(message, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if message not in self._expected and not lock.locked():
                self._locks.pop(message, None)

    def _begin(self, vote: Vote) -> None:
        if not self._replies.is_closing:  # else the next process decides it
            self._replies.start(self._decide(vote))

    async def _decide(self, vote: Vote) -> None:
        self._deciding.add(vote.message)
        try:
            await self._decide_and_show(vote)
        finally:
            self._deciding.discard(vote.message)

    async def _decide_and_show(self, vote: Vote) -> None:
        stories = self._access.stories
        note = Note(stories.store, vote.channel, vote.message, Chain([], FORMATS[vote.format]))

        def noted(outcome: Outcome) -> dict[NoteKey, object]:
            told = outcome.in_words(vote.options)
            note.saved = Saved(vote.serial, outcome.turn, "", told=told, decided=list(vote.options))
            return {note.key: note.value()}

        try:
            async with self._lock(vote.message):
                self._expected.discard(vote.message)
                done = await self._replies.insist(vote.channel, lambda: [decide(stories, vote, noted)])
        except Impossible as refusal:
            await self._access.try_call(lambda: end_vote(stories.store, vote))
            ended = Passage(footer=f"the vote has ended with nothing: {escape(str(refusal))}")
            await self._make_post(vote.channel, Chain([vote.message], FORMATS[vote.format]), 0).finish(ended)
            return
        if done is None:  # after all attempts; when the bot is closing, the next process tries
            self.expect(replace(vote, ends=time.time() + AGAIN_SECONDS))
            return
        if (outcome := done[0]) is not None:
            _log.info("event=vote guild=%d channel=%d votes=%d", vote.channel.guild, vote.channel.id, outcome.total)
            await self._show(vote, outcome, note)

    async def _show(self, vote: Vote, outcome: Outcome, note: Note) -> None:
        """Say below the alternatives how the vote went, and go on with the one that was chosen in a new message."""
        post = self._make_post(vote.channel, Chain([vote.message], FORMATS[vote.format]), 0)
        options = dict(zip(vote.options, outcome.texts, strict=True))
        await show_decided(vote.serial, options, outcome.in_words(vote.options), post)
        post = self._make_post(vote.channel, None, vote.message)
        note.chain = post.chain
        post.on_sent = lambda: self._access.try_call(note.write)
        text = outcome.texts[vote.options.index(outcome.turn)]
        await show_written(Written(outcome.story, outcome.turn, text, 0), post)
        await self._access.try_call(note.remove)
