"""The running rows as arrays: steps them together and draws a token for each that writes. Knows no thread.

Rows get what they drew every few milliseconds, not at each step: after a step the network's weights have pushed Python
out of the processor's caches, and nobody reads faster. Before rows change, or are asked where they are, they get it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.memory.memory import Counted, count, mix
from engine.model.step import Ids, Logits, State, StepFunction
from engine.sampling import PENALTY_WINDOW, Sampler, uniforms
from engine.serving.rows import ReplyRow, Row

ANNOUNCE_SECONDS, ANNOUNCE_SECONDS_A_ROW = 0.004, 0.0004  # readers are woken this often: waking costs a switch
FEEDING_SHARE = 0.5  # of a step's time, spent after it on those rows alone that are still fed
OVERLAP_ROWS = 8  # with a memory: so many look up their counts while the network's step runs
NUMBERS_AHEAD = 32  # random numbers made at once for each row, and the most tokens handed over at once


class Batch:
    """The states `[B, S]` of the running rows, whose list is shared with the scheduler that changes it.

    Tokens with the ids `unwritten` are never drawn.
    """

    def __init__(self, step_function: StepFunction, unwritten: Sequence[int], rows: list[Row]) -> None:
        self._rows = rows
        self.states: State = np.zeros((0, step_function.state_size), np.float32)  # before `ids` are fed
        self._ids: Ids = np.zeros(0, np.int32)  # the tokens to feed next
        self._step_function, self._unwritten = step_function, unwritten
        self._drawing: Drawing | None = None  # None when other rows draw than before
        self._helper = ThreadPoolExecutor(1, "engine-step")  # has no thread until it is needed
        self._announced = 0.0
        self.written = 0  # tokens, in all

    def join(self) -> None:
        """Add the rows that were appended to the list."""
        new = [row.state for row in self._rows[len(self.states) :]]
        self._change(np.concatenate([self.states, np.stack(new)]))

    def keep(self, indices: list[int]) -> None:
        """Only the rows that stood at these indices are left, in this order."""
        self._change(self.states[indices])

    def close(self) -> None:
        """End the helper's thread."""
        self._helper.shutdown()

    def put_states_back(self) -> None:
        """Give each row its state."""
        for row, state in zip(self._rows, self.states, strict=False):  # new ones may still have their own
            row.state = state

    def _change(self, states: State) -> None:
        self.hand_over()  # in the old states
        self.states, self._drawing = states, None
        self._ids = np.array([row.next for row in self._rows], np.int32)

    def step(self) -> list[int]:
        """Feed each row a token, and the rows that do not draw yet some more; returns the indices of finished rows."""
        began = time.monotonic()
        if self._drawing is not None and self._drawing.may_overlap:
            running = self._helper.submit(self._step_function, self._ids, self.states)
            self._drawing.look_up(self._step_function.vocabulary_size)
            logits, self.states = running.result()
        else:
            logits, self.states = self._step_function(self._ids, self.states)
        if self._drawing is None:
            self._drawing = Drawing(self._rows, self._unwritten)
        drawing = self._drawing
        finished = self._draw(drawing, logits) if drawing.indices else []
        if drawing.others:
            others, last = self._observe(drawing.others, logits[drawing.others])
            finished += last
            if drawing.indices:
                finished += self._feed(others, began)
        return finished

    def hand_over(self) -> list[int]:
        """Give the rows what they drew; returns the indices of finished rows."""
        drawing = self._drawing
        if drawing is None:
            return []
        finished = [
            index
            for index, row, tokens in zip(drawing.indices, drawing.rows, drawing.take_drawn(), strict=True)
            if row.take(tokens, self.states[index])
        ]
        if drawing.is_watched:
            self._move(drawing)
        return finished

    def _move(self, drawing: Drawing) -> None:
        """Feed rows that went back from where they are now."""
        for index, row in zip(drawing.indices, drawing.rows, strict=True):
            if (moved := row.moved()) is not None:
                self._ids[index], self.states[index] = moved
                self._drawing = None

    def _draw(self, drawing: Drawing, logits: Logits) -> list[int]:
        if drawing.others:
            tokens = drawing.draw(logits[drawing.indices])
            self._ids[drawing.indices] = tokens
        else:
            self._ids = tokens = drawing.draw(logits)
        self.written += len(drawing.indices)
        now = time.monotonic()
        is_time = now - self._announced >= ANNOUNCE_SECONDS + ANNOUNCE_SECONDS_A_ROW * len(self._rows)
        fresh = drawing.take_fresh()
        finished = self.hand_over() if is_time or fresh or drawing.is_due else []
        if is_time:
            self._announced = now
        for row in drawing.rows if is_time else fresh:
            row.announce()
        return finished

    def _feed(self, indices: list[int], began: float) -> list[int]:
        """Feed some rows on without the others, for a share of the time since `began`."""
        now, finished = time.monotonic(), list[int]()
        deadline = now + FEEDING_SHARE * (now - began)
        while indices and now < deadline:
            logits, self.states[indices] = self._step_function(self._ids[indices], self.states[indices])
            indices, last = self._observe(indices, logits)
            finished += last
            now = time.monotonic()
        return finished

    def _observe(self, indices: list[int], logits: Logits) -> tuple[list[int], list[int]]:
        """Give rows their `logits [len(indices), V]`; returns the indices of those to feed on, and of finished ones."""
        going_on, finished = [], []
        for index, row_logits in zip(indices, logits, strict=True):
            row = self._rows[index]
            if row.observe(row_logits, self.states[index]):
                finished.append(index)
                continue
            self._ids[index] = row.next
            if not row.draws:
                going_on.append(index)
            elif self._drawing is not None:
                self.hand_over()
                self._drawing = None
        return going_on, finished


class Drawing:
    """The rows that draw, while they stay the same: their settings and numbers as arrays, and what they drew."""

    def __init__(self, rows: Sequence[Row], unwritten: Sequence[int]) -> None:
        self.indices = [index for index, row in enumerate(rows) if row.draws]
        self.others = [index for index, row in enumerate(rows) if not row.draws]
        self.rows = cast(list[ReplyRow], [rows[index] for index in self.indices])
        self.left = min((row.left for row in self.rows), default=0)  # tokens until the first of them is done
        self.is_watched = any(row.is_watched for row in self.rows)  # at any token
        self._fresh = [row for row in self.rows if row.is_fresh]
        self._limited = [(place, row) for place, row in enumerate(self.rows) if row.is_limited]
        self._memories = Memories(self.rows) if any(row.memory is not None for row in self.rows) else None
        self._sampler = Sampler([row.sampling for row in self.rows], unwritten)
        self._recent = [
            deque(row.recent if row.sampling.repetition_penalty > 1 else (), PENALTY_WINDOW) for row in self.rows
        ]
        self._keys = [row.key for row in self.rows]
        self._offsets = [row.offset for row in self.rows]
        self._count = 0
        self._numbers = np.zeros((0, 0))
        self._drawn: list[Ids] = []

    def draw(self, logits: Logits) -> Ids:
        """A token a row, from `logits [B, V]`."""
        number = self._count % NUMBERS_AHEAD
        if number == 0:
            offsets = [offset + self._count for offset in self._offsets]
            self._numbers = np.ascontiguousarray(uniforms(self._keys, offsets, NUMBERS_AHEAD).T)
        if self._memories is not None:
            logits = self._memories.mixed(logits)
        if self._limited:
            logits = self._limit(logits)
        tokens = self._sampler(logits, self._numbers[number], self._recent).astype(np.int32)
        for row, _ in self._sampler.penalized:
            self._recent[row].append(int(tokens[row]))
        if self._memories is not None:
            self._memories.drawn = tokens
        self._drawn.append(tokens)
        self._count += 1
        self.left -= 1
        return tokens

    def _limit(self, logits: Logits) -> Logits:
        """The logits with only the tokens that may come next, for rows that cannot draw just any."""
        self._limited = [(place, row) for place, row in self._limited if row.is_limited]
        logits = logits.copy()
        for place, row in self._limited:
            logits[place] = row.limited(logits[place])
        return logits

    @property
    def is_due(self) -> bool:
        """Whether to hand over now: a row is or may be done, its next token depends on this one, or numbers run out."""
        return self.left <= 0 or self.is_watched or bool(self._limited) or self._count % NUMBERS_AHEAD == 0

    def take_fresh(self) -> list[ReplyRow]:
        """The rows that wrote their first token just now."""
        fresh, self._fresh = self._fresh, []
        return fresh

    @property
    def may_overlap(self) -> bool:
        """Whether the memories have enough to do for a thread of their own."""
        return self._memories is not None and len(self._memories.memories) >= OVERLAP_ROWS

    def look_up(self, size: int) -> None:
        """Have the memories do what needs no logits; the vocabulary has this size."""
        if self._memories is not None:
            self._memories.look_up(size)

    def take_drawn(self) -> list[list[int]]:
        """What each row drew since the last time."""
        if self._memories is not None:
            self._memories.take_up()
        drawn, self._drawn = self._drawn, []
        tokens: NDArray[np.int32] = np.array(drawn, np.int32).reshape(len(drawn), len(self.rows))
        return cast(list[list[int]], tokens.T.tolist())


class Memories:
    """The memories of the rows that have one, and what was `drawn [B]` for all rows but is not taken up yet."""

    def __init__(self, rows: Sequence[ReplyRow]) -> None:
        self._places = [place for place, row in enumerate(rows) if row.memory is not None]
        self._is_all = len(self._places) == len(rows)
        self._counts_all = [rows[place].counts_all for place in self._places]
        self.memories = [row.memory for row in rows if row.memory is not None]
        self.drawn: Ids | None = None
        self._counted: Counted | None = None

    def look_up(self, size: int) -> None:
        """Count what needs no logits."""
        self.take_up()
        self._counted = count(self.memories, size)

    def take_up(self) -> None:
        """Have the memories go on with what was drawn."""
        if self.drawn is not None:
            tokens, self.drawn = self.drawn[self._places].tolist(), None
            for memory, token, is_counted in zip(self.memories, tokens, self._counts_all, strict=True):
                memory.add(token, is_counted=is_counted)

    def mixed(self, logits: Logits) -> Logits:
        """The logits `[B, V]` with what the memories know mixed in."""
        self.take_up()
        counted, self._counted = self._counted, None
        if self._is_all:
            return mix(logits, self.memories, counted).logits.astype(np.float32)
        logits = logits.copy()
        logits[self._places] = mix(logits[self._places], self.memories, counted).logits
        return logits
