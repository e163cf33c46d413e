"""Watches a reply's text, token by token: where it ends, and what has to be held back meanwhile.

A stop string ends it, and the end that was asked for (`Sampling.end`) once it has its length. Once a banned phrase is
whole, the reply goes back to the place before the phrase's first token. Text is released by whole tokens and whole
characters, and what is released is never taken back: what may become a stop string or a banned phrase is held. Each
held token is kept with the state before it was fed, so that a reply ends in the state of its text, or goes back to one.
Knows no batch and no thread.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.sampling import Sampling
from engine.text.ends import LOOK_BACK, is_end

Floats = NDArray[np.float32]

MAX_TAIL = 64  # tokens without a whole character that are waited for: no character has so many, but noise may


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
    """Texts that are looked for in one that grows, piece by piece."""

    def __init__(self, texts: Iterable[str]) -> None:
        # a model made elsewhere may write an accent as a character of its own
        forms = {form for text in texts for form in (text, unicodedata.normalize("NFD", text))}
        self.longest = max(map(len, forms), default=0)
        self.open = 0
        """The length of the longest end of the text so far that one of them could begin with."""
        self._sorted = [*sorted(forms), ""]
        self._any = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None

    def look(self, text: str, new: int) -> int:
        """Take the `new` last characters of the text. Where the first begins of those that end there; -1 for none."""
        if self._any is None:
            return -1
        begin = before = len(text) - new - self.open
        while (found := self._any.search(text, begin)) is not None:
            if found.end() > len(text) - new:
                return found.start()
            begin = found.start() + 1  # it stood there before
        self.reopen(text[before:])
        return -1

    def reopen(self, text: str) -> None:
        """Look anew at the end of the text, to see which of them could have begun there."""
        ordered, last = self._sorted, len(self._sorted) - 1
        for size in range(min(self.longest - 1, len(text)), 0, -1):
            end = text[-size:]
            if ordered[bisect_right(ordered, end, 0, last)].startswith(end):  # the first text that is more than this
                self.open = size
                return
        self.open = 0


class Watch:
    """Holds back the end of a reply's text, and finds where it ends.

    It begins after `count` tokens of the reply, whose latest text is `before`. The first `begun` of the reply were
    given, not drawn: nothing is looked for in them. `story` is the latest text before the reply, where a banned phrase
    may begin: the reply then goes back to its own first token. It goes back to no token that was final: that in its
    time no phrase could begin in.
    """

    def __init__(self, sampling: Sampling, begun: int, story: str = "", count: int = 0, before: str = "") -> None:
        self.kept: int | None = None
        """How many tokens of the reply are its text, once it has ended."""
        self.is_stopped = False
        """Whether a stop string ended it."""
        self.back: int | None = None
        """After how many tokens the reply has to go on with others, where it has written a banned phrase."""
        self.last: tuple[int, Floats] | None = None  # the last token released here, and the state before it was fed
        self.released = count  # tokens
        self._final = Boundary(count, 0)  # no phrase begins before it, and nothing goes back behind it
        self._end, self._begun, self._length = sampling.end, begun, begun + sampling.length
        self._limit, self._last_part = limits(sampling, begun)
        self._stops, self._bans = Phrases(sampling.stop), Phrases(sampling.ban)
        self._before, self._story = before[-LOOK_BACK:], story
        self._bans.reopen(story)
        self._held = ""
        self._trail: deque[Held] = deque()

    def add(self, token: int, piece: str, state: Floats, is_whole: bool) -> str:
        """Take a token; returns the text that can be released now.

        `kept` says whether the reply has ended, `back` whether it has to go back.
        """
        self._held += piece
        self._trail.append(Held(token, state.copy(), len(piece), is_whole))
        count, text, begin = self.released + len(self._trail), self._story + self._held, -1
        if count > self._begun:
            begin = self._bans.look(text, len(piece))
            if begin >= 0:
                place = self._last_within(max(0, begin - len(self._story)))
                self.back = max(self._begun, self._final.tokens, place.tokens)
                return ""
            begin = self._stops.look(self._held, len(piece))
        elif self._bans.longest:
            self._bans.reopen(text)
        if is_whole and count < self._length and begin < 0 and not self._bans.open and not self._stops.open:
            return self._release(count)  # as it mostly is
        if begin >= 0 and count <= self._limit:
            self.is_stopped = True
            self.kept = self._last_within(begin).tokens
            return self._release(self.kept)
        sure = self._last_within(max(0, len(self._held) - self._bans.open))
        self._final = max(self._final, sure)
        self.kept, undecided = self._find_end()
        if self.kept is None:
            allowed = begin if begin >= 0 else len(self._held) - self._stops.open
            return self._release(self._last_within(min(allowed, undecided)).tokens)
        return self._release(self.kept)

    def finish(self) -> str:
        """The reply is ended from outside; returns the rest of its text, without what may become a banned phrase."""
        self.kept = self._final.tokens
        return self._release(self.kept)

    def go_back(self) -> tuple[int, Floats] | None:
        """Forget the tokens after `back`; returns the one before it with the state before that was fed.

        None at the beginning of a reply.
        """
        assert self.back is not None
        while self.released + len(self._trail) > self.back:
            gone = self._trail.pop()
            self._held = self._held[: len(self._held) - gone.size]
        self.back = None
        self._bans.reopen(self._story + self._held)
        self._stops.reopen(self._held)
        return (self._trail[-1].token, self._trail[-1].state) if self._trail else self.last

    def _find_end(self) -> tuple[int | None, int]:
        """How many tokens are the text, if that is known, and up to which character it can go on."""
        bound: int | None = None  # where it ends at the limit: not behind it, unless no character would be whole
        undecided: int | None = None
        for place in self._boundaries(self._final.characters):
            if place.tokens and (bound is None or place.tokens <= self._limit):
                bound = place.tokens
            if place.tokens >= self._limit and bound is not None:
                return bound, place.characters
            if undecided is None and place.tokens >= max(1, self._length):
                verdict = self._is_end(place)
                if verdict:
                    return place.tokens, place.characters
                undecided = place.characters if verdict is None else None
        count, tail = self.released + len(self._trail), 0
        for held in reversed(self._trail):
            if held.is_whole:
                break
            tail += 1
        if count >= self._limit and (tail > MAX_TAIL or (bound is not None and not self._bans.longest)):
            return bound or 0, 0  # nothing goes back, so what is not whole by now is beyond the limit
        return None, self._final.characters if undecided is None else undecided

    def _is_end(self, place: Boundary) -> bool | None:
        before, after = self._before + self._held[: place.characters], self._held[place.characters :]
        verdict = is_end(self._end, before, after)
        if place.tokens < self._last_part or verdict:
            return verdict
        word = is_end("word", before, after)
        return word or (None if verdict is None else word)

    def _boundaries(self, most: int) -> Iterator[Boundary]:
        """The places where the text may end with so many held characters at most, from that of what was released."""
        count, characters = self.released, 0
        yield Boundary(count, characters)
        for held in self._trail:
            count += 1
            characters += held.size
            if characters > most:
                break
            if held.is_whole:
                yield Boundary(count, characters)

    def _last_within(self, characters: int) -> Boundary:
        """The last of these places."""
        return max(self._boundaries(characters))

    def _release(self, tokens: int) -> str:
        """Release the text up to so many tokens of the reply."""
        size = 0
        for _ in range(tokens - self.released):
            held = self._trail.popleft()
            self.last = held.token, held.state
            size += held.size
        text, self._held = self._held[:size], self._held[size:]
        self.released = tokens
        self._final = Boundary(max(tokens, self._final.tokens), max(0, self._final.characters - size))
        if self._end != "any":
            self._before = (self._before + text)[-LOOK_BACK:]
        if self._bans.longest:
            self._story = (self._story + text)[-self._bans.longest :]
        return text


def limits(sampling: Sampling, begun: int) -> tuple[int, int]:
    """How many tokens a reply has at most, and from how many on the end of any word is good enough.

    The first `begun` of them are given.
    """
    more = sampling.length // 2 if sampling.end != "any" else 0
    most = begun + sampling.length + more
    return most, most - more // 4
