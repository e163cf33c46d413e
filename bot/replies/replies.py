"""Writes replies: waits in the queue, shows a reply while it grows, and saves it.

Before a reply begins, a note in the store says what was asked and where it is shown. The note is removed after the
last edit has arrived. So when a process is killed, another one can finish its replies with the very same words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp
import discord

import engine
from bot.messages.markdown import escape
from bot.messages.post import GoneError, Post
from bot.replies.queue import Queue, Ticket
from bot.replies.requests import Begun, Note, Request, begin_reply, keep_reply, resolve_request
from bot.replies.streaming import show_written, stream
from bot.settings import Limits
from bot.stories.access import StoryAccess
from bot.stories.channels import Channel
from bot.stories.refusals import Busy, EngineFailed, Impossible, Refusal
from bot.stories.votes import Vote

RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0)  # between attempts at what cannot be given up
QUEUE_SECONDS = 3.0  # between messages about a request's position in the queue

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Running:
    """A reply that is being written, the member who asked for it, and where it is shown."""

    begun: Begun
    member: int
    post: Post


class Replies:
    """Writes replies. Runs in the event loop."""

    def __init__(self, access: StoryAccess, limits: Limits) -> None:
        self.access = access
        self.queue = Queue(limits.running, limits.waiting)
        self.is_closing = self.is_closed = False
        self.on_vote: Callable[[Vote], None] | None = None
        """This is called when a vote has begun."""
        self._running: dict[Channel, Running] = {}
        self._tasks: set[asyncio.Task[Any]] = set()  # replies and commands at work

    def apply(self, limits: Limits) -> None:
        """Take on other limits."""
        self.queue.max_running, self.queue.max_waiting = limits.running, limits.waiting
        self.queue.call_waiting()

    async def check_limits(self, channel: Channel, request: Request) -> Request:
        """Raise `Refusal` for what exceeds the channel's or the operator's limits.

        Returns the request as it may be noted: with a member's name only where that becomes a part of a chat.
        """
        self._check_open()
        self.queue.check()
        choices = await self.access.call(lambda: self.access.stories.choices(channel))
        writing, given = self.access.stories.writing, request.sampling
        for name, value, most in (
            ("text", len(request.text), writing.max_text),
            ("length", given.get("length", 0), min(choices.max_length, request.most or choices.max_length)),
            ("temperature", given.get("temperature", 0), writing.max_temperature),
            ("n", request.number, writing.max_alternatives),
        ):
            if value > most:
                raise Refusal(f"{name} {value:g}: at most {most:g} here")
        return request if choices.style == "chat" else replace(request, name="")

    def note(self, channel: Channel, post: Post) -> Note:
        """A note beside a post that is about to show a reply."""
        return Note(self.access.stories.store, channel, post.key, post.chain, token=post.only_token)

    async def write(self, request: Request, post: Post, note: Note) -> None:
        """Write a reply into a post; returns after its last edit has arrived. Raises `Refusal`."""
        await self.start(self._write(request, post, note))

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work in a task of its own, which `close` waits for."""
        task = asyncio.create_task(work)
        self._keep(task)
        return task

    async def insist(self, channel: Channel, act: Callable[[], Result]) -> Result | None:
        """Run work on a channel's stories in several attempts; None if all fail. Raises `Impossible`."""
        for wait in (*RETRY_SECONDS, None):
            try:
                return await self.access.run(channel, act, is_slow=True, is_patient=True)
            except Refusal as refusal:
                _log.warning("event=not-finished channel=%s reason=%r", channel.key, str(refusal))
                if isinstance(refusal, Impossible):
                    raise
                if self.is_closing or wait is None:
                    return None
            await asyncio.sleep(wait)
        return None

    def join(self) -> None:
        """Have `close` wait for the present task, too."""
        if (task := asyncio.current_task()) is not None:
            self._keep(task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self, channel: Channel, message: int, member: int, is_moderator: bool) -> bool:
        """Stop the reply that a message shows; False if it has ended. Raises `Refusal` if it is another member's."""
        running = self._running.get(channel)
        if running is None or message not in running.post.messages:
            return False
        if running.member != member and not is_moderator:
            raise Refusal("only who asked for this reply, or a moderator, can stop it")
        running.begun.stop()
        return True

    async def close(self, seconds: float) -> None:
        """Let running replies and commands end. After half the time stop the replies; their text is saved and shown.

        A second time does nothing more.
        """
        self.is_closing = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds / 2)
        for running in list(self._running.values()):
            running.begun.stop()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds / 2)
        for task in set(self._tasks):
            task.cancel()  # its note stays, and the next process finishes it
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.is_closed = True
        self.access.close()

    def _check_open(self) -> None:
        if self.is_closing:
            raise Refusal("I am about to restart: try again in a minute")

    async def _write(self, request: Request, post: Post, note: Note) -> None:
        post.on_sent = lambda: self.access.try_call(note.write)
        try:
            if self.access.is_busy(note.channel) or self.queue.is_busy:  # it may wait so long that a crash comes first
                await self.access.try_call(lambda: note.ask(request))
            async with self.access.exclusive(note.channel), self._called(post):
                begun = await self._begin(request, note)
                is_shown = await self._stream(begun, post, note.channel)
                back_to = begun.request.turn or 0
                written = await self.access.call(lambda: keep_reply(self.access.stories, begun, note, back_to))
        except Refusal as refusal:
            if not isinstance(refusal, EngineFailed):  # else the next process can finish it
                await self.access.try_call(note.remove)
            if not post.is_begun:
                raise
            await post.add(f"cut off: {escape(str(refusal))}")
            return
        if written.vote is not None and self.on_vote is not None:
            self.on_vote(written.vote)
        if is_shown:
            await show_written(written, post, _tell_unseen(begun.reply.unseen))
        await self.access.try_call(note.remove)

    @asynccontextmanager
    async def _called(self, post: Post) -> AsyncIterator[None]:
        """Wait in the queue until the reply may be written. Raises `QueueFull`, or `Refusal` if the bot is closing."""
        ticket = self.queue.take()
        try:
            await self._wait_in_queue(ticket, post)
            self._check_open()
            if post.is_ending:
                raise Refusal("it took too long until I could begin: try again")
            yield
        finally:
            self.queue.give_back(ticket)

    async def _wait_in_queue(self, ticket: Ticket, post: Post) -> None:
        """Wait to be called, and show the position in the queue now and then."""
        while not ticket.called.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ticket.called.wait(), QUEUE_SECONDS)
                return
            if post.messages:
                with suppress(discord.HTTPException, aiohttp.ClientError, OSError, GoneError):
                    await post.tell(f"in line: number {self.queue.position(ticket)}")

    async def _begin(self, request: Request, note: Note) -> Begun:
        """Begin the reply, as soon as the engine takes it. Raises `Refusal`."""
        stories = self.access.stories

        def begin() -> Begun:
            story, resolved = resolve_request(stories, note.channel, request)
            note.ask(resolved)
            begun = begin_reply(story, resolved)
            stories.make_present(story)
            return begun

        while True:
            try:
                return await self.access.call(begin, is_slow=True)
            except Busy as busy:
                await asyncio.sleep(busy.seconds)

    async def _stream(self, begun: Begun, post: Post, channel: Channel) -> bool:
        """Show the reply while it grows, and let `stop` find it. False if there is nowhere to show it anymore."""
        self._running[channel] = Running(begun, begun.request.member, post)
        try:
            return await stream(begun, post)
        finally:
            del self._running[channel]


def _tell_unseen(unseen: dict[str, str]) -> str:
    """Small print about what the model never saw and nothing could replace."""
    lost = [text for text, substitute in unseen.items() if not substitute]
    return f"left out, for this model never saw them: {escape(engine.some_of(lost))}" if lost else ""
