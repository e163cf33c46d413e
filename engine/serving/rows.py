"""What runs in a row of the batch: a reply that is written, or a text that is scored.

A row names the next token to feed and gets the result. All of this happens on the engine's thread. Knows no batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Checkpoint, FinishReason, Request, Result
from engine.conversation.reply import Reply
from engine.memory.memory import Memory, mix
from engine.sampling import PENALTY_WINDOW, Sampling, surprisal_nats
from engine.serving.stop import StopFinder
from engine.text.vocabulary import Vocabulary

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


class Row(Protocol):
    """A row of the batch. While `draws`, tokens are sampled for it and it is a `ReplyRow`."""

    owner: Hashable
    next: int  # the token to feed in the next step, while it draws
    draws: bool
    reads_all: bool  # whether it looks at the logits after each token that it is fed without a draw, not the last alone
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
        """The tokens to feed without a draw, while it does not draw."""
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
    """A reply: feeds the pending tokens, then draws until its length, a stop string or a cancellation.

    Where a prompt's last word is `open`, it is drawn first, from the tokens that write it again and those that go on
    with it; its own text is not written a second time. A reply that ends before that has written nothing.

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
        self.left = request.sampling.length  # tokens to write at most
        self._start, self._reply, self._vocabulary = start, reply, vocabulary
        self.open: tuple[int, ...] = ()  # tokens of the prompt that are to be written again
        self._cut = self._reopened = 0  # characters of it that are to be written still, and in all
        self._has_text = False
        settled = start.settled
        self._before = settled[-1] if settled else None  # the token that the reply follows
        self._decoder = vocabulary.decoder(self._before)
        self._whole: tuple[int, Checkpoint] | None = None  # tokens and state at an earlier end of a character
        self._given = np.array(start.pending, np.int32)
        self._unfed, self._to_feed = 0, len(self._given) - 1 - start.reopened  # where they begin and end
        self.announce = reply.announce  # wakes the reader, if there is anything to read
        reply.feeding = lambda: self._unfed / max(1, len(self._given))
        self._recent = request.recent
        self.memory, self._said = request.memory, request.said
        self.reads_all = self.memory is not None and self._said > 0
        self.counts_all = request.sampling.memory == "all"  # also what is drawn
        if self.memory is not None and not len(self.memory) and settled:
            self.memory.add(settled[0], is_counted=True)  # the story's first token
        self._tokens: list[int] = []
        self._prompt_end: Checkpoint | None = None
        self._stops = StopFinder(request.sampling.stop) if request.sampling.stop else None
        self.next = -1
        self.is_done = self._advance(start.state)

    @property
    def is_cancelled(self) -> bool:
        return self._reply.is_cancelled

    @property
    def is_ahead(self) -> bool:
        return self._reply.is_ahead

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was written yet."""
        return not self._tokens

    @property
    def recent(self) -> tuple[int, ...]:
        """The latest tokens, oldest first, as many as the repetition penalty looks at."""
        return (*self._recent, *self._tokens[-PENALTY_WINDOW:])[-PENALTY_WINDOW:]

    def suspend(self, state: Floats) -> None:
        self.state = state.copy()
        self._reply.announce()

    def park(self, state: Floats) -> None:
        """The row leaves the batch until its reader has caught up."""
        self._reply.is_parked = True
        self.suspend(state)

    def unpark(self) -> None:
        """The row comes back into the queue."""
        self._reply.is_parked = False

    @property
    def unread(self) -> Ids:
        return self._given[self._unfed : self._to_feed]

    def _advance(self, state: Floats) -> bool:
        """Begin to draw once all is fed; True if nothing is to be fed or written."""
        if self._unfed < self._to_feed:
            return False
        self._keep_weights()
        last = tuple(self._given[max(0, self._to_feed) :].tolist())
        self._prompt_end = replace(self._start, source=state.copy(), pending=last, offset=self.offset)
        if not self.left or not last:
            return True
        self.next, self.open = last[0], last[1:]
        self._cut = self._reopened = len(self._vocabulary.decode(self.open))
        self.draws = True
        return False

    def observe(self, count: int, logits: Floats, state: Floats) -> bool:
        begin, self._unfed = self._unfed, self._unfed + count
        if self.memory is not None:
            for place in range(begin, self._unfed):
                token, is_said = int(self._given[place + 1]), self._to_feed - place <= self._said
                if is_said:  # of what was typed, the weights learn, too
                    mix(logits[place - begin][None], [self.memory]).learn([self.memory], [token])
                self.memory.add(token, is_counted=is_said or self.counts_all)
        return self._advance(state)

    def _keep_weights(self) -> None:
        """Have checkpoints from now on know what the memory has learned."""
        if self.memory is not None:
            self._start = replace(self._start, weights=self.memory.weights)

    @property
    def continuing(self) -> list[int]:
        """The tokens that may be drawn next while a word is open."""
        return self._vocabulary.continuing(self.open)

    def take(self, tokens: list[int], state: Floats) -> bool:
        """Tokens were drawn, `state [S]` being that before the last is fed. True when the reply is done.

        With stop strings, and while a word is open, the tokens come one by one.
        """
        if not tokens:
            return False
        self._tokens += tokens
        self.next = tokens[-1]
        self.offset += len(tokens)
        self.left -= len(tokens)
        if self.open:
            self.open = self.open[1:] if self.next == self.open[0] else ()
        piece = self._decoder.add(tokens)
        if self._cut:
            piece, self._cut = piece[self._cut :], max(0, self._cut - len(piece))
        self._has_text = self._has_text or bool(piece)
        if self._stops is not None:
            piece = self._stops.add(self.next, piece, state, self._tail == 0)
        if piece:
            self._reply.push(piece)
        if self._vocabulary.may_split and not self._tail:
            self._whole = len(self._tokens), self._checkpoint_after(self.next, state, self.offset)
        if self._stops is not None and self._stops.found:
            return True
        return self.left <= 0 and len(self._tokens) > self._tail

    @property
    def _tail(self) -> int:
        """How many of the latest tokens are no text yet: they end within a character, or write the prompt's word."""
        return len(self._tokens) if self._reopened and not self._has_text else self._decoder.tail

    def end(self, state: Floats, reason: FinishReason) -> None:
        end, text_tokens = self._end_checkpoint(state), self._tokens
        if self._stops is not None and self._stops.found:
            reason = "stop"
            text_tokens = self._tokens[: len(self._tokens) - self._stops.held_tokens]
        else:
            text_tokens = self._tokens[: len(self._tokens) - self._tail]
            if self._stops is not None and self._stops.held:
                self._reply.push(self._stops.held)
        if self._reopened and not text_tokens:
            text_tokens = list(end.open)  # the word is open still
        text = self._vocabulary.decode(text_tokens, self._before)[self._reopened :]
        self._reply.finish(Result(self._prompt_end or end, tuple(text_tokens), text, end, reason))

    def fail(self, error: Exception) -> None:
        self._reply.fail(error)

    def _end_checkpoint(self, state: Floats) -> Checkpoint:
        """The checkpoint at the end of the text, `state` being before the next token is fed."""
        if self._prompt_end is None:  # stopped before the prompt was fed
            self._keep_weights()
            unfed = tuple(self._given[self._unfed :].tolist())
            return replace(self._start, source=state.copy(), pending=unfed)
        if not self._tokens:
            return self._prompt_end
        offset = self.offset
        if self._stops is not None and self._stops.found:
            if self._stops.last is None:
                return replace(self._prompt_end, offset=offset)
            token, state = self._stops.last
            return self._checkpoint_after(token, state, offset)
        if self._tail:
            return self._whole_checkpoint(offset - self._tail)
        return self._checkpoint_after(self._tokens[-1], state, offset)

    def _checkpoint_after(self, token: int, state: Floats, offset: int) -> Checkpoint:
        return replace(self._start, source=state.copy(), pending=(token,), offset=offset, reopened=0)

    def _whole_checkpoint(self, offset: int) -> Checkpoint:
        """The end of the last whole character: an earlier checkpoint, with the tokens after it as pending ones."""
        count, earlier = self._whole or (0, self._prompt_end or self._start)
        fed_again = tuple(self._tokens[count : len(self._tokens) - self._tail])
        if not fed_again:
            return replace(earlier, offset=offset)
        return replace(earlier, pending=earlier.settled + fed_again, offset=offset, reopened=0)


class ScoringRow:
    """A text that is scored: keeps the surprisal of each token but the first, and the logits after the last.

    With a `memory`, which is at the first token and goes along, it keeps the surprisals of the mixed ones, too. Of the
    last `said` tokens (None for all) the memory's weights learn. It `counts` these ("mine"), "all", or "none".
    """

    draws = is_done = is_ahead = False
    next, reads_all = -1, True

    def __init__(
        self,
        ids: NDArray[np.int32],
        state: Floats,
        done: Callable[[Exception | None], None],
        memory: Memory | None = None,
        said: int | None = None,
        counts: str = "all",
    ) -> None:
        self.state = state
        self.owner: Hashable = self  # nobody's but its own
        self.is_cancelled = False
        self.logits: Floats = np.zeros(0, np.float32)
        self._ids, self._fed, self._done = ids, 0, done
        self._memory, self._said, self._counts = memory, len(ids) if said is None else said, counts
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
        if self._memory is not None:
            self._remember(self._memory, begin + 1, followed, logits)
        if self._fed < len(self._ids):
            return False
        self.logits = logits[-1].copy()
        return True

    def _remember(self, memory: Memory, begin: int, ids: Ids, logits: Floats) -> None:
        """Mix and count the tokens from the place `begin` on, each of which follows one of the logits."""
        for place, (token, row) in enumerate(zip(ids.tolist(), logits, strict=False), begin):
            is_said = len(self._ids) - place <= self._said
            if is_said:
                mixture = mix(row[None], [memory])
                self.mixed_nats.append(float(surprisal_nats(mixture.logits, self._ids[place : place + 1])[0]))
                mixture.learn([memory], [token])
            memory.add(token, is_counted=self._counts == "all" or (is_said and self._counts == "mine"))

    def suspend(self, state: Floats) -> None:
        self.state = state.copy()

    def end(self, state: Floats, reason: FinishReason) -> None:
        self._done(None)

    def fail(self, error: Exception) -> None:
        self._done(error)
