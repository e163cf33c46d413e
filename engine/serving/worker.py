"""The engine's thread, which alone owns the batch: it chooses the rows of each step, runs it, and ends what is done.

Other threads submit rows, and wake it when something about a row has changed. Knows no conversation and no model
directory.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import cast

from engine.conversation.checkpoint import FinishReason
from engine.errors import EngineBusy, EngineClosed, EngineError
from engine.model.step import StepFunction
from engine.serving.batch import Batch
from engine.serving.rows import ReplyRow, Row
from engine.serving.scheduler import Scheduler

MAX_HINT_SECONDS = 30.0  # a longer guess would be no better than the rate of the last seconds


class Worker:
    """A thread that runs rows until it is closed. Tokens with the ids `unwritten` are never drawn."""

    def __init__(self, name: str, step_function: StepFunction, unwritten: Sequence[int], max_batch: int) -> None:
        self.failure: Exception | None = None
        self.is_closed = False
        self._finished: deque[float] = deque(maxlen=256)  # when the latest rows left
        self._scheduler: Scheduler[Row] = Scheduler(max_batch)
        self._batch = Batch(step_function, unwritten, self._scheduler.running)
        self._parked: list[ReplyRow] = []  # until their readers have caught up
        # Rows, and None to wake the thread. Putting is reentrant, so a signal handler may do it.
        self._inbox: SimpleQueue[Row | None] = SimpleQueue()
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._thread.start()

    # What other threads ask for

    def submit(self, row: Row) -> None:
        """Queue a row. Raises `EngineClosed`, or the error that ended the thread."""
        if self.failure is not None:
            raise self.failure
        if self.is_closed:
            raise EngineClosed("the engine is closed: load the model again")
        self._inbox.put(row)
        if self._has_ended:  # between the check above and now; nobody else would ever see the row
            self._end_inbox()

    def wake(self) -> None:
        """Something about a row has changed: it was cancelled, or its reader has caught up."""
        self._inbox.put(None)

    def close(self) -> None:
        """End running replies with what they have ("cancelled") and stop the thread. May be called twice."""
        self.is_closed = True
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def running(self) -> int:
        """How many rows are in the batch."""
        return len(self._scheduler.running)

    @property
    def waiting(self) -> int:
        """How many rows are not in the batch yet."""
        return max(0, len(self._scheduler) + self._inbox.qsize() - self.running)

    @property
    def written(self) -> int:
        """How many tokens were drawn so far."""
        return self._batch.written

    def check_room(self, most: int) -> None:
        """Raise `EngineBusy` if `most` rows wait beyond a full batch, with a guess when a quarter will be done."""
        excess = len(self._scheduler) + self._inbox.qsize() - self._scheduler.max_batch
        if excess < most:
            return
        times = list(self._finished)
        rate = len(times) / max(1e-3, time.monotonic() - times[0]) if len(times) > 1 else 1.0  # rows a second
        seconds = min(MAX_HINT_SECONDS, max(1.0, excess / 4 / rate))
        raise EngineBusy(f"{excess:,} replies wait already: try again in about {seconds:.0f} s", seconds)

    # What the thread does

    def _run(self) -> None:
        try:
            while self._choose_rows():
                self._step()
        except Exception as error:  # whatever it was, no reader may wait forever
            self.failure = EngineError(f"the engine stopped ({type(error).__name__}: {error}): load the model again")
            self.failure.__cause__ = error
        finally:
            if self.failure is None:
                self._batch.hand_over()
            self._batch.put_states_back()
            self._batch.close()
            for row in [*self._scheduler.clear(), *self._parked]:
                self._end(row)
            self._has_ended = True
            self._end_inbox()

    def _end_inbox(self) -> None:
        """End what is still in the inbox. Any thread may do this once the worker's own has ended."""
        with contextlib.suppress(Empty):
            while True:
                row = self._inbox.get_nowait()
                if row is not None:
                    self._end(row)

    def _end(self, row: Row) -> None:
        """End a row early. A reply keeps what it has; other rows, and all rows after a failure, get an error."""
        if self.failure is None and isinstance(row, ReplyRow):
            row.end(row.state, "cancelled")
        else:
            row.fail(self.failure or EngineClosed("the engine was closed"))

    def _choose_rows(self) -> bool:
        """Choose the rows of the next step. Waits while there are none; False when the engine is closed."""
        while not self.is_closed:
            if not self._inbox.empty() or not len(self._scheduler):
                self._read_inbox()
            if self._scheduler.admit():
                self._batch.join()
                self._end_rows([index for index, row in enumerate(self._scheduler.running) if row.is_done], "length")
            if self._scheduler.running:
                return True
        return False

    def _read_inbox(self) -> None:
        """Queue new rows, waiting for some if there is nothing else to do, and act on what has changed."""
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
        self._end_rows([index for index, row in enumerate(self._scheduler.running) if row.is_cancelled], "cancelled")

    def _step(self) -> None:
        self._end_rows(self._batch.step(), "length")
        if ahead := [index for index, row in enumerate(self._scheduler.running) if row.is_ahead]:
            self._park(ahead)
        if expired := self._scheduler.expired():
            self._suspend(expired)

    def _end_rows(self, indices: list[int], reason: FinishReason) -> None:
        """End the rows at these indices of the batch."""
        for index in indices:
            self._scheduler.running[index].end(self._batch.states[index], reason)
            self._finished.append(time.monotonic())
        if indices:
            self._remove(indices)

    def _park(self, indices: list[int]) -> None:
        """Take out rows whose readers have to catch up."""
        self._batch.hand_over()
        for index in indices:
            row = cast(ReplyRow, self._scheduler.running[index])
            row.reply.is_parked = True
            row.suspend(self._batch.states[index])
            self._parked.append(row)
        self._remove(indices)
        self._unpark()  # a reader may have caught up before it could see that its reply was parked

    def _unpark(self) -> None:
        for row in [row for row in self._parked if row.is_cancelled or not row.is_ahead]:
            self._parked.remove(row)
            row.reply.is_parked = False
            if row.is_cancelled:
                row.end(row.state, "cancelled")
            else:
                self._scheduler.add(row)

    def _suspend(self, indices: list[int]) -> None:
        """Put rows back into the queue, to make room for others."""
        self._batch.hand_over()
        rows = [self._scheduler.running[index] for index in indices]
        for row, index in zip(rows, indices, strict=True):
            row.suspend(self._batch.states[index])
        self._remove(indices)
        for row in rows:
            self._scheduler.add(row)

    def _remove(self, indices: list[int]) -> None:
        gone = set(indices)
        kept = [index for index in range(self.running) if index not in gone]
        self._scheduler.keep(kept)
        self._batch.keep(kept)
