"""Shows a reply in a post: while it grows, and in the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import aiohttp
import discord

import engine
from bot.messages.buttons import to_choose, when_written, while_writing
from bot.messages.pages import Passage
from bot.messages.post import GoneError, Post
from bot.replies.requests import Begun, Written, as_shown
from bot.stories.refusals import refusal_of

FIRST_WORDS_SECONDS = 0.12  # to wait for more of a reply before its first words are shown
LOOK_SECONDS = 0.25  # between looks for more of a reply
READ_PER_SECOND = 100  # characters, by a very fast reader: what nobody has read yet needs no edit behind it
MAX_READING_SECONDS = 2.0
TYPING_SECONDS = 8.0  # Discord shows it for ten
_log = logging.getLogger(__name__)


async def stream(begun: Begun, post: Post) -> bool:
    """Show a reply while it grows. False if there is nowhere to show it anymore; then the reply is stopped.

    Raises `Refusal` if the engine fails.
    """
    try:
        await _ready(begun)
        ended = asyncio.create_task(_ready(begun, is_whole=True))
        try:
            if begun.request.speaker:
                await _show_typing(post, ended)
            else:
                await _show_growing(begun, post, ended)
        except GoneError:
            begun.stop()
            await ended
            return False
        finally:
            ended.cancel()
        for reply in begun.replies:
            reply.result()
    except engine.EngineError as error:
        raise refusal_of(error) from error
    finally:
        for reply in begun.replies:
            reply.abandon()
    return True


async def show_written(written: Written, post: Post, footer: str = "") -> bool:
    """Show a whole reply, with small print below it and its buttons. False if there is nowhere to show it anymore."""
    serial = written.story.serial
    if written.options:
        action = "vote" if written.vote is not None else "pick"
        footer = " \N{MIDDLE DOT} ".join(filter(None, (written.rules, footer)))
        passage = Passage(options=tuple(written.options.values()), footer=footer)
        return await post.finish(passage, to_choose(action, serial, list(written.options)))
    buttons = [] if written.is_bare else when_written(serial, written.turn)
    return await post.finish(Passage(written.text, written.num_bold, footer=footer), buttons)


async def show_decided(serial: int, options: Mapping[int, str], told: str, post: Post) -> bool:
    """Say below alternatives how their vote ended; their buttons lead to them. False if that cannot be shown."""
    passage = Passage(options=tuple(options.values()), footer=told)
    return await post.finish(passage, to_choose("pick", serial, list(options)))


async def _show_typing(post: Post, ended: asyncio.Task[None]) -> None:
    """Show that the bot is typing until the reply has ended, as members see it of each other."""
    post.is_answering = False
    while not ended.done():
        await post.show_typing()
        await asyncio.wait({ended}, timeout=TYPING_SECONDS)


async def _ready(begun: Begun, *, is_whole: bool = False) -> None:
    """Wait until there is something of the reply, or of all alternatives; with `is_whole`, for the end."""
    await asyncio.gather(*(reply.ready(is_whole=is_whole) for reply in begun.replies))


async def _show_growing(begun: Begun, post: Post, ended: asyncio.Task[None]) -> None:
    """Show what there is whenever Discord takes it, until the reply has ended. Raises `GoneError`."""
    texts = [""] * len(begun.replies)
    if not post.is_begun:  # a short reply is ready at once: let it appear whole
        await asyncio.wait({ended}, timeout=FIRST_WORDS_SECONDS)
    while not ended.done():
        if post.is_ending:
            begun.stop()
        waiting = asyncio.create_task(post.wait())
        await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if ended.done():
            return
        pieces = [reply.take() for reply in begun.replies]
        if any(pieces):
            texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
            await _show(begun, post, texts)
            num_new = sum(map(len, pieces))
            await asyncio.wait({ended}, timeout=min(MAX_READING_SECONDS, num_new / READ_PER_SECOND))
        else:
            await asyncio.wait({ended}, timeout=LOOK_SECONDS)


async def _show(begun: Begun, post: Post, texts: list[str]) -> None:
    """Show the texts so far. If an edit fails, the next one shows them."""
    buttons = while_writing(begun.story.serial, begun.request.turn or 0)
    so_far = as_shown(begun.story, 0, texts[0], begun.fed)
    is_choice = begun.request.kind == "alternatives"
    passage = Passage(options=tuple(texts)) if is_choice else Passage(so_far.text, so_far.num_bold)
    try:
        await post.show(passage, buttons)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        _log.warning("event=edit-failed error=%r", str(error))
