"""The bot as Discord sees it: connection, events, and the way from an interaction to the scribe and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.buttons import StoryButton, when_written
from bot.pacing import Cooldown
from bot.plans import Plan, check_turn
from bot.posting import Post, Rates
from bot.scribe import Refusal, Scribe
from bot.settings import Settings
from bot.stories import NoStory, Place, Stories

PRESS_SECONDS = 2.0  # a second press of a button within so long after the first was done means the same
COMMAND_GUILDS = "discord/commands", "guilds"  # the note on who has the commands
TELL_SECONDS = 30.0  # between refusals of a member's mentions; in the meantime nothing is said
MAX_REMEMBERED = 4096  # presses and events
ALREADY_ANSWERED = 40060  # Discord's error code
PERMISSIONS = discord.Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, create_public_threads=True,
    read_message_history=True, attach_files=True,
)  # fmt: skip
Interaction = discord.Interaction[Any]
_log = logging.getLogger("bot.client")


class Tree(app_commands.CommandTree["Textbot"]):
    """The commands; tells whoever asked what went wrong."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """An exception of a command."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        await self.client.tell_error(interaction, cause)

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        """Whether an event came for the first time."""
        return self.client.is_new(interaction.id)


class Textbot(commands.AutoShardedBot):
    """All shards of this process."""

    def __init__(self, settings: Settings, models: dict[str, engine.Engine], store: engine.Store) -> None:
        self.rates = Rates()
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        given = settings.discord
        shards: dict[str, Any] = {"shard_count": given.shard_count} if given.shard_count else {}
        if given.shard_ids:
            shards["shard_ids"] = list(given.shard_ids)
        super().__init__(
            command_prefix=commands.when_mentioned, help_command=None, tree_cls=Tree, intents=intents,
            allowed_mentions=discord.AllowedMentions.none(), member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False, max_messages=None, guild_ready_timeout=0.5, http_trace=self.rates.trace(),
            **shards,
        )  # fmt: skip
        self.models, self.store = models, store
        self.scribe = Scribe(Stories(store, models, settings.writing), settings.limits)
        self.started, self.num_replies = time.time(), 0
        self._heard: OrderedDict[int, None] = OrderedDict()
        self._presses: dict[tuple[int, str], float] = {}
        self._recovered: set[int] = set()
        self._telling = Cooldown(TELL_SECONDS, 1)
        self._looks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self.apply(settings)

    def apply(self, settings: Settings) -> None:
        """Take on what may change while it runs: how to write, and the limits."""
        self.settings, limits = settings, settings.limits
        self.scribe.stories.writing, self.scribe.limits = settings.writing, limits
        self.scribe.line.max_running, self.scribe.line.max_waiting = limits.running, limits.waiting
        self.scribe.line.call_waiting()
        self._member_cooldown = Cooldown(limits.member_seconds, limits.member_burst)
        self._channel_cooldown = Cooldown(limits.channel_seconds, limits.channel_burst)

    async def setup_hook(self) -> None:
        """Once logged in: the commands and buttons."""
        from bot.commands import StoryCommands  # it needs this module's names

        await self.scribe.call(self.scribe.look_back)
        self.add_dynamic_items(StoryButton)
        await self.add_cog(StoryCommands(self))
        if 0 not in (self.settings.discord.shard_ids or (0,)):
            return  # the process with the first shard does it
        await self._sync(list(self.settings.discord.guilds))

    async def _sync(self, guilds: list[int]) -> None:
        """Give the commands to some guilds, or to all; and take them from those that had them before."""
        before = await self.scribe.call(lambda: self.store.note(*COMMAND_GUILDS)) or []
        for number in guilds:
            self.tree.copy_global_to(guild=discord.Object(number))
        if guilds:
            self.tree.clear_commands(guild=None)
        await self.tree.sync()
        for number in {*guilds, *before}:
            try:
                await self.tree.sync(guild=discord.Object(number))
            except (discord.Forbidden, discord.NotFound):
                if number in guilds:
                    _log.error("event=no-commands guild=%d mend='invite the bot with the printed address'", number)
        if guilds != before:
            await self.scribe.call(lambda: self.store.write_notes({COMMAND_GUILDS: guilds}))

    async def on_ready(self) -> None:
        """All shards are there."""
        _log.info("event=ready shards=%s guilds=%d", sorted(self.shards), len(self.guilds))

    async def on_shard_ready(self, shard: int) -> None:
        """A shard is there; at first, finish what an earlier process was writing in its guilds."""
        if shard in self._recovered:
            return
        self._recovered.add(shard)
        num_shards = self.shard_count or 1

        def make_post(place: Place, key: int, messages: list[int]) -> Post:
            return Post(self, self.rates, place, messages=messages, key=key)

        if count := self.scribe.finish_earlier(lambda guild: (guild >> 22) % num_shards == shard, make_post):
            _log.info("event=recovering shard=%d replies=%d", shard, count)

    async def on_message(self, message: discord.Message) -> None:
        """A mention, a reply to one of the bot's messages, or any direct message continues the story with its text."""
        if message.author.bot or not self._is_addressed(message) or not self.is_new(message.id):
            return
        if message.guild is not None and not message.channel.permissions_for(message.guild.me).send_messages:
            return
        place = Place(message.guild.id if message.guild else 0, message.channel.id)
        post = Post(self, self.rates, place, answers=message.to_reference(fail_if_not_exists=False))
        try:
            plan = Plan(message.author.id, text=self._text_of(message))
            self.check_cooldown(place, plan.member)
            await self.scribe.check_limits(place, plan)
            await self.write(place, plan, post)
        except Refusal as refusal:
            if self._telling.wait(message.author.id, time.monotonic()):
                return
            try:
                await message.reply(str(refusal), delete_after=15)
            except discord.HTTPException:
                _log.info("event=not-told channel=%s", place.key)

    def _is_addressed(self, message: discord.Message) -> bool:
        if self.user in message.mentions or isinstance(message.channel, discord.DMChannel):
            return message.guild is not None or isinstance(message.channel, discord.DMChannel)
        answered = message.reference.resolved if message.reference else None
        return bool(message.content) and isinstance(answered, discord.Message) and answered.author == self.user

    def _text_of(self, message: discord.Message) -> str:
        """What a message says, without the mention of the bot, and with names for other people's."""
        assert self.user is not None
        text = re.sub(rf"\s*<@!?{self.user.id}>\s*", " ", message.content).strip()
        for person in message.mentions:
            text = re.sub(rf"<@!?{person.id}>", person.display_name, text)
        return text

    def is_new(self, event: int) -> bool:
        """Whether an event, by its id, comes for the first time: after a reconnection Discord may send it again."""
        if event in self._heard:
            return False
        self._heard[event] = None
        if len(self._heard) > MAX_REMEMBERED:
            self._heard.popitem(last=False)
        return True

    # From an interaction to the scribe

    async def write(self, place: Place, plan: Plan, post: Post) -> None:
        """Have a reply written, within limits that were checked. Raises `Refusal`."""
        began = time.monotonic()
        await self.scribe.write(place, plan, post)
        self.num_replies += 1
        texts = f" text={plan.text!r}" if self.settings.service.log_texts else ""
        _log.info(
            "event=reply guild=%d channel=%d member=%d kind=%s seconds=%.2f%s",
            place.guild, place.channel, plan.member, plan.kind, time.monotonic() - began, texts,
        )  # fmt: skip

    async def answer(self, interaction: Interaction, plan: Plan) -> None:
        """Answer an interaction with a reply in a new message."""
        place = place_of(interaction)
        self.check_cooldown(place, interaction.user.id)
        await self.scribe.check_limits(place, plan)
        post = Post(self, self.rates, place, interaction=interaction)
        await self.scribe.ask(place, plan, post)
        try:
            post.promise(await self.defer(interaction))
        except discord.HTTPException:  # nobody waits for it any more
            await self.scribe.unask(place, post)
            raise
        await self.write(place, plan, post)

    async def defer(self, interaction: Interaction, *, only_for_them: bool = False) -> int:
        """Promise an answer, for three seconds are all that Discord waits; returns the message's id."""
        try:
            answer = await interaction.response.defer(thinking=True, ephemeral=only_for_them)
            if answer is not None and answer.message_id:
                return answer.message_id
        except discord.HTTPException as error:
            if error.code != ALREADY_ANSWERED:  # Discord took it, but its own answer was lost on the way
                raise
        return (await interaction.original_response()).id

    async def move(
        self, interaction: Interaction, act: Callable[[engine.Conversation], None], serial: int | None = None
    ) -> None:
        """Go elsewhere in the story, and answer with where that is."""
        self.check_cooldown(place_of(interaction), interaction.user.id)
        await self.defer(interaction)
        story, where = await self.scribe.move(place_of(interaction), act, serial)
        await interaction.edit_original_response(content=where, view=when_written(story.serial, story.talk.present))

    async def fork(self, interaction: Interaction, name: str | None, serial: int | None, turn: int | None) -> None:
        """Open a thread whose story begins as a copy of this one."""
        place, channel = place_of(interaction), interaction.channel
        self.check_cooldown(place, interaction.user.id)
        parent = channel.parent if isinstance(channel, discord.Thread) else channel
        if not isinstance(parent, discord.TextChannel):
            raise Refusal("threads cannot be opened here, so there is nowhere to fork to")
        rights = parent.permissions_for(parent.guild.me)
        if not (rights.create_public_threads and rights.send_messages_in_threads):
            raise Refusal("I may not open threads here: I need Create Public Threads and Send Messages in Threads")
        await self.defer(interaction)
        story, branch = await self.scribe.branch(place, serial, turn)
        kind = discord.ChannelType.news_thread if parent.is_news() else discord.ChannelType.public_thread
        title = name or f"fork of {getattr(channel, 'name', 'the story')}"
        try:
            thread = await parent.create_thread(name=title[:100], type=kind)
        except discord.HTTPException as error:
            raise Refusal(f"Discord does not let me open a thread here: {error.text}") from error
        copy, where = await self.scribe.plant(Place(place.guild, thread.id), story, branch)
        await thread.send(where, view=when_written(copy.serial, copy.talk.present))
        await interaction.edit_original_response(content=f"It goes on from here in {thread.mention}, too.")

    async def pressed(self, interaction: Interaction, button: StoryButton) -> None:
        """A button was pressed, for the first time or once more."""
        key = interaction.message.id if interaction.message else 0, button.action
        if not self.is_new(interaction.id):
            return
        try:
            if button.action == "stop":
                await self._stop(interaction)
                return
            now = time.monotonic()
            if self._presses.get(key, 0.0) > now:
                raise Refusal("somebody has just pressed that button: once is enough")
            self._presses[key] = float("inf")
            try:
                await self._do(interaction, button)
            finally:
                self._presses.pop(key, None)
                self._presses[key] = time.monotonic() + PRESS_SECONDS
                if len(self._presses) > MAX_REMEMBERED:
                    self._presses = {key: until for key, until in self._presses.items() if until > now}
        except Exception as error:  # the library would only log it
            await self.tell_error(interaction, error)

    async def _do(self, interaction: Interaction, button: StoryButton) -> None:
        member, serial, turn = interaction.user.id, button.serial, button.turn
        if button.action == "continue":
            await self.answer(interaction, Plan(member, serial=serial, turn=turn))
        elif button.action == "retry":
            await self.answer(interaction, Plan(member, "retry", serial=serial, turn=turn))
        elif button.action == "undo":
            await self.move(interaction, lambda talk: take_back(talk, turn), serial)
        else:
            await self.fork(interaction, None, serial, turn)

    async def _stop(self, interaction: Interaction) -> None:
        is_stopped = await self.scribe.stop(place_of(interaction), interaction.user.id, is_moderator(interaction))
        if not is_stopped:
            raise Refusal("it has just ended")
        await interaction.response.defer()

    def characters_per_second(self) -> float:
        """Of all models, over the last minute or so."""
        now, tokens = time.monotonic(), sum(model.activity().tokens for model in self.models.values())
        self._looks.append((now, tokens))
        while len(self._looks) > 2 and self._looks[1][0] < now - 60:
            self._looks.popleft()
        then, before = self._looks[0]
        return (tokens - before) / max(1e-3, now - then)

    # Telling

    def check_cooldown(self, place: Place, member: int) -> None:
        """Count a request. Raises `Refusal` where it comes too soon."""
        now = time.monotonic()
        if wait := self._member_cooldown.wait(member, now):
            raise Refusal(
                f"not so fast: try again in {wait:.0f} s" if wait >= 1 else "not so fast: try again in a second"
            )
        if wait := self._channel_cooldown.wait(place, now):
            raise Refusal(f"this channel asks for very much: try again in {wait:.0f} s")

    async def tell_error(self, interaction: Interaction, error: BaseException) -> None:
        """Tell the one who asked, and nobody else, what went wrong."""
        if isinstance(error, Refusal):
            text = str(error)
        elif isinstance(error, app_commands.CheckFailure):
            text = "you may not do that here"
        elif isinstance(error, discord.NotFound | discord.HTTPException) and not interaction.response.is_done():
            _log.warning("event=not-answered error=%r", str(error))  # too late, or Discord is ill
            return
        else:
            text = "something went wrong; it was logged for the operator, and the story is as it was"
            data: dict[str, Any] = dict(interaction.data or {})
            _log.error("event=error where=%r", data.get("name") or data.get("custom_id"), exc_info=error)
        try:
            if not interaction.response.is_done():
                await interaction.response.send_message(text, ephemeral=True)
                return
            if interaction.response.type == discord.InteractionResponseType.deferred_channel_message:
                await interaction.delete_original_response()
            await interaction.followup.send(text, ephemeral=True)
        except (discord.HTTPException, OSError) as failure:
            _log.warning("event=not-told error=%r", str(failure))

    async def shut_down(self, seconds: float) -> None:
        """Let replies end or stop them within so many seconds, then leave Discord."""
        await self.scribe.close(seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.close(), 1.0)


def place_of(interaction: Interaction) -> Place:
    """Where an interaction happened."""
    return Place(interaction.guild_id or 0, interaction.channel_id or 0)


def is_moderator(interaction: Interaction) -> bool:
    """Whether somebody may delete others' messages; in a direct message everybody may do everything."""
    return interaction.guild_id is None or interaction.permissions.manage_messages


def take_back(talk: engine.Conversation, turn: int) -> None:
    """Go back to before a reply and the prompt that it answered. Raises `NoStory` if there is no such turn."""
    go_to(talk, turn)
    kinds = [turn.kind for turn in talk.turns[-2:]]
    go_back(talk, 2 if kinds == ["prompt", "reply"] else 1)


def go_to(talk: engine.Conversation, turn: int) -> None:
    """Jump. Raises `NoStory` if there is no such turn."""
    check_turn(talk, turn)
    talk.goto(turn)


def go_back(talk: engine.Conversation, turns: int) -> None:
    """Take back some turns. Raises `NoStory` if there are fewer."""
    if turns > (there_are := len(talk.turns)):
        raise NoStory(
            f"there are only {there_are} turns to take back" if there_are else "there is nothing to take back"
        )
    talk.undo(turns)


def go_forward(talk: engine.Conversation, turns: int) -> None:
    """Bring back some turns. Raises `NoStory` if there are fewer."""
    try:
        talk.redo(turns)
    except ValueError:
        raise NoStory("there are not so many turns to bring back") from None
