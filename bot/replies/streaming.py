"""Shows a reply in a post: while it grows, and in the end."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord

import engine
from bot.messages.buttons import when_written, while_writing
from bot.messages.pages import Passage
from bot.messages.post import GoneError, Post
from bot.replies.refusals import refusal_of
from bot.replies.requests import Begun, Written, as_shown

FIRST_WORDS_SECONDS = 0.12  # to wait for more of a reply before its first words are shown
LOOK_SECONDS = 0.25  # between looks for more of a reply
READ_PER_SECOND = 100  # characters, by a very fast reader: what nobody has read yet needs no edit behind it
MAX_READING_SECONDS = 2.0
_log = logging.getLogger(__name__)


async def stream(begun: Begun, post: Post) -> bool:
    """Show a reply while it grows. False if there is nowhere to show it anymore; then the reply is stopped.

    Raises `Refusal` if the engine fails.
    """
    reply = begun.reply
    try:
        await reply.ready()
        ended = asyncio.create_task(reply.ready(is_whole=True))
        try:
            await _show_growing(begun, post, ended)
        except GoneError:
            reply.stop()
            await ended
            return False
        finally:
            ended.cancel()
        reply.result()
    except engine.EngineError as error:
        raise refusal_of(error) from error
    finally:
        reply.abandon()
    return True


async def show_written(written: Written, post: Post, note: str = "") -> bool:
    """Show a whole reply, with small print below it and its buttons. False if there is nowhere to show it anymore."""
    passage = Passage(written.text, written.num_bold, note=note)
    return await post.finish(passage, when_written(written.story.serial, written.turn))


async def _show_growing(begun: Begun, post: Post, ended: asyncio.Task[None]) -> None:
    """Show what there is whenever Discord takes it, until the reply has ended. Raises `GoneError`."""
    text = ""
    if not post.is_begun:  # a short reply is ready at once: let it appear whole
        await asyncio.wait({ended}, timeout=FIRST_WORDS_SECONDS)
    while not ended.done():
        waiting = asyncio.create_task(post.wait())
        await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if ended.done():
            return
        if piece := begun.reply.take():
            text += piece
            await _show(begun, post, text)
            await asyncio.wait({ended}, timeout=min(MAX_READING_SECONDS, len(piece) / READ_PER_SECOND))
        else:
            await asyncio.wait({ended}, timeout=LOOK_SECONDS)


async def _show(begun: Begun, post: Post, text: str) -> None:
    """Show the text so far. If an edit fails, the next one shows it."""
    buttons = while_writing(begun.story.serial, begun.request.turn or 0)
    so_far = as_shown(begun.story, 0, begun.fed + text, begun.fed)
    try:
        await post.show(Passage(so_far.text, so_far.num_bold), buttons)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
        _log.warning("event=edit-failed error=%r", str(error))
