"""Finds stop strings in a text that grows token by token. Knows no batch and no thread."""

from __future__ import annotations

import unicodedata
from collections import deque

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class StopFinder:
    """Looks for stop strings, and holds back the end of the text that may become one.

    Keeps the state at each held token and at the last released one, so that the reply ends in the state of its text.
    Text is released by whole tokens and whole characters: a reply ends before the token in which a stop string begins.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self.found = False
        self.held = ""
        self.last: tuple[int, Floats] | None = None  # the last token released, and the state before it was fed
        # a model made elsewhere may write an accent as a character of its own
        self._stops = tuple({form for stop in stops for form in (stop, unicodedata.normalize("NFD", stop))})
        # token, state before it is fed, characters, and whether the text after it is whole
        self._trail: deque[tuple[int, Floats, int, bool]] = deque()

    @property
    def held_tokens(self) -> int:
        """How many tokens have not been released."""
        return len(self._trail)

    def add(self, token: int, piece: str, state: Floats, is_whole: bool) -> str:
        """Take a token; returns the text that can be released now."""
        self.held += piece
        self._trail.append((token, state.copy(), len(piece), is_whole))
        starts = [index for stop in self._stops if (index := self.held.find(stop)) >= 0]
        self.found = bool(starts)
        allowed = min(starts) if starts else len(self.held) - self._longest_beginning()
        count = released = characters = 0  # tokens and characters to release: the most that end whole
        for number, (_, _, size, ends_whole) in enumerate(self._trail, 1):
            characters += size
            if characters > allowed:
                break
            if ends_whole:
                count, released = number, characters
        for _ in range(count):
            token, state, _, _ = self._trail.popleft()
            self.last = token, state
        text, self.held = self.held[:released], self.held[released:]
        return text

    def _longest_beginning(self) -> int:
        """The length of the longest end of the held text that a stop string could begin with."""
        longest = max(map(len, self._stops)) - 1
        for size in range(min(longest, len(self.held)), 0, -1):
            if any(stop.startswith(self.held[-size:]) for stop in self._stops):
                return size
        return 0
