"""Shows replies while they are written, in an event loop; a key may stop them at any moment.

Knows the display and what a session wants noted, but no keys and no commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import engine
from repl.pipe.oneshot import NOTE_EVERY
from repl.view.display import Display
from repl.view.layout import Pace, harmless

FRAME = 1 / 30  # seconds from one drawing of a text that is being written to the next


class Writing:
    """The replies that are being written at the moment, if any."""

    def __init__(self, display: Display) -> None:
        self.speed = 0.0
        """Characters a second of the last reply."""
        self._display = display
        self._replies: tuple[engine.Reply, ...] = ()
        self._hurry: asyncio.Event | None = None  # set when they are stopped

    @property
    def is_on(self) -> bool:
        """Whether anything is being written."""
        return bool(self._replies)

    def stop(self) -> None:
        """Stop what is being written; what stands is kept."""
        for reply in self._replies:
            reply.stop()
        if self._hurry is not None:
            self._hurry.set()

    def words(self) -> str:
        """What goes on: the network reads a prompt, or writes."""
        share = min((reply.feeding() for reply in self._replies), default=1.0)
        return "writing" if share == 1 else f"reading: {100 * share:.0f} %"

    async def show(
        self,
        replies: Sequence[engine.Reply],
        speed: float,
        note: Callable[[int], None],
        *,
        is_beside: bool = False,
        is_unwanted: bool = False,
    ) -> None:
        """Show one reply as it comes, or several beside each other, until they have ended. Errors become notes.

        `speed` is that of a typewriter; `note` is told how many characters there are, as soon as there is one, and on.
        Replies that are unwanted already are stopped at once.
        """
        self._replies, self._hurry = tuple(replies), asyncio.Event()
        if is_unwanted:
            self.stop()
        try:
            if is_beside:
                await self._stream_beside(replies)
            else:
                await self._stream(replies[0], speed, note)
        except engine.EngineError as error:
            self._display.note(str(error))
        self._replies = ()

    async def _stream(self, reply: engine.Reply, speed: float, note: Callable[[int], None]) -> None:
        started = shown_at = time.perf_counter()
        noted = started - NOTE_EVERY
        pace, unshown, count = Pace(speed, started), "", 0
        try:
            async for piece in reply:
                count += len(piece)
                unshown += harmless(piece)
                unshown = self._display.write(pace, unshown)
                now = time.perf_counter()
                if now - noted > NOTE_EVERY:
                    noted = now
                    note(count)
                await self._rest(min(FRAME, (now - started) / 2) - (now - shown_at))  # the first frames come sooner
                shown_at = time.perf_counter()
                while len(unshown) > speed > 0 and not reply.is_cancelled:  # no more than a second ahead of the reader
                    unshown = self._display.write(pace, unshown)
                    await self._rest(FRAME)
                    shown_at = time.perf_counter()
            if count:
                self.speed = count / (time.perf_counter() - started)
            while unshown and not reply.is_cancelled:
                unshown = self._display.write(pace, unshown)
                await self._rest(FRAME)
        finally:
            self._display.finish(unshown)

    async def _stream_beside(self, replies: Sequence[engine.Reply]) -> None:
        """Show several as they come. What stands at the end is not printed here: somebody will have to choose."""
        texts = [""] * len(replies)

        async def read(number: int) -> None:
            async for piece in replies[number]:
                texts[number] += harmless(piece)

        reading = asyncio.gather(*map(read, range(len(replies))))
        try:
            while not reading.done():
                self._display.sketch(texts)
                await asyncio.wait([reading], timeout=FRAME)
            await reading
        finally:
            reading.cancel()
            self._display.sketch([])

    async def _rest(self, seconds: float) -> None:
        """Until the next frame is due, or the replies are stopped."""
        if self._hurry is not None and seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), seconds)
