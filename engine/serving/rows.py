"""What runs in a row of the batch: a reply that is written, or a text that is scored.

A row names the next token to feed and gets the result. All of this happens on the engine's thread. Knows no batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Checkpoint, FinishReason, Request, Result
from engine.conversation.drawn import Drawn
from engine.conversation.reply import Reply
from engine.memory.memory import Memory, mix
from engine.sampling import PENALTY_WINDOW, Sampling, only, surprisal_nats
from engine.serving.feed import Feed
from engine.serving.shaping import Shaping
from engine.serving.watch import MAX_TAIL, Watch, limits
from engine.text.ends import LOOK_BACK
from engine.text.vocabulary import Vocabulary

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Logits = NDArray[np.float32] | NDArray[np.float64]


class Row(Protocol):
    """A row of the batch. While `draws`, tokens are sampled for it and it is a `ReplyRow`."""

    owner: Hashable
    next: int  # the token to feed in the next step, while it draws
    draws: bool
    reads_all: bool  # whether it looks at the logits after each of `unread`, not after the last alone
    is_done: bool  # before the first step
    state: Floats  # to begin with, or to go on with

    @property
    def is_cancelled(self) -> bool: ...

    @property
    def is_ahead(self) -> bool:
        """Whether it pauses until its reader has caught up."""
        ...

    @property
    def unread(self) -> Ids:
        """The tokens to feed without a draw, at least one while it does not draw."""
        ...

    def observe(self, count: int, logits: Floats, state: Floats) -> bool:
        """So many of these were fed. `logits [N, V]` are those after the last of them, or after each if it `reads_all`,
        and `state [S]` is that after the last (views). True when the row is done."""
        ...

    def suspend(self, state: Floats) -> None:
        """The row leaves the batch for a while, its last state being `state`."""
        ...

    def end(self, state: Floats, reason: FinishReason) -> None:
        """The row leaves the batch, its last state being `state`."""
        ...

    def fail(self, error: Exception) -> None:
        """The engine cannot go on."""
        ...


class ReplyRow:
    """A reply: feeds the pending tokens, then draws until its length and the end that was asked for, a stop string or a
    cancellation.

    Where a prompt's last word is open, it is drawn first, from the tokens that write it again and those that go on
    with it; its own text is not written a second time. A reply that ends before that has written nothing.

    A branch has the tokens it is `begun` with: they are fed, not drawn, and each takes the place of a random number.

    Its text has whole characters only. A reply that ends within a character takes back that character's tokens and
    their random numbers, so that going on draws the same again. A reply too short for one character goes on until it
    has one.
    """

    def __init__(self, request: Request, vocabulary: Vocabulary, reply: Reply) -> None:
        start = request.start
        self.state = start.state
        self.owner = request.owner
        self.sampling: Sampling = request.sampling
        self.key, self.offset = start.key, start.offset  # of its random numbers
        self.draws = False
        self._begun = deque(request.begun)  # tokens to take before any is drawn
        self._given = len(request.begun)
        self.left = self._given + self.sampling.length  # tokens to write before it may end
        self.memory, self.counts_all = request.memory, self.sampling.memory == "all"  # also what is drawn
        self.reply = reply
        self._start, self._vocabulary = start, vocabulary
        self.announce = reply.announce  # wakes the reader, if there is anything to read
        self._feed = feed = Feed(request)
        self.reads_all = feed.reads_all
        reply.feeding = lambda: feed.share
        self._drawn = Drawn(vocabulary, start.settled[-1] if start.settled else None, start.open)
        self._recent = request.recent
        self._length = self.left
        self._limit, _ = limits(self.sampling, self._given)
        self._watch = None
        if self.is_watched:
            story = vocabulary.decode((*request.recent, *start.open)) if self.sampling.ban else ""
            self._watch = Watch(self.sampling, self._given, story)
        self._latest = ""  # text, for the watch that begins once the reply has its length
        shapes = self.sampling.bias or self.sampling.dry_multiplier
        self._shaping = Shaping(vocabulary, self.sampling) if shapes else None
        self._refused: dict[int, set[int]] = {}  # after so many tokens, those that would begin a banned phrase
        self._moved: Floats | None = None
        self._is_stuck = False
        self._known: tuple[int, Checkpoint] | None = None  # a checkpoint of whole text, after so many tokens
        self._prompt_end: Checkpoint | None = None
        self.next = -1
        self.is_done = self._advance(start.state)

    @property
    def is_watched(self) -> bool:
        """Whether it has to see every token at once, from the first on."""
        return bool(self.sampling.stop or self.sampling.ban)

    @property
    def is_cancelled(self) -> bool:
        return self.reply.is_cancelled

    @property
    def is_ahead(self) -> bool:
        return self.reply.is_ahead

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was written yet."""
        return not self._drawn.tokens

    @property
    def recent(self) -> tuple[int, ...]:
        """The latest tokens, oldest first, as many as the repetition penalty looks at."""
        return (*self._recent, *self._drawn.tokens[-PENALTY_WINDOW:])[-PENALTY_WINDOW:]

    @property
    def is_limited(self) -> bool:
        """Whether the next token is not drawn from the logits as they are."""
        return self._shaping is not None or bool(self._drawn.open) or len(self._drawn.tokens) in self._refused

    def limited(self, logits: Floats) -> Floats:
        """The logits `[V]` that the next token is drawn from."""
        if self._shaping is not None:
            logits = self._shaping(logits, self._recent, self._drawn.tokens)
        logits = only(logits, self._drawn.continuing) if self._drawn.open else logits.copy()
        logits[list(self._refused.get(len(self._drawn.tokens), ()))] = -np.inf
        return logits

    def suspend(self, state: Floats) -> None:
        self.state = state.copy()
        self.reply.announce()

    @property
    def unread(self) -> Ids:
        if self._prompt_end is None:
            return self._feed.unread
        one_by_one = self.is_watched or self.is_limited
        return np.array([self.next] if one_by_one else [self.next, *list(self._begun)[:-1]], np.int32)

    def _advance(self, state: Floats) -> bool:
        """Go on from the prompt once it is fed; True if nothing is to be fed or written."""
        if len(self._feed.unread):
            return False
        last = self._feed.left
        if self.memory is not None:  # checkpoints from now on know what it has learned
            self._start = replace(self._start, weights=self.memory.weights)
        self._prompt_end = replace(self._start, source=state.copy(), pending=(*last, *self._start.open))
        if not self.left or not (last or self._begun):
            return True
        if not last:
            return self._begin(1, state)
        self.next, self.draws = last[0], not self._begun
        return False

    def observe(self, count: int, logits: Floats, state: Floats) -> bool:
        if self._prompt_end is not None:
            return self._begin(count, state)
        self._feed.observe(count, logits)
        return self._advance(state)

    def _begin(self, count: int, state: Floats) -> bool:
        """Take the next of the tokens that were given, as if they had been drawn."""
        tokens = [self._begun.popleft() for _ in range(count)]
        if self.memory is not None:
            for token in tokens:
                self.memory.add(token, is_counted=self.counts_all)
        self.draws = not self._begun
        return self.take(tokens, state)

    def take(self, tokens: list[int], state: Floats) -> bool:
        """Tokens were drawn, `state [S]` being that before the last is fed. True when the reply is done.

        The tokens come one by one where the row `is_watched` or `is_limited`, and once it has its length.
        """
        if not tokens:
            return False
        drawn = self._drawn
        piece = drawn.add(tokens)
        self.next = tokens[-1]
        self.offset += len(tokens)
        self.left -= len(tokens)
        if self._watch is not None:
            self._push(self._watch.add(self.next, piece, state, not drawn.tail))
            return self._watch.kept is not None if self._watch.back is None else self._go_back(self._watch)
        self._push(piece)
        if not drawn.tail and (self._vocabulary.may_split or self.left <= 0):
            self._known = len(drawn.tokens), _after(self._start, self.next, state, self.offset)
        count = len(drawn.tokens) - drawn.tail
        if self.left > 0 or not count:
            return len(drawn.tokens) > self._length + MAX_TAIL
        if self._limit == self._length or len(drawn.tokens) >= self._limit:
            return True
        if not drawn.tail:
            self._watch = Watch(self.sampling, self._given, "", count, self._latest)
        return False

    def _go_back(self, watch: Watch) -> bool:
        """Go back to before a banned phrase, and never take its first token there again. True if none is left."""
        place, drawn, ended = watch.back or 0, self._drawn, self._prompt_end or self._start
        self._refused = {at: tokens for at, tokens in self._refused.items() if watch.released <= at <= place}
        refused = self._refused.setdefault(place, set())
        refused.add(drawn.tokens[place])
        gone = len(drawn.tokens) - place
        self.offset -= gone
        self.left += gone
        drawn.back(place, watch.released)
        if self.memory is not None:
            self.memory.rewind(len(self.memory) - gone)
        self.next, self._moved = watch.go_back() or (ended.settled[-1], ended.state)
        self.state = self._moved
        may = drawn.continuing if drawn.open else range(len(self._vocabulary))
        self._is_stuck = refused.union(self._vocabulary.never_written).issuperset(may)
        return self._is_stuck

    def moved(self) -> Floats | None:
        """The state before the next token is fed, where the row has just gone back to it."""
        moved, self._moved = self._moved, None
        return moved

    def _push(self, piece: str) -> None:
        if piece:
            self.reply.push(piece)
            if self.sampling.end != "any":
                self._latest = (self._latest + piece)[-LOOK_BACK:]

    def end(self, state: Floats, reason: FinishReason) -> None:
        if self._prompt_end is None:  # stopped before the prompt was fed
            weights = self._start.weights if self.memory is None else self.memory.weights
            unfed = (*self._feed.left, *self._start.open)
            end = replace(self._start, source=state.copy(), pending=unfed, weights=weights)
            self.reply.finish(Result(end, (), "", end, reason))
            return
        drawn, watch, offset = self._drawn, self._watch, self.offset
        if watch is None:
            count = len(drawn.tokens) - drawn.tail
            if count and not drawn.tail:
                self._known = count, _after(self._start, self.next, state, offset)
        else:
            if watch.kept is None:
                self._push(watch.finish())
            count = watch.released
            if watch.last is not None:
                self._known = count, _after(self._start, *watch.last, offset)
        if self._is_stuck or (watch is not None and watch.is_stopped):
            reason = "stop"
        if watch is None or not watch.is_stopped or count < self._given:
            offset -= len(drawn.tokens) - count  # going on draws the same again
        end = self._checkpoint_after(count, offset)
        tokens = tuple(drawn.tokens[:count]) or end.open  # the word is open still, if nothing was written
        self.reply.finish(Result(self._prompt_end, tokens, drawn.text(count), end, reason, min(count, self._given)))

    def fail(self, error: Exception) -> None:
        self.reply.fail(error)

    def _checkpoint_after(self, count: int, offset: int) -> Checkpoint:
        """The checkpoint after so many tokens: the known one, with the tokens since then as pending ones."""
        known, earlier = self._known or (0, self._prompt_end or self._start)
        if fed_again := tuple(self._drawn.tokens[known:count]):
            return replace(earlier, pending=earlier.settled + fed_again, offset=offset, reopened=0)
        return replace(earlier, offset=offset)


def _after(start: Checkpoint, token: int, state: Floats, offset: int) -> Checkpoint:
    """The checkpoint after a token, `state` being that before it is fed."""
    return replace(start, source=state.copy(), pending=(token,), offset=offset, reopened=0)


class ScoringRow:
    """A text that is scored: keeps the surprisal of each token but the first, and the logits after the last.

    With a `memory`, which is at the first token and goes along, it keeps the surprisals of the mixed ones, too. Of the
    tokens with the indices `said` (None for all) the memory's weights learn. It `counts` these ("mine"), "all", or
    "none". `look` gets the index of each token but the first, and the logits `[V]` that it is predicted with.
    """

    draws = is_done = is_ahead = False
    next, reads_all = -1, True

    def __init__(
        self,
        ids: NDArray[np.int32],
        state: Floats,
        done: Callable[[Exception | None], None],
        memory: Memory | None = None,
        said: range | None = None,
        counts: str = "all",
        look: Callable[[int, Logits], None] | None = None,
    ) -> None:
        self.state = state
        self.owner: Hashable = self  # nobody's but its own
        self.is_cancelled = False
        self.logits: Floats = np.zeros(0, np.float32)
        self._ids, self._fed, self._done = ids, 0, done
        self._memory, self._said, self._counts = memory, range(len(ids)) if said is None else said, counts
        self._look = look
        self.mixed_nats: list[float] = []
        """`-log p` of every token but the first with the memory, `[N - 1]`; none without one."""
        self._nats: list[NDArray[np.float64]] = []

    @property
    def share(self) -> float:
        """How much was fed, from 0 to 1."""
        return self._fed / len(self._ids)

    @property
    def nats(self) -> NDArray[np.float64]:
        """`-log p` of every token but the first, `[N - 1]`."""
        return np.concatenate(self._nats) if self._nats else np.zeros(0)

    @property
    def unread(self) -> Ids:
        return self._ids[self._fed :]

    def observe(self, count: int, logits: Floats, state: Floats) -> bool:
        begin, self._fed = self._fed, self._fed + count
        followed = self._ids[begin + 1 : self._fed + 1]  # not the last of a text
        self._nats.append(surprisal_nats(logits[: len(followed)], followed))
        if self._memory is not None or self._look is not None:
            for place, row in enumerate(logits[: len(followed)], begin + 1):
                self._see(place, row)
        if self._fed < len(self._ids):
            return False
        self.logits = logits[-1].copy()
        return True

    def _see(self, place: int, logits: Floats) -> None:
        """Mix, show and count the token at a place, which these logits `[V]` predict."""
        memory, is_said, mixture = self._memory, place in self._said, None
        if memory is not None and (is_said or self._look is not None):
            mixture = mix(logits[None], [memory])
        if self._look is not None:
            self._look(place, logits if mixture is None else mixture.logits[0])
        if memory is not None:
            if mixture is not None and is_said:
                self.mixed_nats.append(float(surprisal_nats(mixture.logits, self._ids[place : place + 1])[0]))
                mixture.learn([memory], [int(self._ids[place])])
            memory.add(int(self._ids[place]), is_counted=self._counts == "all" or (is_said and self._counts == "mine"))

    def suspend(self, state: Floats) -> None:
        self.state = state.copy()

    def end(self, state: Floats, reason: FinishReason) -> None:
        self._done(None)

    def fail(self, error: Exception) -> None:
        self._done(error)
