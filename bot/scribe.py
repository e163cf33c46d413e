"""Does what members ask of a story: writes on, goes back, forks; one request at a time in each channel.

Before a reply is begun, a note in the store says what was asked and where it is shown; the note goes once its last edit
has arrived. So a process that is killed leaves behind all that another needs to finish the very same words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

import aiohttp
import discord

import engine
from bot.buttons import when_written, while_writing
from bot.line import Full, Line, Ticket
from bot.pages import escape, pages
from bot.posting import GoneError, Post
from bot.settings import Limits
from bot.stories import JOINERS, WRITING, Choices, NoStory, Place, Stories, Story, author_note

FIRST_WORDS_SECONDS = 0.12  # waited for more of a reply before its first words are shown
LINE_SECONDS = 3.0  # between looks at one's place in the line
MAX_FINISHERS = 32  # replies that are finished together after a restart
MAX_ATTEMPTS = 2  # to finish a reply after a restart
SHOWN_END = 300  # characters of the story that are shown after a jump
CUT_MARK = "\n-# \N{ANTICLOCKWISE OPEN CIRCLE ARROW} a restart came in between"
Result = TypeVar("Result")
_log = logging.getLogger("bot.scribe")


class Refusal(Exception):
    """What was asked cannot be done; the message tells the one who asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A reply that was asked for. `turn` and `serial` of the story are the present ones where they are None."""

    member: int
    kind: Literal["continue", "retry"] = "continue"
    text: str = ""
    serial: int | None = None
    turn: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Running:
    """A reply that is being written, and who asked for it."""

    reply: engine.Reply
    member: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A reply just begun: `fed` is the text that it was given."""

    story: Story
    plan: Plan
    reply: engine.Reply
    fed: str


class Scribe:
    """Writes. All of it runs in the event loop; what blocks runs in its worker threads."""

    def __init__(self, stories: Stories, limits: Limits) -> None:
        self.stories, self.limits = stories, limits
        self.line = Line(limits.running, limits.waiting)
        self.running: dict[Place, Running] = {}
        self.is_closing = False
        self._turns: dict[Place, tuple[asyncio.Lock, int]] = {}
        self._workers = ThreadPoolExecutor(4, "store")
        self._finishers = ThreadPoolExecutor(MAX_FINISHERS, "finish")  # each waits for a whole reply
        self.tasks: set[asyncio.Task[None]] = set()

    async def call(self, act: Callable[[], Result], workers: ThreadPoolExecutor | None = None) -> Result:
        """Run what blocks in a worker thread; what the engine or the store say against it becomes a refusal."""
        try:
            return await asyncio.get_running_loop().run_in_executor(workers or self._workers, act)
        except (NoStory, ValueError, engine.EngineError) as error:
            raise Refusal(str(error)) from error

    @asynccontextmanager
    async def turn(self, place: Place) -> AsyncIterator[None]:
        """Wait until nobody else works on a place's stories. Raises `Refusal` where too many wait already."""
        lock, waiting = self._turns.get(place, (asyncio.Lock(), 0))
        if waiting > self.limits.channel_waiting:
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

    def check_limits(self, choices: Choices, text: str, length: int | None, temperature: float | None) -> None:
        """Raises `Refusal` for what is beyond the channel's or the operator's limits."""
        writing = self.stories.writing
        for name, value, most in (
            ("text", len(text), writing.max_text),
            ("length", length or 0, choices.max_length),
            ("temperature", temperature or 0, writing.max_temperature),
        ):
            if value > most:
                raise Refusal(f"{name} {value:g}: at most {most:g} here")

    async def write(self, place: Place, plan: Plan, post: Post) -> None:
        """Write a reply into a post; returns once its last edit has arrived. Raises `Refusal`."""
        self._check_open()
        try:
            ticket = self.line.take()
        except Full as full:
            raise Refusal(f"{full}: try again in a minute") from None
        await self._spawn(self._write(place, plan, post, ticket))

    def _check_open(self) -> None:
        if self.is_closing:
            raise Refusal("I am about to restart: try again in a minute")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it in a task of its own, which `close` waits for."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _write(self, place: Place, plan: Plan, post: Post, ticket: Ticket) -> None:
        try:
            async with self.turn(place):
                await self._wait_in_line(ticket, post)
                self._check_open()
                begun = await self._begin(place, plan, post)
                self.running[place] = Running(begun.reply, plan.member)
                try:
                    is_shown = await self._stream(begun, post)
                except Refusal as broken:  # the engine has failed; the note stays, and after a restart it is finished
                    if not post.is_begun:
                        raise
                    await post.add(f"\n-# cut off: {escape(str(broken))}")
                    return
                finally:
                    del self.running[place]
                turn = await self.call(lambda: self._save(begun, post))
        finally:
            self.line.give_back(ticket)
        if is_shown:
            mark = _tell_unseen(begun.reply.unseen)
            await self._end(begun.story, turn, _told(begun), post, mark)
        await self.call(lambda: self.stories.store.write_notes({_note_key(place, post): None}))

    async def _wait_in_line(self, ticket: Ticket, post: Post) -> None:
        """Wait to be called, and tell the place in the line now and then."""
        while not ticket.called.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ticket.called.wait(), LINE_SECONDS)
                return
            if post.messages:
                with suppress(discord.HTTPException, aiohttp.ClientError, GoneError):
                    await post.show([f"-# in line: number {self.line.place(ticket)}"], None)

    async def _begin(self, place: Place, plan: Plan, post: Post) -> Begun:
        while True:
            try:
                return await self.call(lambda: self._begin_now(place, plan, post))
            except Refusal as refusal:
                if not isinstance(refusal.__cause__, engine.EngineBusy):
                    raise
                await asyncio.sleep(refusal.__cause__.seconds)

    def _begin_now(self, place: Place, plan: Plan, post: Post) -> Begun:
        stories = self.stories
        story = stories.present(place) if plan.serial is None else stories.open(place, plan.serial)
        talk = story.talk
        if plan.turn is not None:
            _goto(talk, plan.turn)
        choices = stories.choices(place)
        given = {"length": choices.length, "temperature": choices.temperature, "top_p": choices.top_p, **plan.sampling}
        plan = replace(plan, serial=story.serial, turn=talk.present, sampling=given, text=_joined(talk, plan, choices))
        self._note(place, plan, post)
        try:
            reply, fed = perform(talk, plan)
        except Exception:
            stories.store.write_notes({_note_key(place, post): None})
            raise
        return Begun(story, plan, reply, fed)

    def _note(self, place: Place, plan: Plan, post: Post) -> None:
        note = {"plan": asdict(plan), "messages": post.messages, "attempts": 0}
        self.stories.store.write_notes({_note_key(place, post): note})

    async def _stream(self, begun: Begun, post: Post) -> bool:
        """Show the reply while it grows; False if there is nowhere to show it any more, and it was stopped."""
        pieces: list[str] = []
        changed, reading = asyncio.Event(), asyncio.create_task(_read(begun.reply, pieces, lambda: changed.set()))
        view = while_writing(begun.story.serial, begun.plan.turn or 0)
        try:
            while not reading.done():
                changed.clear()
                waiting = asyncio.create_task(post.wait())
                await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if reading.done():
                    break
                if pieces:
                    await self._show(begun, post, "".join(pieces), view)
                await _first(changed, reading)
                if not post.is_begun:  # a short reply is there at once: let it come in one piece
                    await asyncio.wait({reading}, timeout=FIRST_WORDS_SECONDS)
        except GoneError:
            begun.reply.stop()
            await asyncio.wait({reading})
            return False
        finally:
            if not reading.done():
                begun.reply.stop()
        if error := reading.exception():
            raise Refusal(str(error)) from error
        return True

    async def _show(self, begun: Begun, post: Post, text: str, view: discord.ui.View) -> None:
        """Show what there is. What goes wrong now is left to the next edit."""
        num_messages = len(post.messages)
        try:
            await post.show(pages(*_shown(begun.fed + text, begun.fed)), view)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            _log.warning("event=edit-failed error=%r", str(error))
        if len(post.messages) > num_messages:
            await self.call(lambda: self._note(begun.story.place, begun.plan, post))

    def _save(self, begun: Begun, post: Post) -> int:
        """Keep the reply, and that it only has to be shown; returns its turn."""
        story, talk = begun.story, begun.story.talk
        turn = talk.present
        notes: dict[tuple[str, str], Any] = {
            _note_key(story.place, post): {
                "messages": post.messages,
                "serial": story.serial,
                "turn": turn,
                "fed": begun.fed,
            }
        }
        if begun.plan.text and (prompt := next((t for t in reversed(talk.turns) if t.kind == "prompt"), None)):
            notes[author_note(story, prompt.id)] = begun.plan.member
        self.stories.save(story, notes)
        return turn

    async def _end(self, story: Story, turn: int, told: tuple[str, int], post: Post, mark: str) -> bool:
        made = pages(*told)
        made[-1] += mark
        return await post.finish(made, when_written(story.serial, turn))

    # After a restart

    async def recover(self, is_mine: Callable[[int], bool], make_post: Callable[[Place, list[int]], Post]) -> int:
        """Finish what an earlier process was writing in guilds that are `is_mine`; returns how many replies."""
        notes = await self.call(lambda: self.stories.store.notes(WRITING))
        count = 0
        for key, note in notes.items():
            guild, channel, _ = key.split("/")
            place = Place(int(guild), int(channel))
            if is_mine(place.guild) and place not in self.running:
                self._spawn(self._finish_earlier(place, key, note, make_post(place, note["messages"])))
                count += 1
        return count

    async def _finish_earlier(self, place: Place, key: str, note: dict[str, Any], post: Post) -> None:
        try:
            async with self.turn(place):
                story, turn, told = await self.call(lambda: self._write_again(place, key, note), self._finishers)
            await self._end(story, turn, told, post, CUT_MARK)
        except Refusal as refusal:
            _log.warning("event=not-finished channel=%s reason=%r", place.key, str(refusal))
            await post.finish([f"-# this reply was cut off by a restart: {escape(str(refusal))}"], None)
        await self.call(lambda: self.stories.store.write_notes({(WRITING, key): None}))

    def _write_again(self, place: Place, key: str, note: dict[str, Any]) -> tuple[Story, int, tuple[str, int]]:
        """The same plan from the same checkpoint gives the same words; or they were saved, and only not shown."""
        if "turn" in note:
            story = self.stories.open(place, note["serial"])
            _goto(story.talk, note["turn"])
            text = "".join(turn.text for turn in story.talk.turns[-1:] if turn.kind == "reply")
            return story, note["turn"], _shown(note["fed"] + text, note["fed"])
        plan = Plan(**note["plan"])
        if note["attempts"] >= MAX_ATTEMPTS:
            plan = replace(plan, sampling={**plan.sampling, "length": 0})
        self.stories.store.write_notes({(WRITING, key): {**note, "attempts": note["attempts"] + 1}})
        story = self.stories.open(place, plan.serial or 0)
        if plan.turn is not None:
            _goto(story.talk, plan.turn)
        reply, fed = perform(story.talk, plan)
        text = reply.text
        self.stories.save(story)
        return story, story.talk.present, _shown(fed + text, fed)

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
            return story, self.where(story)

        async with self.turn(place):
            return await self.call(moved)

    def where(self, story: Story) -> str:
        """The end of a story's text, as a message."""
        text = story.talk.text
        return pages(engine.last_words(text, SHOWN_END))[-1] if text.strip() else "*(the story is empty)*"

    async def fork(self, place: Place, there: Place, serial: int | None, turn: int | None) -> tuple[Story, str]:
        """Begin a story in another place as a copy of one here at a turn; this one goes on unharmed."""

        def forked() -> tuple[Story, str]:
            stories = self.stories
            story = stories.present(place) if serial is None else stories.open(place, serial)
            before = story.talk.present
            if turn is not None:
                _goto(story.talk, turn)
            branch = story.talk.fork()
            story.talk.goto(before)
            copy = stories.begin(there, story.model, branch)
            stories.copy_authors(story, copy)
            return copy, self.where(copy)

        async with self.turn(place):
            return await self.call(forked)

    async def stop(self, place: Place, member: int, is_moderator: bool) -> bool:
        """Stop the reply of a place; False if there is none. Raises `Refusal` if somebody else has asked for it."""
        running = self.running.get(place)
        if running is None:
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
        for workers in (self._workers, self._finishers):
            workers.shutdown(wait=False, cancel_futures=True)


def perform(talk: engine.Conversation, plan: Plan) -> tuple[engine.Reply, str]:
    """Begin the reply of a plan at the present turn; returns it and the text that it was given.

    To continue where somebody has continued before gives other words: it would be no use to write the same again.
    """
    sampling = replace(talk.sampling, **{"seed": None, **plan.sampling})
    if plan.kind == "retry":
        return talk.retry(sampling), ""
    replies = [turn for turn in talk.tree if turn.parent == talk.present and turn.kind == "reply"]
    if replies and not plan.text and sampling.seed is None:
        talk.goto(replies[-1].id)
        return talk.retry(sampling), ""
    return talk.say(plan.text, sampling=sampling), plan.text


def _joined(talk: engine.Conversation, plan: Plan, choices: Choices) -> str:
    """The plan's text, set off from the story by what the channel chose if neither has a blank there."""
    before = next((turn.text for turn in reversed(talk.turns) if turn.text), "")
    if plan.kind == "retry" or not plan.text or not before or before[-1].isspace() or plan.text[0].isspace():
        return plan.text
    is_mark = choices.join == "space" and not plan.text[0].isalnum() and plan.text[0] not in "\"'(["
    return plan.text if is_mark else JOINERS[choices.join] + plan.text


def _goto(talk: engine.Conversation, turn: int) -> None:
    try:
        talk.goto(turn)
    except ValueError:
        raise NoStory("that part of the story was forgotten: go on from a newer message") from None


async def _read(reply: engine.Reply, pieces: list[str], tell: Callable[[], None]) -> None:
    async for piece in reply:
        pieces.append(piece)
        tell()


async def _first(changed: asyncio.Event, reading: asyncio.Task[None]) -> None:
    """Wait until there is more, or the end."""
    waiting = asyncio.create_task(changed.wait())
    await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _told(begun: Begun) -> tuple[str, int]:
    return _shown(begun.fed + begun.reply.text, begun.fed)


def _shown(text: str, fed: str) -> tuple[str, int]:
    """What a message shows of a text, and how much of its beginning is a member's and stands in bold."""
    shown = text.lstrip() if fed else text.lstrip("\n")
    return shown, max(0, len(fed) - (len(text) - len(shown)))


def _tell_unseen(unseen: dict[str, str]) -> str:
    """A line on characters that the model never saw."""
    lost = "".join(character for character, near in unseen.items() if not near)[:20]
    return f"\n-# left out, for this model never saw them: {escape(lost)}" if lost else ""


def _note_key(place: Place, post: Post) -> tuple[str, str]:
    return WRITING, f"{place.key}/{post.key}"
