"""Replies without Discord: asked for, written and kept at once."""

from __future__ import annotations

from bot.messages.pages import CONTENT, Chain
from bot.replies.requests import Note, Request, Saved, Written, begin_reply, keep_reply, resolve_request
from bot.stories.channels import Channel
from bot.stories.stories import Stories

HERE, THERE = Channel(1, 10), Channel(1, 11)
POST = 99


def note_on(stories: Stories, request: Request | None = None, *, saved: Saved | None = None, attempts: int = 0) -> Note:
    """A note on a post with one message."""
    return Note(stories.store, HERE, POST, Chain([5], CONTENT), request, attempts, saved)


def write(stories: Stories, request: Request, channel: Channel = HERE) -> Written:
    """A reply from its asking to its keeping, and no note left."""
    story, resolved = resolve_request(stories, channel, request)
    begun = begin_reply(story, resolved)
    stories.make_present(story)
    begun.reply.result()
    note = note_on(stories)
    written = keep_reply(stories, begun, note, resolved.turn or 0)
    note.remove()
    return written
