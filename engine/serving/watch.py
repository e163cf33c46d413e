"""Watches a reply's text, token by token: where it ends, and what has to be held back meanwhile.

A stop string ends it, and the end that was asked for (`Sampling.end`) once it has its length. Text is released by whole
tokens and whole characters, and what is released is never taken back. Each held token is kept with the state before it
was fed, so that a reply ends in the state of its text. Knows no batch and no thread.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.sampling import Sampling
from engine.text.ends import LOOK_BACK, is_end

Floats = NDArray[np.float32]


class Held(NamedTuple):
    """A token that is not released yet."""

    token: int
    state: Floats  # before it is fed
    size: int  # characters that it made whole
    is_whole: bool  # whether it ends with a whole character


class Boundary(NamedTuple):
    """A place where the text may end: after so many tokens of the reply, and so many characters of what is held."""

    tokens: int
    characters: int


class Phrases:
    """Texts that are looked for in one that grows."""

    def __init__(self, texts: Iterable[str]) -> None:
        # a model made elsewhere may write an accent as a character of its own
        self._texts = tuple({form: None for text in texts for form in (text, unicodedata.normalize("NFD", text))})
        self._beginnings = {text[:size] for text in self._texts for size in range(1, len(text))}
        self._longest = max(map(len, self._texts), default=1) - 1

    def find(self, text: str) -> int:
        """Where the first of them begins, -1 for none."""
        return min((index for one in self._texts if (index := text.find(one)) >= 0), default=-1)

    def unfinished(self, text: str) -> int:
        """The length of the longest end of the text that one of them could begin with."""
        sizes = range(min(self._longest, len(text)), 0, -1)
        return next((size for size in sizes if text[-size:] in self._beginnings), 0)


class Watch:
    """Holds back the end of a reply's text, and finds where it ends.

    It begins after `count` tokens, whose latest text is `before`. The first `begun` of the reply were given, not drawn:
    nothing is looked for in them.
    """

    def __init__(self, sampling: Sampling, begun: int, count: int = 0, before: str = "") -> None:
        self.kept: int | None = None
        """How many tokens of the reply are its text, once it has ended."""
        self.is_stopped = False
        """Whether a stop string ended it."""
        self.last: tuple[int, Floats] | None = None  # the last token released here, and the state before it was fed
        self.released = count  # tokens
        self._end, self._begun, self._length = sampling.end, begun, begun + sampling.length
        self._limit, self._last_part = limits(sampling, begun)
        self._before = before[-LOOK_BACK:]
        self._held = ""
        self._trail: deque[Held] = deque()
        self._stops = Phrases(sampling.stop)

    def add(self, token: int, piece: str, state: Floats, is_whole: bool) -> str:
        """Take a token; returns the text that can be released now. `kept` says whether the reply has ended."""
        self._held += piece
        self._trail.append(Held(token, state.copy(), len(piece), is_whole))
        count, allowed = self.released + len(self._trail), len(self._held)
        if count > self._begun:
            begin = self._stops.find(self._held)
            if begin >= 0 and count <= self._limit:
                self.is_stopped = True
                self.kept = self._last_within(begin).tokens
                return self._release(self.kept)
            allowed = begin if begin >= 0 else allowed - self._stops.unfinished(self._held)
        self.kept, undecided = self._find_end()
        return self._release(self._last_within(min(allowed, undecided)).tokens if self.kept is None else self.kept)

    def finish(self) -> str:
        """The reply is ended from outside; returns the rest of its whole text."""
        self.kept = self._last_within(len(self._held)).tokens
        return self._release(self.kept)

    def _find_end(self) -> tuple[int | None, int]:
        """How many tokens are the text, if that is known, and up to which character it can go on."""
        for place in self._boundaries():
            if self._length <= place.tokens < self._limit and place.tokens:
                before, after = self._before + self._held[: place.characters], self._held[place.characters :]
                verdicts = [is_end(self._end, before, after)]
                if place.tokens >= self._last_part:
                    verdicts.append(is_end("word", before, after))
                if any(verdicts):
                    return place.tokens, place.characters
                if None in verdicts:
                    return self._bound(), place.characters
        return self._bound(), len(self._held)

    def _bound(self) -> int | None:
        """How many tokens are the text where it ends at the limit: no more than that, unless no character would be
        whole. None as long as that is not known."""
        ends = [place.tokens for place in self._boundaries() if place.tokens]
        if not ends or ends[-1] < self._limit:
            return None
        return max((end for end in ends if end <= self._limit), default=ends[0])

    def _boundaries(self) -> Iterator[Boundary]:
        """The places where the text may end, from that after what was released."""
        yield Boundary(self.released, 0)
        counts = itertools.accumulate(held.size for held in self._trail)
        for number, (held, characters) in enumerate(zip(self._trail, counts, strict=True), 1):
            if held.is_whole:
                yield Boundary(self.released + number, characters)

    def _last_within(self, characters: int) -> Boundary:
        """The last place where the text may end with so many held characters at most."""
        return max(place for place in self._boundaries() if place.characters <= characters)

    def _release(self, tokens: int) -> str:
        """Release the text up to so many tokens of the reply."""
        size = 0
        for _ in range(tokens - self.released):
            held = self._trail.popleft()
            self.last = held.token, held.state
            size += held.size
        text, self._held = self._held[:size], self._held[size:]
        self.released = tokens
        self._before = (self._before + text)[-LOOK_BACK:]
        return text


def limits(sampling: Sampling, begun: int) -> tuple[int, int]:
    """How many tokens a reply has at most, and from how many on the end of any word is good enough.

    The first `begun` of them are given.
    """
    more = sampling.length // 2 if sampling.end != "any" else 0
    most = begun + sampling.length + more
    return most, most - more // 4
