"""Suggestions behind the cursor: a line that was typed before, else what the model would write next."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggest, AutoSuggestFromHistory, Suggestion
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

PAUSE = 0.4  # seconds without a key before the model is asked
MAX_TEXT = 2000  # characters; for a longer line it is not asked


class Suggestions(AutoSuggest):
    """Gets the continuation of a text from `ask` after `pause` seconds without a key."""

    def __init__(self, ask: Callable[[str], Awaitable[str]], pause: float = PAUSE) -> None:
        self._ask, self._pause = ask, pause
        self._history = AutoSuggestFromHistory()

    def get_suggestion(self, buffer: Buffer, document: Document) -> Suggestion | None:
        return self._history.get_suggestion(buffer, document)

    async def get_suggestion_async(self, buff: Buffer, document: Document) -> Suggestion | None:
        known = self.get_suggestion(buff, document)
        text = document.text
        is_command = text.startswith("/") and not text.startswith("//")
        if (known and known.text) or is_command or not text.strip() or len(text) > MAX_TEXT:
            return known
        await asyncio.sleep(self._pause)
        if buff.document != document:
            return None
        continuation = await self._ask(text.removeprefix("/"))
        return Suggestion(continuation) if continuation else None


def suggestion() -> str:
    """The dim text behind the cursor of the running prompt; empty if there is none."""
    buffer = get_app().current_buffer
    return buffer.suggestion.text if buffer.suggestion is not None and buffer.document.is_cursor_at_the_end else ""


def first_word(suggestion: str) -> str:
    """The first word of a suggestion, with the spaces before it."""
    found = re.match(r"\s*\S+", suggestion)
    return found[0] if found else suggestion
