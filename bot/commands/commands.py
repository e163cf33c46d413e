"""The commands that write a story and move about in it."""

from __future__ import annotations

from collections.abc import Sequence

from discord import app_commands
from discord.ext import commands

import engine
from bot.commands.interactions import Interaction, Interactions, channel_of, is_elsewhere
from bot.commands.options import Alternatives, Length, Minutes, Seed, Temperature, TopP, Turns
from bot.messages.buttons import when_written
from bot.messages.markdown import escape
from bot.messages.pages import Passage
from bot.replies.replies import Replies
from bot.replies.requests import Request
from bot.stories.channels import Choices
from bot.stories.chats import MAX_NAME, name_of, other_than
from bot.stories.navigation import go_back, go_forward, go_to
from bot.stories.refusals import NoStory, Refusal

USUAL_ALTERNATIVES = 3


class StoryCommands(commands.Cog):
    """The commands of everybody who writes."""

    def __init__(self, replies: Replies, interactions: Interactions) -> None:
        self._access, self._interactions = replies.access, interactions

    @app_commands.command(name="continue", description="Go on with this channel's story")
    @app_commands.describe(
        text="added to the story first",
        length="how much to write at most (for most models a token is a character)",
        temperature="how daring: 0 always takes the likeliest, 1 writes as the text it learned from",
        top_p="choose among the likeliest that together have this probability",
        seed="the same seed at the same turn gives the same words",
    )
    @app_commands.default_permissions(send_messages=True)
    async def continue_(
        self, interaction: Interaction, text: str = "", length: Length | None = None,
        temperature: Temperature | None = None, top_p: TopP | None = None, seed: Seed | None = None,
    ) -> None:  # fmt: skip
        """Feed a text, if there is one, and write on."""
        given = _given(length=length, temperature=temperature, top_p=top_p, seed=seed)
        await self._interactions.answer(interaction, Request(interaction.user.id, text=text, sampling=given))

    @app_commands.command(description="Write another reply in place of the last one")
    @app_commands.describe(temperature="how daring", seed="the same seed gives the same words")
    @app_commands.default_permissions(send_messages=True)
    async def retry(
        self, interaction: Interaction, temperature: Temperature | None = None, seed: Seed | None = None
    ) -> None:
        """Write another reply from the same checkpoint."""
        given = _given(temperature=temperature, seed=seed)
        await self._interactions.answer(interaction, Request(interaction.user.id, "retry", sampling=given))

    @app_commands.command(description="Write several continuations side by side, and let the channel choose")
    @app_commands.describe(
        n=f"how many ({USUAL_ALTERNATIVES})",
        vote="the channel votes, for so many minutes; else whoever presses first chooses",
        length="of each, at most", temperature="how daring",
    )  # fmt: skip
    @app_commands.default_permissions(send_messages=True)
    async def alternatives(
        self, interaction: Interaction, n: Alternatives | None = None, vote: Minutes | None = None,
        length: Length | None = None, temperature: Temperature | None = None,
    ) -> None:  # fmt: skip
        """Write alternatives in one batch."""
        if vote is not None and is_elsewhere(interaction):
            raise Refusal("a vote needs me as a member here: its end comes when I cannot answer anymore")
        given = _given(length=length, temperature=temperature)
        number = n or min(USUAL_ALTERNATIVES, self._access.stories.writing.max_alternatives)
        request = Request(interaction.user.id, "alternatives", sampling=given, number=number, minutes=vote or 0)
        await self._interactions.answer(interaction, request)

    @app_commands.command(description="Take back the last turn, or several (a text is one, a reply is one)")
    @app_commands.describe(turns="how many")
    @app_commands.default_permissions(send_messages=True)
    async def undo(self, interaction: Interaction, turns: Turns = 1) -> None:
        """Go back."""
        await self._interactions.move(interaction, lambda conversation: go_back(conversation, turns))

    @app_commands.command(description="Bring back what was taken back")
    @app_commands.describe(turns="how many turns")
    @app_commands.default_permissions(send_messages=True)
    async def redo(self, interaction: Interaction, turns: Turns = 1) -> None:
        """Go forward."""
        await self._interactions.move(interaction, lambda conversation: go_forward(conversation, turns))

    @app_commands.command(description="Open a thread that goes on from here, apart from this channel")
    @app_commands.describe(name="the thread's name")
    @app_commands.guild_only()
    @app_commands.default_permissions(create_public_threads=True)
    async def fork(self, interaction: Interaction, name: app_commands.Range[str, 1, 100] | None = None) -> None:
        """Copy the story into a thread."""
        await self._interactions.fork(interaction, name)

    @app_commands.command(name="as", description="In a chat: whose lines I write")
    @app_commands.describe(name="one of the speakers that the model knows, or any other name; nothing shows who it is")
    @app_commands.default_permissions(send_messages=True)
    async def as_(self, interaction: Interaction, name: app_commands.Range[str, 1, MAX_NAME] | None = None) -> None:
        """Show or choose whose lines the model writes in this channel."""
        channel, stories = channel_of(interaction), self._access.stories
        if name is not None:
            self._interactions.admit(interaction)
        message = await self._interactions.defer(interaction, is_private=name is None)

        def chosen() -> str:
            speaker = name_of(name) if name is not None else ""
            choices = stories.choose(channel, speaker=speaker) if speaker else stories.choices(channel)
            known = stories.speakers.get(stories.model(channel), ())
            return describe_speaker(choices, other_than("", choices.speaker, known), known)

        told = await self._access.run(channel, chosen)
        if name is None:
            await self._interactions.show_privately(interaction, told)
        else:
            await self._interactions.show(interaction, message, Passage(said=told))

    @as_.autocomplete("name")
    async def _speakers(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        channel, stories = channel_of(interaction), self._access.stories
        known = stories.speakers.get(await self._access.call(lambda: stories.model(channel)), ())
        found = [name[:MAX_NAME] for name in known if typed.casefold() in name.casefold()]
        return [app_commands.Choice(name=name, value=name) for name in found[:25]]

    @app_commands.command(description="Go to any turn of /tree")
    @app_commands.describe(turn="its number; 0 is the very beginning")
    @app_commands.default_permissions(send_messages=True)
    async def goto(self, interaction: Interaction, turn: app_commands.Range[int, 0, 10**9]) -> None:
        """Jump to a turn."""
        await self._interactions.move(interaction, lambda conversation: go_to(conversation, turn))

    @goto.autocomplete("turn")
    async def _turns(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[int]]:
        channel = channel_of(interaction)
        if self._access.is_busy(channel):
            return []  # its turns are about to change

        def found() -> list[app_commands.Choice[int]]:
            try:
                conversation = self._access.stories.peek(channel).conversation
            except NoStory:
                return []
            return [
                app_commands.Choice(
                    name=f"{turn.id}: {'(remembered) ' * (turn.kind == 'memory')}{engine.first_words(turn.text, 80)}",
                    value=turn.id,
                )
                for turn in reversed(conversation.tree)
                if str(typed).casefold() in f"{turn.id} {turn.text}".casefold()
            ]

        return (await self._access.run(channel, found, is_slow=True))[:25]

    @app_commands.command(description="Begin a new story here; the old one is kept, and its buttons go on working")
    @app_commands.default_permissions(send_messages=True)
    async def restart(self, interaction: Interaction) -> None:
        """Begin a new story."""
        channel, stories = channel_of(interaction), self._access.stories
        self._interactions.admit(interaction)
        message = await self._interactions.defer(interaction)
        story = await self._access.run(channel, lambda: stories.begin(channel, stories.model(channel)))
        buttons = when_written(story.serial, story.conversation.present)
        await self._interactions.show(interaction, message, Passage(said="A new story: /continue begins it."), buttons)


def describe_speaker(choices: Choices, speaker: str, known: Sequence[str]) -> str:
    """Whose lines the model writes, in words."""
    told = f"I write as **{escape(speaker)}** in chats here."
    if choices.style != "chat":
        told += " This channel is a story: `/settings style:chat` makes it a chat."
    if known:
        told += f" The model knows {len(known)} speakers, most of all {escape(', '.join(known[:5]))}."
    return told


def _given(**values: float | None) -> dict[str, float]:
    """The options that a member has typed."""
    return {name: value for name, value in values.items() if value is not None}
