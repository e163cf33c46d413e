"""Finishes the replies that an earlier process was writing when it ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from bot.messages.markdown import escape
from bot.messages.pages import Chain, Passage
from bot.messages.post import Post
from bot.replies.replies import Replies
from bot.replies.requests import Note, finish_reply
from bot.replies.streaming import show_decided, show_written
from bot.stories.channels import Channel
from bot.stories.refusals import Impossible
from bot.stories.stories import WRITING

CUT_MARK = "\N{ANTICLOCKWISE OPEN CIRCLE ARROW} a restart came in between"
PostMaker = Callable[[Note], Post]  # makes the post that the note is on
_log = logging.getLogger(__name__)


class Recovery:
    """Holds what an earlier process left until the guilds are there."""

    def __init__(self, replies: Replies) -> None:
        self._replies, self._access = replies, replies.access
        self._left: list[Note] = []

    async def look_back(self) -> None:
        """Read what an earlier process left. This has to be done before anybody asks for anything."""
        self._left = await self._access.call(self._read)

    def finish_earlier(self, is_mine: Callable[[int], bool], make_post: PostMaker) -> int:
        """Start to finish the replies in guilds that are `is_mine`; returns how many there are."""
        mine = [note for note in self._left if is_mine(note.channel.guild)]
        self._left = [note for note in self._left if not is_mine(note.channel.guild)]
        if self._replies.is_closing:
            return 0
        for note in mine:
            self._replies.start(self._finish(note, make_post))
        return len(mine)

    def _read(self) -> list[Note]:
        """The notes of an earlier process, in the order in which the replies were asked for."""
        store, left = self._access.stories.store, list[Note]()
        for key, value in store.notes(WRITING).items():
            guild, channel, post = map(int, key.split("/"))
            left.append(note := Note.read(store, Channel(guild, channel), post, value))
            if note.token is not None and note.token.seconds_left <= 0:  # it is of no more use
                note.token = replace(note.token, value="")
                note.write()
        return sorted(left, key=lambda note: note.post)

    async def _finish(self, note: Note, make_post: PostMaker) -> None:
        """Finish a reply and show it; its note stays if that fails, so that the next process tries again."""
        post = make_post(note)
        post.on_sent = lambda: self._access.try_call(note.write)
        if note.request is not None and note.request.minutes and not post.messages:  # members vote below a message
            await post.finish(Passage(footer=CUT_MARK))
        try:
            written = await self._replies.insist(note.channel, lambda: finish_reply(self._access.stories, note))
        except Impossible as refusal:
            await post.finish(Passage(footer=f"a restart cut this reply off: {escape(str(refusal))}"))
        else:
            if written is None:
                return
            if written.vote is not None and self._replies.on_vote is not None:
                self._replies.on_vote(written.vote)
            if written.decided and not post.messages:  # the vote's own message comes before
                over = make_post(replace(note, chain=Chain([note.post], note.chain.format)))
                await show_decided(written.story.serial, written.decided, written.told, over)
            await show_written(written, post, CUT_MARK)
        await self._access.try_call(note.remove)
