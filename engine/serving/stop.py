"""Stop strings in a text that grows token by token. Knows no batch and no thread."""

from __future__ import annotations

import unicodedata
from collections import deque

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class StopTrail:
    """Looks for stop strings in a text that grows token by token, and holds back what may become one.

    Keeps the state at each token held back, and at the last one given out, so that a reply that ends before a
    stop string ends in the state of exactly that text. Text is given out by whole tokens and whole characters: a reply
    ends before the token in which its stop string begins.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self.found = False
        self.held = ""
        self.last: tuple[int, Floats] | None = None  # the last token given out, and the state before it was fed
        # a model made elsewhere may write an accent as a character of its own
        self._stops = tuple({form for stop in stops for form in (stop, unicodedata.normalize("NFD", stop))})
        # token, state before it is fed, characters, and whether the text after it is whole
        self._trail: deque[tuple[int, Floats, int, bool]] = deque()

    @property
    def held_tokens(self) -> int:
        """How many tokens have not been given out."""
        return len(self._trail)

    def add(self, token: int, piece: str, state: Floats, is_whole: bool) -> str:
        """Take a token; returns the text that can be given out now."""
        self.held += piece
        self._trail.append((token, state.copy(), len(piece), is_whole))
        found = [index for stop in self._stops if (index := self.held.find(stop)) >= 0]
        self.found = bool(found)
        allowed = min(found) if found else len(self.held) - self._longest_beginning()
        count = given = characters = 0  # tokens and characters to give out: the most that end whole
        for number, (_, _, size, ends_whole) in enumerate(self._trail, 1):
            characters += size
            if characters > allowed:
                break
            if ends_whole:
                count, given = number, characters
        for _ in range(count):
            token, state, _, _ = self._trail.popleft()
            self.last = token, state
        text, self.held = self.held[:given], self.held[given:]
        return text

    def _longest_beginning(self) -> int:
        """The length of the longest end of the held text that a stop string could begin with."""
        longest = max(map(len, self._stops)) - 1
        for size in range(min(longest, len(self.held)), 0, -1):
            if any(stop.startswith(self.held[-size:]) for stop in self._stops):
                return size
        return 0
