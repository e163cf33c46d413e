"""The commands that show a story's tree, and how the model sees its last reply."""

from __future__ import annotations

import io
import itertools
import logging
from dataclasses import dataclass

import discord
from discord import app_commands
from discord.ext import commands

import engine
from bot.commands.interactions import Interaction, Interactions, channel_of
from bot.pictures.canvas import NoPicture
from bot.pictures.heat import draw_heat
from bot.pictures.tree import draw_tree
from bot.replies.replies import Replies
from bot.stories.channels import Channel
from bot.stories.refusals import NoStory

MAX_TREE = 1800  # characters of a drawn tree in a message
TREE_COLUMNS = 56
MAX_READ = 20_000  # characters of a story's end that are read for the surprisal of its last reply
MAX_DESCRIPTION = 1024  # characters of a picture's description, of Discord
BAR = 20  # cells of a bar
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heat:
    """The tokens of the last reply with their surprisal in bits, and how predictable it is on the whole."""

    tokens: list[str]
    bits: list[float]
    figures: str


@dataclass(frozen=True, slots=True)
class Read:
    """A reply, the story before it, and the texts that the story's memory knows; None where that is off."""

    model: engine.Engine
    before: str
    reply: str
    remembered: list[str] | None


class InspectionCommands(commands.Cog):
    """Shows what there is; changes nothing."""

    def __init__(self, replies: Replies, interactions: Interactions) -> None:
        self._access, self._interactions = replies.access, interactions

    @app_commands.command(description="All that was written here, also what was taken back")
    @app_commands.describe(as_text="as text, not as a picture")
    async def tree(self, interaction: Interaction, as_text: bool = False) -> None:
        """Draw the turns of the story."""
        channel = channel_of(interaction)
        self._interactions.check_cooldown(channel, interaction.user.id)  # who may only read may look at it, too
        await self._interactions.defer(interaction, is_private=True)

        def read() -> tuple[list[engine.Turn], int]:
            conversation = self._access.stories.peek(channel).conversation
            return conversation.tree, conversation.present

        def drawn() -> tuple[list[str], bytes | None]:
            return engine.outline(tree, present, TREE_COLUMNS), None if as_text else _picture(tree, present)

        tree, present = await self._access.run(channel, read, is_slow=True)
        lines, picture = await self._access.call(drawn, is_slow=True)
        text, is_whole = around_present(lines)

        def files() -> list[discord.File]:
            if picture is not None:
                return [discord.File(io.BytesIO(picture), "tree.png", description=text[:MAX_DESCRIPTION])]
            return [] if is_whole else [discord.File(io.BytesIO("\n".join(lines).encode()), "tree.txt")]

        shown = "/goto leads to a number." if picture is not None else f"```\n{text}\n```"
        await self._interactions.show_privately(interaction, shown, files)

    @app_commands.command(description="How surprising each word of the last reply is to the model, as a picture")
    async def heat(self, interaction: Interaction) -> None:
        """Color the last reply by surprisal."""
        self._interactions.admit(interaction)
        await self._interactions.defer(interaction, is_private=True)
        channel = channel_of(interaction)
        read = await self._access.run(channel, lambda: self._last_reply(channel), is_slow=True)
        heat, picture = await self._access.call(lambda: _drawn_heat(read), is_slow=True)

        def files() -> list[discord.File]:
            text = f"{heat.figures}: {''.join(heat.tokens)}"[:MAX_DESCRIPTION]
            return [] if picture is None else [discord.File(io.BytesIO(picture), "heat.png", description=text)]

        shown = heat.figures if picture is not None else describe_heat(heat)
        await self._interactions.show_privately(interaction, shown, files)

    @app_commands.command(description="What the model expects to come next here")
    async def why(self, interaction: Interaction) -> None:
        """Show the likeliest next tokens, by the model and with the channel's settings."""
        self._interactions.admit(interaction)
        await self._interactions.defer(interaction, is_private=True)
        channel = channel_of(interaction)

        def found() -> str:
            stories = self._access.stories
            conversation, choices = stories.peek(channel).conversation, stories.choices(channel)
            sampling = engine.Sampling(temperature=choices.temperature, top_p=choices.top_p, memory=choices.memory)
            size = len(conversation.runner.vocabulary)
            return describe_next(conversation.next_tokens(10), dict(conversation.next_tokens(size, sampling)))

        table = await self._access.run(channel, found, is_slow=True)
        await self._interactions.show_privately(interaction, f"```\n{table}\n```")

    def _last_reply(self, channel: Channel) -> Read:
        """The last reply with what the model has read before it. Raises `NoStory` if there is none."""
        stories = self._access.stories
        story = stories.peek(channel)
        turns = story.conversation.turns
        last = next((number for number in range(len(turns) - 1, -1, -1) if turns[number].kind == "reply"), None)
        if last is None:
            raise NoStory("there is no reply here yet: /continue asks for one")
        before = "".join(turn.text for turn in turns[:last] if turn.kind != "memory")
        remembered = None
        if stories.choices(channel).memory != "off":
            remembered = [turn.text for turn in turns[:last] if turn.kind == "memory"]
        return Read(stories.models[story.model], before, turns[last].text, remembered)


def measure(read: Read) -> Heat:
    """How surprising the tokens of a reply are."""
    start = max(0, len(read.before) + len(read.reply) - MAX_READ)
    memory = "off" if read.remembered is None else "all"
    score = read.model.score(read.before[start:] + read.reply, memory=memory, remembered=read.remembered or [])
    ids = [None, *score.tokens.tolist()]
    tokens = [read.model.vocabulary.shown(token, last) for last, token in itertools.pairwise(ids)]
    first, left = len(tokens), len(read.reply)
    while first and left > 0:
        first -= 1
        left -= len(tokens[first])
    bits = score.surprisal_bits[first:].tolist()
    figures = f"{sum(bits) / max(1, len(read.reply)):.2f} bits a character over {len(read.reply):,} characters"
    return Heat(tokens[first:], bits, figures)


def describe_heat(heat: Heat) -> str:
    """The most surprising tokens, where no picture can be drawn."""
    most = sorted(zip(heat.bits, heat.tokens, strict=True), reverse=True)[:10]
    rows = "\n".join(f"{bits:5.1f} bits  {_visible(token)}" for bits, token in most)
    return f"{heat.figures}; the most surprising:\n```\n{rows}\n```"


def describe_next(before: list[tuple[str, float]], after: dict[str, float]) -> str:
    """A table of tokens with their probabilities: by the model, and with the settings; safe in a code block."""
    lines = [f"{'':12}  {'the model':{BAR + 7}}  with the settings here"]
    for token, share in before:
        chosen = after.get(token, 0.0)
        bars = [f"{one:6.3f} {'█' * round(BAR * one):{BAR}}" for one in (share, chosen)]
        lines.append(f"{_visible(token)[:12]:>12}  {'  '.join(bars)}".rstrip())
    return "\n".join(lines)


def around_present(lines: list[str]) -> tuple[str, bool]:
    """As many lines up to the present turn as a message holds, then some after it; and whether those are all.

    They are safe in a code block.
    """
    safe = [line.replace("```", "'''") for line in lines]
    if sum(len(line) + 1 for line in safe) <= MAX_TREE:
        return "\n".join(safe), True
    first = next((number for number, line in enumerate(lines) if line.endswith("<- here")), 0)
    last, size = first, len(safe[first])
    while sides := [
        number for number in (first - 1, last + 1)
        if 0 <= number < len(safe) and size + len(safe[number]) + 1 <= MAX_TREE - 10
    ]:  # fmt: skip
        size += len(safe[sides[0]]) + 1
        first, last = min(first, sides[0]), max(last, sides[0])
    shown = safe[first : last + 1]
    return "\n".join(["..."] * (first > 0) + shown + ["..."] * (last < len(safe) - 1)), False


def _picture(tree: list[engine.Turn], present: int) -> bytes | None:
    """The tree as a picture; None where none can be drawn."""
    try:
        return draw_tree(tree, present)
    except NoPicture as reason:
        _log.info("event=no-picture reason=%r", str(reason))
        return None


def _drawn_heat(read: Read) -> tuple[Heat, bytes | None]:
    """The heat of a reply, and its picture; None where none can be drawn."""
    heat = measure(read)
    try:
        return heat, draw_heat(heat.tokens, heat.bits, heat.figures)
    except NoPicture as reason:
        _log.info("event=no-picture reason=%r", str(reason))
        return heat, None


def _visible(token: str) -> str:
    """A token in a table: its blanks can be seen, and it ends no code block."""
    return "space" if token == " " else repr(token)[1:-1].replace("`", "'")
