"""The running rows as arrays: draws tokens for those that write, and reads what the others are given. Knows no thread.

Where the step function draws itself, it does so some times before it comes back: once at first, for words to come at
once, and then for as long as no reader notices. Rows get what they drew every few milliseconds, not at each step: after
a step the network's weights have pushed Python out of the processor's caches, and nobody reads faster. Before rows
change, or are asked where they are, they get it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.memory.memory import Counted, count, mix
from engine.model.step import BlockStep, Ids, Logits, State, StepFunction, read_one_by_one
from engine.sampling import PENALTY_WINDOW, Draws, Sampler, uniforms, xtc_key
from engine.serving.rows import ReplyRow, Row

ANNOUNCE_SECONDS, ANNOUNCE_SECONDS_A_ROW = 0.004, 0.0004  # readers are woken this often: waking costs a switch
WRITE_SECONDS = 0.004  # of one call of the step function: a reply that comes in waits no longer
READ_SECONDS = 0.008  # the same where nobody writes
READING_SHARE = 0.5  # of the time that writing takes, given to reading beside it; it may be taken in advance
FEWEST_READ = 16  # tokens that are worth a call
OVERLAP_ROWS = 8  # with a memory: so many look up their counts while the network's step runs
NUMBERS_AHEAD = 32  # random numbers made at once for each row, and the most tokens handed over at once


class Batch:
    """The states `[B, S]` of the running rows, whose list is shared with the scheduler that changes it.

    Tokens with the ids `unwritten` are never drawn.
    """

    def __init__(self, step_function: StepFunction, unwritten: Sequence[int], rows: list[Row]) -> None:
        self._rows = rows
        self.states: State = np.zeros((0, step_function.state_size), np.float32)  # before `ids` are fed
        self._ids: Ids = np.zeros(0, np.int32)  # the tokens to feed next, of rows that draw
        self._step_function, self._unwritten = step_function, unwritten
        self._block_step = step_function if isinstance(step_function, BlockStep) else None
        self._drawing: Drawing | None = None  # None when other rows draw than before
        self._ahead = 1  # how many tokens the step function draws in its next call
        self._token_seconds = READ_SECONDS / FEWEST_READ  # what reading one took
        self._saved = 0.0  # seconds that reading may take now; below zero where it took more
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

    def step(self) -> tuple[list[int], int]:
        """Draw for the rows that write, and feed the others; returns the indices of finished rows, and how many steps
        those that write took."""
        began = time.monotonic()
        if self._drawing is None:
            self._drawing = Drawing(self._rows, self._unwritten)
            self._ids = np.array([row.next for row in self._rows], np.int32)
            self._ahead, self._saved = 1, READ_SECONDS
        drawing, finished, steps = self._drawing, list[int](), 0
        if drawing.indices:
            steps = self._draw(drawing, began)
            finished = self._pass_on(drawing)
        if drawing.others:
            seconds = time.monotonic() - began
            self._saved = min(READ_SECONDS, self._saved + READING_SHARE * seconds) if drawing.indices else READ_SECONDS
            finished += self._read(drawing.others)
        return finished, steps

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
            if (state := row.moved()) is not None:
                self.states[index], self._drawing = state, None

    def _draw(self, drawing: Drawing, began: float) -> int:
        """Draw for the rows that write; returns how many tokens each."""
        is_whole = not drawing.others
        ids, states = (self._ids, self.states) if is_whole else (
            self._ids[drawing.indices], self.states[drawing.indices]
        )  # fmt: skip
        if drawing.is_plain and self._block_step is not None:
            tokens, states = self._block_step.write(ids, states, drawing.draws(self._ahead, self._step_function))
            drawing.drew(tokens)
        else:
            if drawing.may_overlap:
                running = self._helper.submit(self._step_function, ids, states)
                drawing.look_up(self._step_function.vocabulary_size)
                logits, states = running.result()
            else:
                logits, states = self._step_function(ids, states)
            tokens = drawing.draw(logits)[None]
        if is_whole:
            self._ids, self.states = tokens[-1], states
        else:
            self._ids[drawing.indices], self.states[drawing.indices] = tokens[-1], states
        count, seconds = len(tokens), max(1e-6, time.monotonic() - began)
        self._ahead = max(1, min(2 * count, int(count * WRITE_SECONDS / seconds)))
        self.written += tokens.size
        return count

    def _pass_on(self, drawing: Drawing) -> list[int]:
        """Give rows what they drew if it is time, and wake their readers; returns the indices of finished rows."""
        now = time.monotonic()
        is_time = now - self._announced >= ANNOUNCE_SECONDS + ANNOUNCE_SECONDS_A_ROW * len(self._rows)
        fresh = drawing.take_fresh()
        finished = self.hand_over() if is_time or fresh or drawing.is_due else []
        if is_time:
            self._announced = now
        for row in drawing.rows if is_time else fresh:
            row.announce()
        return finished

    def _read(self, indices: list[int]) -> list[int]:
        """Feed the rows that do not write yet for the time that was saved; returns the indices of finished ones."""
        finished = list[int]()
        while indices and self._saved > 0:
            rows, began = [self._rows[index] for index in indices], time.monotonic()
            most = max(FEWEST_READ, int(self._saved / self._token_seconds))
            count = min(most, *(len(row.unread) for row in rows))
            begin = 0 if any(row.reads_all for row in rows) else count - 1
            ids = np.stack([row.unread[:count] for row in rows], axis=1)
            if self._block_step is not None:
                logits, states = self._block_step.read(ids, self.states[indices], begin)
            else:
                logits, states = read_one_by_one(self._step_function, ids, self.states[indices], begin)
            self.states[indices] = states
            going_on = []
            for place, (index, row) in enumerate(zip(indices, rows, strict=True)):
                if row.observe(count, logits[:, place], states[place]):
                    finished.append(index)
                elif not row.draws:
                    going_on.append(index)
                elif self._drawing is not None:
                    self.hand_over()
                    self._drawing = None
            indices, seconds = going_on, time.monotonic() - began
            if count >= FEWEST_READ:  # fewer take another way, and longer
                self._token_seconds = seconds / count
            self._saved -= seconds
        return finished


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
        self._numbers = self._others = np.zeros((0, 0))
        self._other_keys = [xtc_key(key) for key in self._keys] if self._sampler.excluding else []
        self._draws: Draws | None = None  # of the step function, but for the numbers
        self._drawn: list[Ids] = []

    @property
    def is_plain(self) -> bool:
        """Whether the logits are all that the next tokens depend on, so that many can be drawn at once."""
        return self._sampler.is_plain and not (self.is_watched or self._limited or self._memories)

    def draws(self, most: int, step_function: StepFunction) -> Draws:
        """What the step function needs to draw so many tokens a row, or as many as all rows want, but one at least: a
        reply goes on to the end of a character."""
        numbers = self._numbers_on()[: max(1, min(most, self.left))]
        if self._draws is None:
            self._draws = self._sampler.draws(numbers, step_function.vocabulary_size)
        return replace(self._draws, numbers=numbers)

    def _numbers_on(self) -> NDArray[np.float64]:
        """The random numbers of the next tokens `[N, B]`."""
        number = self._count % NUMBERS_AHEAD
        if number == 0:
            offsets = [offset + self._count for offset in self._offsets]
            self._numbers = np.ascontiguousarray(uniforms(self._keys, offsets, NUMBERS_AHEAD).T)
            if self._other_keys:
                self._others = np.ascontiguousarray(uniforms(self._other_keys, offsets, NUMBERS_AHEAD).T)
        return self._numbers[number:]

    def drew(self, tokens: Ids) -> None:
        """The step function drew `tokens [N, B]`."""
        self._drawn.append(tokens)
        self._count += len(tokens)
        self.left -= len(tokens)

    def draw(self, logits: Logits) -> Ids:
        """A token a row, from `logits [B, V]`."""
        numbers = self._numbers_on()[0]
        if self._memories is not None:
            logits = self._memories.mixed(logits)
        if self._limited:
            logits = self._limit(logits)
        others = self._others[self._count % NUMBERS_AHEAD] if self._other_keys else ()
        tokens = self._sampler(logits, numbers, self._recent, others).astype(np.int32)
        for row, _ in self._sampler.penalized:
            self._recent[row].append(int(tokens[row]))
        if self._memories is not None:
            self._memories.drawn = tokens
        self.drew(tokens[None])
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
        if not self._drawn:
            return [[] for _ in self.rows]
        tokens, self._drawn = np.concatenate(self._drawn), []
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
