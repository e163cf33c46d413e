"""The commands that members type. Each checks who asks and what, and hands it to the scribe."""

from __future__ import annotations

import functools
import io
import time
from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.buttons import when_written
from bot.moves import go_back, go_forward, go_to
from bot.pages import escape
from bot.plans import Plan
from bot.reception import Interaction, is_moderator, place_of
from bot.scribe import Refusal
from bot.stories import Choices, NoStory, Place

if TYPE_CHECKING:
    from bot.client import Textbot

MAX_TREE = 1800  # characters of a drawn tree in a message
TREE_COLUMNS = 56
Length = app_commands.Range[int, 1, 4000]
Temperature = app_commands.Range[float, 0.0, 2.0]
TopP = app_commands.Range[float, 0.01, 1.0]
Seed = app_commands.Range[int, 0, 2**53 - 1]
Turns = app_commands.Range[int, 1, 1000]


class StoryCommands(commands.Cog):
    """All of them."""

    def __init__(self, bot: Textbot) -> None:
        self.bot, self.scribe, self.reception = bot, bot.scribe, bot.reception

    @app_commands.command(name="continue", description="Go on with this channel's story")
    @app_commands.describe(
        text="added to the story first",
        length="how much to write at most (for most models a token is a character)",
        temperature="how daring: 0 always takes the likeliest, 1 writes as the text it learned from",
        top_p="choose among the likeliest that together have this probability",
        seed="the same seed at the same place gives the same words",
    )
    @app_commands.default_permissions(send_messages=True)
    async def continue_(
        self, interaction: Interaction, text: str = "", length: Length | None = None,
        temperature: Temperature | None = None, top_p: TopP | None = None, seed: Seed | None = None,
    ) -> None:  # fmt: skip
        """Feed a text, if any, and write on."""
        sampling = {"length": length, "temperature": temperature, "top_p": top_p, "seed": seed}
        given = {name: value for name, value in sampling.items() if value is not None}
        await self.reception.answer(interaction, Plan(interaction.user.id, text=text, sampling=given))

    @app_commands.command(description="Write another reply in place of the last one")
    @app_commands.describe(temperature="how daring", seed="the same seed gives the same words")
    @app_commands.default_permissions(send_messages=True)
    async def retry(
        self, interaction: Interaction, temperature: Temperature | None = None, seed: Seed | None = None
    ) -> None:
        """Another reply from the same checkpoint."""
        given = {n: v for n, v in (("temperature", temperature), ("seed", seed)) if v is not None}
        await self.reception.answer(interaction, Plan(interaction.user.id, "retry", sampling=given))

    @app_commands.command(description="Take back the last turn, or several (a text is one, a reply is one)")
    @app_commands.describe(turns="how many")
    @app_commands.default_permissions(send_messages=True)
    async def undo(self, interaction: Interaction, turns: Turns = 1) -> None:
        """Go back."""
        await self.reception.move(interaction, lambda talk: go_back(talk, turns))

    @app_commands.command(description="Bring back what was taken back")
    @app_commands.describe(turns="how many turns")
    @app_commands.default_permissions(send_messages=True)
    async def redo(self, interaction: Interaction, turns: Turns = 1) -> None:
        """Go forward."""
        await self.reception.move(interaction, lambda talk: go_forward(talk, turns))

    @app_commands.command(description="Open a thread that goes on from here, apart from this channel")
    @app_commands.describe(name="the thread's name")
    @app_commands.guild_only()
    @app_commands.default_permissions(create_public_threads=True)
    async def fork(self, interaction: Interaction, name: app_commands.Range[str, 1, 100] | None = None) -> None:
        """A copy of the story in a thread."""
        await self.reception.fork(interaction, name, None, None)

    @app_commands.command(description="All that was written here, also what was taken back")
    async def tree(self, interaction: Interaction) -> None:
        """Draw the story's turns."""
        await self.reception.defer(interaction, only_for_them=True)
        place = place_of(interaction)

        def drawn() -> list[str]:
            talk = self._present(place)
            return engine.outline(talk.tree, talk.present, TREE_COLUMNS)

        async with self.scribe.turn(place):
            lines = await self.scribe.call(drawn, is_slow=True)
        text, is_whole = around_present(lines)

        def files() -> list[discord.File]:
            return [] if is_whole else [discord.File(io.BytesIO("\n".join(lines).encode()), "tree.txt")]

        await self.reception.show_them(interaction, f"```\n{text}\n```", files)

    def _present(self, place: Place) -> engine.Conversation:
        story = self.scribe.stories.peek(place)
        if story is None:
            raise NoStory("there is no story here yet: /continue begins one")
        return story.talk

    @app_commands.command(description="Go to any turn of /tree")
    @app_commands.describe(turn="its number; 0 is the very beginning")
    @app_commands.default_permissions(send_messages=True)
    async def goto(self, interaction: Interaction, turn: app_commands.Range[int, 0, 10**9]) -> None:
        """Jump."""
        await self.reception.move(interaction, lambda talk: go_to(talk, turn))

    @goto.autocomplete("turn")
    async def _turns(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[int]]:
        place = place_of(interaction)
        if self.scribe.is_busy(place):
            return []  # its turns are about to change

        def found() -> list[app_commands.Choice[int]]:
            story = self.scribe.stories.peek(place)
            return [
                app_commands.Choice(name=f"{turn.id}: {engine.first_words(turn.text, 80)}", value=turn.id)
                for turn in reversed(story.talk.tree if story else [])
                if str(typed).casefold() in f"{turn.id} {turn.text}".casefold()
            ]

        async with self.scribe.turn(place):
            return (await self.scribe.call(found, is_slow=True))[:25]

    @app_commands.command(description="Begin a new story here; the old one is kept, and its buttons go on working")
    @app_commands.default_permissions(send_messages=True)
    async def restart(self, interaction: Interaction) -> None:
        """A new conversation."""
        place, stories = place_of(interaction), self.scribe.stories
        self.reception.admit(interaction)
        message = await self.reception.defer(interaction)
        async with self.scribe.turn(place):
            story = await self.scribe.call(lambda: stories.begin(place, stories.model(place)))
        view = when_written(story.serial, story.talk.present)
        await self.reception.show(interaction, message, "A new story: /continue begins it.", view)

    @app_commands.command(description="Show or choose the model that writes in this channel")
    @app_commands.describe(name="another model; it reads the story first, and goes on from there")
    async def model(self, interaction: Interaction, name: str | None = None) -> None:
        """The channel's model."""
        place, stories = place_of(interaction), self.scribe.stories
        if name is not None and name not in self.bot.models:
            raise Refusal(f"there is no model of that name, only {', '.join(self.bot.models)}")
        if name is not None:
            self.reception.admit(interaction)
        message = await self.reception.defer(interaction, only_for_them=name is None)
        async with self.scribe.turn(place):
            before = await self.scribe.call(lambda: stories.model(place))
            if name is not None:
                await self.scribe.call(lambda: stories.change_model(place, name), is_slow=True)
        if name is None:
            await self.reception.show_them(interaction, self._describe(before))
        else:
            await self.reception.show(interaction, message, self._describe(name))

    @model.autocomplete("name")
    async def _names(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = [name for name in self.bot.models if typed.casefold() in name.casefold()]
        return [app_commands.Choice(name=name[:100], value=name[:100]) for name in found[:25]]

    def _describe(self, name: str) -> str:
        info = self.bot.models[name].info
        return (
            f"This channel's model: **{escape(name)}** ({info.cell.upper()}, {info.layers} x {info.units} units, "
            f"{info.parameters / 1e6:.1f} M parameters, {info.vocabulary_size} {info.level} tokens, {info.precision})"
        )

    @app_commands.command(description="Show or change how replies are written in this channel")
    @app_commands.describe(
        length="of a reply, where nobody says otherwise", temperature="how daring", top_p="choose among the likeliest",
        max_length="the longest reply that anybody may ask for here",
        join="what stands between the story and a text that is added", reset="go back to the bot's own settings first",
    )  # fmt: skip
    async def settings(
        self, interaction: Interaction, length: Length | None = None, temperature: Temperature | None = None,
        top_p: TopP | None = None, max_length: Length | None = None,
        join: Literal["space", "line", "nothing"] | None = None, reset: bool = False,
    ) -> None:  # fmt: skip
        """The channel's defaults and limits."""
        place, stories = place_of(interaction), self.scribe.stories
        given = {
            "length": length, "temperature": temperature, "top_p": top_p, "max_length": max_length, "join": join,
        }  # fmt: skip
        chosen = {name: value for name, value in given.items() if reset or value is not None}
        if chosen and interaction.guild_id is not None and not interaction.permissions.manage_channels:
            raise Refusal("changing a channel's settings needs the permission Manage Channels")
        message = await self.reception.defer(interaction, only_for_them=not chosen)
        async with self.scribe.turn(place):
            if chosen:
                made = await self.scribe.call(lambda: stories.choose(place, **chosen))
            else:
                made = await self.scribe.call(lambda: stories.choices(place))
        if chosen:
            await self.reception.show(interaction, message, describe_choices(made))
        else:
            await self.reception.show_them(interaction, describe_choices(made))

    @app_commands.command(description="This channel's story as a text file, and as a file that can be replayed")
    async def export(self, interaction: Interaction) -> None:
        """The conversation as files."""
        await self.reception.defer(interaction, only_for_them=True)
        place = place_of(interaction)

        def exported() -> dict[str, bytes]:
            talk = self._present(place)
            return {
                "story.txt": talk.text.encode("utf-8", "replace"),
                "story.json": talk.export().encode("utf-8", "replace"),
            }

        async with self.scribe.turn(place):
            contents = await self.scribe.call(exported, is_slow=True)

        def files() -> list[discord.File]:
            return [discord.File(io.BytesIO(content), name) for name, content in contents.items()]

        most = interaction.filesize_limit
        if sum(map(len, contents.values())) > most:
            raise Refusal(f"the story is too long for Discord's limit of {most / 2**20:.0f} MB a message")
        await self.reception.show_them(interaction, "The story so far:", files)

    @app_commands.command(description="Delete this channel's stories, or all that you wrote on this server, for good")
    @app_commands.describe(
        what="all stories of this channel (needs Manage Messages), or only your own texts on this server"
    )
    async def forget(self, interaction: Interaction, what: Literal["what I wrote", "all stories here"]) -> None:
        """Really delete."""
        place, stories, member = place_of(interaction), self.scribe.stories, interaction.user.id
        if what == "all stories here" and not is_moderator(interaction):
            raise Refusal("deleting a channel's stories needs the permission Manage Messages")
        message = await self.reception.defer(interaction, only_for_them=what == "what I wrote")
        if what == "what I wrote":
            count = await self._forget_member(place, member)
            text = f"Deleted {count} of your texts; the rest of those stories was kept."
        else:
            async with self.scribe.turn(place, is_patient=True):
                count = await self.scribe.call(lambda: stories.forget(place), is_slow=True)
            text = f"Deleted {count} {'story' if count == 1 else 'stories'} of this channel for good."
        note = " Messages in Discord are not touched: delete those yourself." if count else ""
        answer = text + note if count else "There was nothing to delete."
        if what == "what I wrote":
            await self.reception.show_them(interaction, answer)
        else:
            await self.reception.show(interaction, message, answer)

    async def _forget_member(self, place: Place, member: int) -> int:
        """In all channels and threads of the server; how many texts."""
        stories = self.scribe.stories
        places = await self.scribe.call(lambda: stories.places(place.guild)) if place.guild else [place]
        count = 0
        for one in places:
            async with self.scribe.turn(one, is_patient=True):
                forget = functools.partial(stories.forget_member, one, member)
                count += await self.scribe.call(forget, is_slow=True)
        return count

    @app_commands.command(description="How the bot is doing")
    async def status(self, interaction: Interaction) -> None:
        """Model, replies, speed, uptime."""
        place = place_of(interaction)
        model = await self.scribe.call(lambda: self.scribe.stories.model(place))
        info, up = self.bot.models[model].info, int(time.time() - self.bot.started)
        uptime = f"{up // 86400} d {up // 3600 % 24} h {up // 60 % 60} min" if up >= 60 else f"{up} s"
        await interaction.response.send_message(
            f"**{escape(model)}** ({info.parameters / 1e6:.1f} M parameters, {info.precision}) · "
            f"{self.scribe.line.running} replies being written, {self.scribe.line.waiting} waiting · "
            f"{self.bot.characters_per_second():,.0f} characters a second over the last minute · up for {uptime}",
            ephemeral=True,
        )


def describe_choices(choices: Choices) -> str:
    """A channel's settings in words."""
    return (
        f"Replies here: **length** {choices.length} (at most {choices.max_length}) · **temperature** "
        f"{choices.temperature:g} · **top_p** {choices.top_p:g} · a text is joined with **{choices.join}**"
    )


def around_present(lines: list[str]) -> tuple[str, bool]:
    """As many lines around the present one as a message holds, safe in a code block; and whether those are all."""
    safe = [line.replace("```", "'''") for line in lines]
    if sum(len(line) + 1 for line in safe) <= MAX_TREE:
        return "\n".join(safe), True
    here = next((n for n, line in enumerate(lines) if line.endswith("<- here")), 0)
    first = last = here
    size = len(safe[here])
    while True:
        sides = [n for n in (first - 1, last + 1) if 0 <= n < len(safe)]
        near = next((n for n in sides if size + len(safe[n]) + 1 <= MAX_TREE - 10), None)
        if near is None:
            break
        size += len(safe[near]) + 1
        first, last = min(first, near), max(last, near)
    shown = safe[first : last + 1]
    return "\n".join(["..."] * (first > 0) + shown + ["..."] * (last < len(safe) - 1)), False
