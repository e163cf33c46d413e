"""Does what members ask of a story: writes on, goes back, forks; one request at a time in each channel.

Before a reply is begun, a note in the store says what was asked and where it is shown; the note goes once its last edit
has arrived. So a process that is killed leaves behind all that another needs to finish the very same words.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import discord

import engine
from bot import plans
from bot.buttons import when_written, while_writing
from bot.line import Full, Line, Ticket
from bot.pages import escape, pages
from bot.plans import Begun, Plan, Written
from bot.posting import GoneError, Post
from bot.settings import Limits
from bot.stories import WRITING, Choices, NoStory, Place, Stories, Story

FIRST_WORDS_SECONDS = 0.12  # waited for more of a reply before its first words are shown
LOOK_SECONDS = 0.25  # between looks for more of a reply
LINE_SECONDS = 3.0  # between looks at one's place in the line
STORE_WORKERS, SLOW_WORKERS = 4, 8  # threads: for what a member waits for three seconds, and for whole stories
RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0)  # between attempts to finish what an earlier process has left
SHOWN_END = 300  # characters of the story that are shown after a jump
CUT_MARK = "\n-# \N{ANTICLOCKWISE OPEN CIRCLE ARROW} a restart came in between"
STORE_FAILED = "stories cannot be read or kept at the moment; the operator's log tells why"
PostMaker = Callable[[Place, int, list[int]], Post]  # from a place, the post's key, and its messages
ENGINE_FAILED = (engine.EngineError, engine.EngineClosed)
Result = TypeVar("Result")
_log = logging.getLogger("bot.scribe")


class Refusal(Exception):
    """What was asked cannot be done; the message tells the one who asked."""


@dataclass(slots=True)
class Running:
    """A reply that is being written, who asked for it, and where it is shown."""

    reply: engine.Reply
    member: int
    post: Post


class Scribe:
    """Writes. All of it runs in the event loop; what blocks runs in its worker threads."""

    def __init__(self, stories: Stories, limits: Limits) -> None:
        self.stories, self.limits = stories, limits
        self.line = Line(limits.running, limits.waiting)
        self.running: dict[Place, Running] = {}
        self.is_closing = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[Place, tuple[asyncio.Lock, int]] = {}
        self._workers = ThreadPoolExecutor(STORE_WORKERS, "store")
        self._slow_workers = ThreadPoolExecutor(SLOW_WORKERS, "slow")
        self._left: list[tuple[Place, str, dict[str, Any]]] = []  # what an earlier process has not finished

    async def call(self, act: Callable[[], Result], *, is_slow: bool = False) -> Result:
        """Run what blocks in a worker thread; what the engine or the store say against it becomes a refusal."""
        workers = self._slow_workers if is_slow else self._workers
        try:
            return await asyncio.get_running_loop().run_in_executor(workers, act)
        except engine.StoreError as error:
            _log.error("event=store-failed reason=%r", str(error))
            raise Refusal(STORE_FAILED) from error
        except (NoStory, ValueError, engine.EngineError) as error:
            raise Refusal(str(error)) from error

    def is_busy(self, place: Place) -> bool:
        """Whether somebody works on a place's stories, or waits for that."""
        return place in self._turns

    @asynccontextmanager
    async def turn(self, place: Place, *, is_patient: bool = False) -> AsyncIterator[None]:
        """Wait until nobody else works on a place's stories. Raises `Refusal` where too many wait already."""
        lock, waiting = self._turns.get(place, (asyncio.Lock(), 0))
        if waiting > self.limits.channel_waiting and not is_patient:
            raise Refusal("too many requests wait in this channel: try again when a reply has ended, or press its Stop")
        self._turns[place] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(place)
            if waiting > 1:
                self._turns[place] = lock, waiting - 1

    # Replies

    async def check_limits(self, place: Place, plan: Plan) -> None:
        """Raises `Refusal` for what is beyond the channel's or the operator's limits."""
        self._check_open()
        if self.line.is_full:
            raise Refusal(f"{self.line.waiting} requests wait already: try again in a minute")
        choices: Choices = await self.call(lambda: self.stories.choices(place))
        writing, given = self.stories.writing, plan.sampling
        for name, value, most in (
            ("text", len(plan.text), writing.max_text),
            ("length", given.get("length", 0), choices.max_length),
            ("temperature", given.get("temperature", 0), writing.max_temperature),
        ):
            if value > most:
                raise Refusal(f"{name} {value:g}: at most {most:g} here")

    async def ask(self, place: Place, plan: Plan, post: Post) -> None:
        """Note what was asked, before anything is promised: from here on a crash loses nothing of it."""
        await self._note(plans.note_key(place, post.key), post, plans.asked(plan, post.messages))

    async def unask(self, place: Place, post: Post) -> None:
        """It is not wanted any more."""
        await self._note(plans.note_key(place, post.key), post, None)

    async def write(self, place: Place, plan: Plan, post: Post) -> None:
        """Write a reply into a post; returns once its last edit has arrived. Raises `Refusal`."""
        await self._spawn(self._write(place, plan, post))

    def _check_open(self) -> None:
        if self.is_closing:
            raise Refusal("I am about to restart: try again in a minute")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it in a task of its own, which `close` waits for."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _write(self, place: Place, plan: Plan, post: Post) -> None:
        key = plans.note_key(place, post.key)
        post.on_sent = functools.partial(self._note_messages, key, post)
        try:
            if self.is_busy(place) or self.line.is_busy:  # it may wait for long, so a crash may come first
                await self.ask(place, plan, post)
            async with self.turn(place), self._called(post):
                begun = await self._begin(place, plan, post)
                self.running[place] = Running(begun.reply, plan.member, post)
                try:
                    is_shown = await self._stream(begun, post)
                finally:
                    del self.running[place]
                written = await self.call(
                    lambda: plans.keep(self.stories, begun, key, post.messages, begun.plan.turn or 0)
                )
                post.note = plans.saved(written.story, written.turn, begun.fed, post.messages)
        except Refusal as refusal:
            if type(refusal.__cause__) not in ENGINE_FAILED:  # else it can be finished after a restart
                await self._note(key, post, None)
            if not post.is_begun:
                raise
            await post.add(f"\n-# cut off: {escape(str(refusal))}")
            return
        if is_shown:
            await self._end(written, post, _tell_unseen(begun.reply.unseen))
        await self._note(key, post, None)

    async def _note(self, key: tuple[str, str], post: Post, note: dict[str, Any] | None) -> None:
        """Keep what is known of a post; a store that fails shows at the next save."""
        post.note = note
        with suppress(Refusal):
            await self.call(lambda: self.stories.store.write_notes({key: note}))

    async def _note_messages(self, key: tuple[str, str], post: Post) -> None:
        """A further message was sent: a later process has to know it, or it would send it again."""
        if post.note is not None:
            await self._note(key, post, {**post.note, "messages": list(post.messages)})

    @asynccontextmanager
    async def _called(self, post: Post) -> AsyncIterator[None]:
        """Wait in line until one may write. Raises `Refusal` if that is too long, or the bot is about to end."""
        try:
            ticket = self.line.take()
        except Full as full:
            raise Refusal(f"{full}: try again in a minute") from None
        try:
            await self._wait_in_line(ticket, post)
            self._check_open()
            yield
        finally:
            self.line.give_back(ticket)

    async def _wait_in_line(self, ticket: Ticket, post: Post) -> None:
        """Wait to be called, and tell the place in the line now and then."""
        while not ticket.called.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ticket.called.wait(), LINE_SECONDS)
                return
            if post.messages:
                with suppress(discord.HTTPException, aiohttp.ClientError, OSError, GoneError):
                    await post.tell(f"-# in line: number {self.line.place(ticket)}")

    async def _begin(self, place: Place, plan: Plan, post: Post) -> Begun:
        key = plans.note_key(place, post.key)

        def begin() -> Begun:
            story, resolved = plans.resolve(self.stories, place, plan)
            post.note = plans.asked(resolved, post.messages)
            self.stories.store.write_notes({key: post.note})
            begun = plans.begin(story, resolved)
            self.stories.make_present(story)
            return begun

        while True:
            try:
                return await self.call(begin, is_slow=True)
            except Refusal as refusal:
                if not isinstance(refusal.__cause__, engine.EngineBusy):
                    raise
                await asyncio.sleep(refusal.__cause__.seconds)

    async def _stream(self, begun: Begun, post: Post) -> bool:
        """Show the reply while it grows; False if there is nowhere to show it any more, and it was stopped."""
        reply = begun.reply
        try:
            await reply.ready()
            ended = asyncio.create_task(reply.ready(is_whole=True))
            try:
                await self._show_growing(begun, post, ended)
            except GoneError:
                reply.stop()
                await ended
                return False
            finally:
                ended.cancel()
            reply.result()
        except engine.EngineError as error:
            raise Refusal(str(error)) from error
        finally:
            reply.abandon()
        return True

    async def _show_growing(self, begun: Begun, post: Post, ended: asyncio.Task[None]) -> None:
        """Show what there is whenever Discord takes it, until the end. Raises `GoneError`."""
        view, text = while_writing(begun.story.serial, begun.plan.turn or 0), ""
        if not post.is_begun:  # a short reply is there at once: let it come in one piece
            await asyncio.wait({ended}, timeout=FIRST_WORDS_SECONDS)
        while not ended.done():
            waiting = asyncio.create_task(post.wait())
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if ended.done():
                return
            if piece := begun.reply.take():
                text += piece
                await self._show(begun, post, text, view)
            else:
                await asyncio.wait({ended}, timeout=LOOK_SECONDS)

    async def _show(self, begun: Begun, post: Post, text: str, view: discord.ui.View) -> None:
        """Show what there is. What goes wrong now is left to the next edit."""
        so_far = plans.shown(begun.story, 0, begun.fed + text, begun.fed)
        try:
            await post.show(pages(so_far.text, so_far.num_bold), view)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            _log.warning("event=edit-failed error=%r", str(error))

    async def _end(self, written: Written, post: Post, mark: str) -> bool:
        made = pages(written.text, written.num_bold)
        made[-1] += mark
        return await post.finish(made, when_written(written.story.serial, written.turn))

    # After a restart

    def look_back(self) -> None:
        """Read, before anybody asks for anything, what an earlier process has left. Blocks."""
        for key, note in self.stories.store.notes(WRITING).items():
            guild, channel, post = key.split("/")
            self._left.append((Place(int(guild), int(channel)), post, note))
        self._left.sort(key=lambda one: int(one[1]))  # in the order that it was asked for

    def finish_earlier(self, is_mine: Callable[[int], bool], make_post: PostMaker) -> int:
        """Finish what an earlier process was writing in guilds that are `is_mine`; returns how many replies."""
        mine = [one for one in self._left if is_mine(one[0].guild)]
        self._left = [one for one in self._left if not is_mine(one[0].guild)]
        if self.is_closing:
            return 0
        for place, post, note in mine:
            made = make_post(place, int(post), note["messages"])
            self._spawn(self._finish(place, plans.note_key(place, made.key), note, made))
        return len(mine)

    async def _finish(self, place: Place, key: tuple[str, str], note: dict[str, Any], post: Post) -> None:
        """Give up what cannot be; what fails otherwise is tried again, and left to the next process in the end."""
        post.note, post.on_sent = note, functools.partial(self._note_messages, key, post)
        for wait in (*RETRY_SECONDS, None):
            try:
                async with self.turn(place, is_patient=True):
                    written = await self.call(lambda: plans.finish(self.stories, place, key, note), is_slow=True)
                break
            except Refusal as refusal:
                _log.warning("event=not-finished channel=%s reason=%r", place.key, str(refusal))
                if isinstance(refusal.__cause__, NoStory | ValueError):
                    await post.finish([f"-# a restart cut this reply off: {escape(str(refusal))}"], None)
                    await self._note(key, post, None)
                    return
                if self.is_closing or wait is None:
                    return
                await asyncio.sleep(wait)
        fed = written.text[: written.num_bold]
        post.note = plans.saved(written.story, written.turn, fed, post.messages)
        await self._end(written, post, CUT_MARK)
        await self._note(key, post, None)

    # Moving about

    async def move(
        self, place: Place, act: Callable[[engine.Conversation], None], serial: int | None = None
    ) -> tuple[Story, str]:
        """Go elsewhere in a story; returns it and the end of its text as a message."""

        def moved() -> tuple[Story, str]:
            stories = self.stories
            story = stories.present(place) if serial is None else stories.open(place, serial)
            act(story.talk)
            stories.save(story)
            stories.make_present(story)
            return story, self.where(story)

        async with self.turn(place):
            return await self.call(moved, is_slow=True)

    def where(self, story: Story) -> str:
        """The end of a story's text, as a message."""
        text = story.talk.text
        return pages(engine.last_words(text, SHOWN_END))[-1] if text.strip() else "*(the story is empty)*"

    async def branch(self, place: Place, serial: int | None, turn: int | None) -> tuple[Story, engine.Conversation]:
        """A copy of a story at a turn, and that story, which stays where it is."""

        def branched() -> tuple[Story, engine.Conversation]:
            stories = self.stories
            story = stories.present(place) if serial is None else stories.open(place, serial)
            if turn is not None:
                plans.check_turn(story.talk, turn)
            return story, story.talk.fork(turn)

        async with self.turn(place):
            return await self.call(branched, is_slow=True)

    async def plant(self, there: Place, story: Story, branch: engine.Conversation) -> tuple[Story, str]:
        """Begin a story in another place with a copy of one; returns it and the end of its text as a message."""

        def planted() -> tuple[Story, str]:
            copy = self.stories.begin(there, story.model, branch, self.stories.authors(story.place, story.serial))
            return copy, self.where(copy)

        async with self.turn(there):
            return await self.call(planted, is_slow=True)

    async def stop(self, place: Place, message: int, member: int, is_moderator: bool) -> bool:
        """Stop the reply that a message shows; False if it has ended. Raises `Refusal` if it is somebody else's."""
        running = self.running.get(place)
        if running is None or message not in running.post.messages:
            return False
        if running.member != member and not is_moderator:
            raise Refusal("only who asked for this reply, or a moderator, can stop it")
        running.reply.stop()
        return True

    async def close(self, seconds: float) -> None:
        """Let running replies end; after a while stop them, so that what stands is kept and its last edit arrives."""
        self.is_closing = True
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=seconds / 2)
        for running in list(self.running.values()):
            running.reply.stop()
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=seconds / 2)
        for task in set(self.tasks):
            task.cancel()  # its note is kept, and the next process will finish it
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for workers in (self._workers, self._slow_workers):
            workers.shutdown(wait=False, cancel_futures=True)


def _tell_unseen(unseen: dict[str, str]) -> str:
    """A line on characters that the model never saw."""
    lost = "".join(character for character, near in unseen.items() if not near)[:20]
    return f"\n-# left out, for this model never saw them: {escape(lost)}" if lost else ""
