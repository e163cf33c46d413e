"""A reply while it is written: the engine's thread fills it, one other thread or event loop reads it.

Knows no network and no conversation.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from engine.conversation.checkpoint import FinishReason, Result

MAX_UNREAD = 480  # characters; a reply that is so far ahead of its reader pauses, so that stopping takes effect at once


class Reply:
    """A stream of text pieces. Iterate it, plainly or with `async for`; leaving the loop early stops it."""

    def __init__(self, unseen: dict[str, str], wake_engine: Callable[[], None]) -> None:
        self.unseen = unseen
        """Characters of the prompt that the model never saw, each with its substitute ("" if it was dropped)."""
        self.feeding: Callable[[], float] = lambda: 1.0
        """The share of the prompt that the network has read by now."""
        self.is_cancelled = False
        self.is_parked = False
        self._is_awaited = self._wants_whole = False
        self._wake_engine = wake_engine
        self._pieces: deque[str] = deque()
        self._finished = threading.Event()
        self._notify: Callable[[], None] | None = None
        self._written = self._read = 0  # characters; each is counted by one thread
        self._result: Result | None = None
        self._error: Exception | None = None

    def stop(self) -> None:
        """Ask for the end. Returns at once and takes no lock, so that a signal handler may call it.

        What was written stays, with its exact state; `finish_reason` becomes "cancelled".
        """
        self.is_cancelled = True
        self._wake_engine()

    @property
    def text(self) -> str:
        """The whole reply; waits until it is finished."""
        return self.result().text

    @property
    def finish_reason(self) -> FinishReason | None:
        """`"length"`, `"stop"` or `"cancelled"`; None while it is being written."""
        return self._result.finish_reason if self._result is not None else None

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most `seconds`. Returns whether it has come."""
        self._is_awaited = True
        if self.is_parked:
            self._wake_engine()
        return self._finished.wait(seconds)

    def result(self) -> Result:
        """Wait for the end. Raises the error that ended the reply, if one did (`EngineError`)."""
        self.wait()
        if self._result is None:
            raise self._error or RuntimeError("a reply ended without a result")
        return self._result

    def __iter__(self) -> Iterator[str]:
        ready: SimpleQueue[None] = SimpleQueue()
        self._notify = lambda: ready.put(None)
        try:
            while True:
                is_finished = self._finished.is_set()  # looked at first, for pieces may come in between
                if self._pieces:
                    yield self._take()
                elif is_finished:
                    break
                else:
                    ready.get()
        finally:
            self.abandon()
        self._raise_error()

    def __aiter__(self) -> AsyncPieces:
        return AsyncPieces(self)

    async def ready(self, *, is_whole: bool = False) -> None:
        """Wait until there are pieces to `take` or no more come, without blocking the event loop.

        With `is_whole`, wait for the end: pieces do not wake the loop, but may be taken at any time.
        """
        import asyncio  # not before: a pipe needs none, and starts sooner without

        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        is_woken = False  # waking a loop costs as much as a step, so a waiting reader is woken once

        def notify() -> None:
            nonlocal is_woken
            if is_woken and not loop.is_closed():
                return
            is_woken = True
            try:
                loop.call_soon_threadsafe(ready.set)
            except RuntimeError:  # the loop was closed, so nobody can read any more
                self.abandon()

        self._wants_whole, self._notify = is_whole, notify
        if is_whole and self.is_parked:
            self._wake_engine()
        while not self._finished.is_set() and (is_whole or not self._pieces):
            await ready.wait()
            ready.clear()
            is_woken = False

    def take(self) -> str:
        """All pieces that there are, joined. Does not wait. Raises the error that ended the reply, if one did."""
        is_finished = self._finished.is_set()  # looked at first, for pieces may come in between
        pieces = self._take()
        if is_finished and not pieces:
            self._raise_error()
        return pieces

    def abandon(self) -> None:
        """Stop the reply, for nobody reads it any more."""
        self._notify = None
        if not self._finished.is_set():
            self.stop()

    # The engine's side

    def push(self, piece: str) -> None:
        """Add a piece, for the reader to find when it looks next."""
        self._pieces.append(piece)
        self._written += len(piece)

    def announce(self) -> None:
        """Wake the reader if there is anything to read."""
        if self._pieces and not self._wants_whole:
            self._wake()

    @property
    def is_ahead(self) -> bool:
        """Whether the reply should pause, for its reader is too far behind."""
        is_slow = self._written - self._read >= MAX_UNREAD and self._notify is not None
        return is_slow and not (self._is_awaited or self._wants_whole)

    def finish(self, result: Result) -> None:
        """No more pieces come."""
        self._result = result
        self._end()

    def fail(self, error: Exception) -> None:
        """No more pieces come. The reader gets the error after the last of them."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._finished.set()
        self._wake()

    def _wake(self) -> None:
        notify = self._notify
        if notify is not None:
            notify()

    def _take(self) -> str:
        """All pieces that there are, joined. The engine may append meanwhile."""
        pieces = "".join([self._pieces.popleft() for _ in range(len(self._pieces))])
        self._read += len(pieces)
        if self.is_parked:
            self._wake_engine()
        return pieces

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class AsyncPieces:
    """Reads a reply in an event loop. Not a generator: one is closed some time after its loop was left."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __aiter__(self) -> AsyncPieces:
        return self

    async def __anext__(self) -> str:
        await self._reply.ready()
        pieces = self._reply.take()
        if not pieces:
            raise StopAsyncIteration
        return pieces

    async def aclose(self) -> None:
        """Stop the reply, if it is still being written."""
        self._reply.abandon()

    def __del__(self) -> None:
        self._reply.abandon()
