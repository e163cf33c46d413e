"""The engine: one thread that steps all running rows in one batch, and the way to load one.

Its step is: choose, stack, run, sample, deliver. The thread owns the network; conversations and readers only
hand rows in and get pieces of text out.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from engine import model_dir
from engine.batch import Batch
from engine.checkpoint import Checkpoint, FinishReason, Request
from engine.conversation import Conversation
from engine.errors import EngineBusy, EngineClosed, EngineError
from engine.names import visible
from engine.network import read_network
from engine.reply import Reply
from engine.rows import ReplyRow, Row, WatchRow
from engine.sampling import Sampler, Sampling
from engine.scheduler import Scheduler
from engine.steps import Step
from engine.vocabulary import Encoding, Vocabulary

BACKENDS = ("auto", "onnx", "keras")
MAX_WAITING = 4096
MAX_HINT_SECONDS = 30.0  # nobody believes more, and the guess is no better than the last seconds
TELL_SECONDS = 0.1  # from one word on how far a long text was read to the next
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True, slots=True)
class Info:
    """What an engine runs. `state_bytes` is the size of one conversation's state."""

    name: str
    level: str
    cell: str
    units: int
    layers: int
    vocabulary_size: int
    parameters: int
    state_bytes: int
    backend: str
    precision: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What an engine does at a moment: replies that run and that wait, and the tokens it has written in all."""

    running: int
    waiting: int
    tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How surprising a text is. The first token, before which nothing stands, counts as one of V equals.

    `tokens` (ids `[N]`) and `surprisal_bits` (`[N]`) go together; `perplexity` is a token's.
    """

    nats: float
    bits: float
    characters: int
    bits_per_character: float
    perplexity: float
    tokens: NDArray[np.int32]
    surprisal_bits: NDArray[np.float64]


def load(
    path: str | Path | None = None,
    *,
    backend: str = "auto",
    precision: str = "float32",
    max_batch: int = 64,
    threads: int | None = None,
) -> Engine:
    """Load a model directory, a `.keras` file beside its `vocabulary.json`, or a name under `models/`.

    Without a path, the bundled model. `threads` is how many share a step of the ONNX backend; by default as many as
    are fastest on a machine with nothing else to do. Raises `ModelLoadError` that names the file and the mend, and
    `ValueError` for a bad argument.
    """
    for name, value, allowed in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if value not in allowed:
            raise ValueError(f"{name} {value!r}: must be {' or '.join(map(repr, allowed))}")
    if path is not None and not isinstance(path, str | os.PathLike):
        raise ValueError(f"path {path!r}: must be a path or a name")
    if not isinstance(max_batch, int) or max_batch < 1:
        raise ValueError(f"max_batch {max_batch!r}: must be a whole number, at least 1")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads {threads!r}: must be a whole number, at least 1")
    files = model_dir.find(path)
    vocabulary = model_dir.read_vocabulary(files)
    step: Step
    if backend == "keras":
        if precision != "float32":
            raise ValueError(f"precision {precision!r}: the keras backend computes in 'float32'")
        from engine.steps.keras import KerasStep

        step = KerasStep(files.network)
    else:
        from engine.steps.onnx import OnnxStep

        backend, step = "onnx", OnnxStep(read_network(files.network), precision=precision, threads=threads)
    model_dir.check_fit(files, vocabulary, step.vocabulary_size)
    return Engine(visible(files.name), step, vocabulary, backend, max_batch, precision)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


class Engine:
    """A loaded model and the thread that runs it. Close it, or use it as a context manager."""

    def __init__(
        self, name: str, step: Step, vocabulary: Vocabulary, backend: str, max_batch: int, precision: str = "float32"
    ) -> None:
        self.vocabulary = vocabulary
        shape = step.shape
        self.info = Info(
            name, vocabulary.level, shape.cell, shape.units, shape.layers, len(vocabulary), shape.parameters,
            4 * step.state_size, backend, precision,
        )  # fmt: skip
        self.max_waiting = MAX_WAITING
        self._finished: deque[float] = deque(maxlen=256)  # when the latest rows left
        self._step_program = step
        self._scheduler: Scheduler[Row] = Scheduler(max_batch)
        self._batch = Batch(step, vocabulary.banned)
        self._parked: list[ReplyRow] = []  # until their readers have caught up
        # Rows, and None to wake the thread; putting is reentrant, so that a signal handler may do it.
        self._inbox: SimpleQueue[Row | None] = SimpleQueue()
        self._is_closed = self._has_ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def conversation(self, *, sampling: Sampling | None = None, owner: Hashable = None) -> Conversation:
        """A new conversation, with the settings that its replies have by default.

        Where more replies are asked for than fit the batch, owners take turns; without one, each conversation
        is its own.
        """
        return Conversation(self, sampling, owner)

    def score(self, text: str, tell: Callable[[float], None] | None = None) -> Score:
        """How surprising `text` is from a state of zeros. Raises `ValueError` if no character of it is known.

        A long text takes a while: `tell` is told the share that was read, some times a second; what it raises ends it.
        """
        if not isinstance(text, str):
            raise ValueError(f"text {text!r}: must be a str")
        encoding = self.vocabulary.encode(text)
        if not len(encoding.ids):
            raise ValueError(f"text {text[:20]!r}: has nothing that the model knows")
        return self.score_tokens(encoding.ids, encoding.characters, tell)

    def score_tokens(
        self, ids: NDArray[np.int32], characters: int, tell: Callable[[float], None] | None = None
    ) -> Score:
        """The same for a text that is tokens `[N]` already, and the characters that they stand for."""
        nats = np.concatenate([[math.log(len(self.vocabulary))], self._watch(ids, self.zero_state(), tell).nats])
        total = float(nats.sum())
        bits = total / math.log(2)
        return Score(total, bits, characters, bits / characters, _exp(total / len(ids)), ids, nats / math.log(2))

    def activity(self) -> Activity:
        """What goes on now; a rate is the difference of two looks."""
        running = len(self._batch.rows)
        waiting = max(0, len(self._scheduler) + self._inbox.qsize() - running)
        return Activity(running, waiting, self._batch.written)

    @property
    def is_running(self) -> bool:
        """Whether it takes requests: it was not closed, and its thread has not failed."""
        return not self._is_closed and self._failure is None

    def close(self) -> None:
        """End running replies with what they have ("cancelled") and stop the thread. May be called twice."""
        self._is_closed = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What a conversation asks of its runner

    @property
    def name(self) -> str:
        """The model's name."""
        return self.info.name

    @property
    def precision(self) -> str:
        """That of its weights in use: another one gives other words."""
        return self.info.precision

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of weights and vocabulary: states of one model mean nothing to another."""
        digest = hashlib.sha256(json.dumps(self.vocabulary.to_json()).encode())
        digest.update(self._step_program.fingerprint)
        return digest.hexdigest()

    def encode(self, text: str, before: int | None = None) -> Encoding:
        """The ids of a text that follows the token `before`."""
        return self.vocabulary.encode(text, before)

    def start_token(self) -> tuple[int, str]:
        """What a conversation without any text goes on from: its id and its text."""
        return self.vocabulary.start_id, self.vocabulary.decode([self.vocabulary.start_id])

    def zero_state(self) -> NDArray[np.float32]:
        """The state `[S]` before anything was fed."""
        return np.zeros(self._step_program.state_size, np.float32)

    def run(self, request: Request) -> Reply:
        """Queue a reply. Raises `EngineBusy` if `max_waiting` replies wait already, and `EngineClosed`."""
        waiting = len(self._scheduler) + self._inbox.qsize() - self._scheduler.max_batch
        if waiting >= self.max_waiting:
            seconds = min(MAX_HINT_SECONDS, max(1.0, waiting / 4 / self._finish_rate()))  # a quarter has gone then
            raise EngineBusy(f"{waiting:,} replies wait already: try again in about {seconds:.0f} s", seconds)
        reply = Reply(request.unseen, self._wake)
        self._submit(ReplyRow(request, self.vocabulary, reply))
        return reply

    def likeliest(
        self, checkpoint: Checkpoint, n: int, sampling: Sampling | None = None, recent: tuple[int, ...] = ()
    ) -> list[tuple[str, float]]:
        """The `n` likeliest tokens after a checkpoint with their probabilities, likeliest first.

        With `sampling`, the distribution that the next token is drawn from, `recent` tokens being before it.
        """
        logits = self._watch(np.array(checkpoint.pending, np.int32), checkpoint.state).logits
        if sampling is None:
            weights = np.exp(logits.astype(np.float64) - logits.max())
            weights[list(self.vocabulary.unwritten)] = 0  # they stand for no text
            shares = weights / weights.sum()
        else:
            shares = Sampler([sampling], self.vocabulary.banned).probabilities(logits[None], [recent])[0]
        order = np.argsort(-shares, kind="stable")[:n]
        before, show = checkpoint.pending[-1], self.vocabulary.shown
        never = {*self.vocabulary.unwritten}
        shown = (int(i) for i in order if i not in never and (sampling is None or shares[i] > 0))
        return [(show(i, before), float(shares[i])) for i in shown]

    def _watch(
        self, ids: NDArray[np.int32], state: NDArray[np.float32], tell: Callable[[float], None] | None = None
    ) -> WatchRow:
        """Feed some ids in a row of the batch and wait for it."""
        done, errors = threading.Event(), list[Exception]()

        def finished(error: Exception | None) -> None:
            if error is not None:
                errors.append(error)
            done.set()

        row = WatchRow(ids, state, finished)
        self._submit(row)
        try:
            while not done.wait(None if tell is None else TELL_SECONDS):
                if tell is not None:
                    tell(row.share)
        except BaseException:
            row.is_cancelled = True
            self._wake()
            raise
        if errors:
            raise errors[0]
        return row

    def _submit(self, row: Row) -> None:
        if self._failure is not None:
            raise self._failure
        if self._is_closed:
            raise EngineClosed("the engine is closed: load the model again")
        self._inbox.put(row)
        if self._has_ended:  # between the look above and now; nobody else would ever see the row
            self._end_all()

    def _finish_rate(self) -> float:
        """Rows that left in a second, lately; 1 where nothing is known."""
        times = list(self._finished)
        return len(times) / max(1e-3, time.monotonic() - times[0]) if len(times) > 1 else 1.0

    def _wake(self) -> None:
        """Something has changed about a row: it was cancelled, or its reader has caught up."""
        self._inbox.put(None)

    # The engine's thread

    def _run(self) -> None:
        try:
            while self._take_in():
                self._step()
        except Exception as error:  # whatever it was, no reader may wait for ever
            self._failure = EngineError(f"the engine stopped ({type(error).__name__}: {error}): load the model again")
            self._failure.__cause__ = error
        finally:
            if self._failure is None:
                self._batch.hand_over()
            for row, state in zip(self._batch.rows, self._batch.states, strict=True):
                row.state = state
            for row in [*self._scheduler.clear(), *self._parked]:
                self._end(row)
            self._has_ended = True
            self._end_all()

    def _end_all(self) -> None:
        """End what is still in the inbox. Any thread may do this once the engine's own has ended."""
        with contextlib.suppress(Empty):
            while True:
                row = self._inbox.get_nowait()
                if row is not None:
                    self._end(row)

    def _end(self, row: Row) -> None:
        """A reply keeps what it has when the engine is closed; all else, and all if it broke, is an error."""
        if self._failure is None and isinstance(row, ReplyRow):
            row.end(row.state, "cancelled")
        else:
            row.fail(self._failure or EngineClosed("the engine was closed"))

    def _take_in(self) -> bool:
        """Choose the rows of the next step; waits while there are none. False when the engine is closed."""
        while not self._is_closed:
            if not self._inbox.empty() or not len(self._scheduler):
                self._read_inbox()
            if joined := self._scheduler.admit():
                self._batch.join(joined)
                self._leave([place for place, row in enumerate(self._scheduler.running) if row.is_done], "length")
            if self._scheduler.running:
                return True
        return False

    def _read_inbox(self) -> None:
        """Queue what has come in, waiting for it if there is nothing else to do, and see to what has changed."""
        self._batch.hand_over()
        has_changed = False
        while not (len(self._scheduler) or has_changed) or not self._inbox.empty():
            row = self._inbox.get()
            if row is None:
                has_changed = True
            else:
                self._scheduler.add(row)
        if has_changed:
            self._drop_cancelled()
            self._unpark()

    def _drop_cancelled(self) -> None:
        for row in self._scheduler.drop_waiting(lambda row: row.is_cancelled):
            row.end(row.state, "cancelled")
        cancelled = [place for place, row in enumerate(self._scheduler.running) if row.is_cancelled]
        self._leave(cancelled, "cancelled")

    def _park(self, places: list[int]) -> None:
        """Take rows out of the batch whose readers have to catch up."""
        self._batch.hand_over()
        for place in places:
            row = cast(ReplyRow, self._scheduler.running[place])
            row.park(self._batch.states[place])
            self._parked.append(row)
        self._close_gaps(places)
        self._unpark()  # a reader may have caught up before it could see that its reply was parked

    def _suspend(self, places: list[int]) -> None:
        """Put rows back into the queue, to make room for others."""
        self._batch.hand_over()
        rows = [self._scheduler.running[place] for place in places]
        for row, place in zip(rows, places, strict=True):
            row.suspend(self._batch.states[place])
        self._close_gaps(places)
        for row in rows:
            self._scheduler.add(row)

    def _unpark(self) -> None:
        for row in [row for row in self._parked if row.is_cancelled or not row.is_ahead]:
            self._parked.remove(row)
            row.unpark()
            if row.is_cancelled:
                row.end(row.state, "cancelled")
            else:
                self._scheduler.add(row)

    def _step(self) -> None:
        self._leave(self._batch.step(), "length")
        if ahead := [place for place, row in enumerate(self._scheduler.running) if row.is_ahead]:
            self._park(ahead)
        if expired := self._scheduler.expired():
            self._suspend(expired)

    def _leave(self, places: list[int], reason: FinishReason) -> None:
        """End the rows at these places."""
        for place in places:
            self._scheduler.running[place].end(self._batch.states[place], reason)
            self._finished.append(time.monotonic())
        if places:
            self._close_gaps(places)

    def _close_gaps(self, places: list[int]) -> None:
        gone = set(places)
        kept = [place for place in range(len(self._scheduler.running)) if place not in gone]
        self._scheduler.leave(kept)
        self._batch.keep(kept)
