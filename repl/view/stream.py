"""Shows replies while they are written, in an event loop. They can be stopped at any moment.

Knows the display, but no keys and no commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import engine
from repl.view.display import Display
from repl.view.layout import Pace, harmless

FRAME = 1 / 30  # seconds between two drawings of a text that is being written


class Stream:
    """The replies that are being written at the moment, if any."""

    def __init__(self, display: Display) -> None:
        self.speed = 0.0
        """Characters a second of the last reply."""
        self._display = display
        self._replies: tuple[engine.Reply, ...] = ()
        self._stopped: asyncio.Event | None = None

    @property
    def is_writing(self) -> bool:
        """Whether anything is being written."""
        return bool(self._replies)

    def stop(self) -> None:
        """Stop what is being written; the text so far is kept."""
        for reply in self._replies:
            reply.stop()
        if self._stopped is not None:
            self._stopped.set()

    def describe(self) -> str:
        """What the network is doing: it reads a prompt, or writes."""
        share = min((reply.feeding() for reply in self._replies), default=1.0)
        return "writing" if share == 1 else f"reading: {100 * share:.0f} %"

    async def show(
        self,
        replies: Sequence[engine.Reply],
        speed: float,
        note: Callable[[int], None],
        *,
        speaker: str = "",
        is_beside: bool = False,
        is_stopped: bool = False,
    ) -> None:
        """Show one reply as it comes, or several beside each other, until they have ended. Errors become notes.

        A line of a `speaker` begins with the name.

        `speed` is in characters a second, 0 for as fast as it is written. `note` is told with each piece how many
        characters there are. Replies that are stopped already show what there is.
        """
        self._replies, self._stopped = tuple(replies), asyncio.Event()
        if speaker:
            self._display.begin(speaker)
        if is_stopped:
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
        pace, unshown, count = Pace(speed, started), "", 0
        try:
            async for piece in reply:
                count += len(piece)
                unshown += harmless(piece)
                unshown = self._display.write(pace, unshown)
                note(count)
                now = time.perf_counter()
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
        """Show several as they come. The result is not printed here, because the writer will have to choose."""
        texts = [""] * len(replies)

        async def read(number: int) -> None:
            async for piece in replies[number]:
                texts[number] += harmless(piece)

        reading = asyncio.gather(*map(read, range(len(replies))))
        try:
            while not reading.done():
                self._display.preview(texts)
                await asyncio.wait([reading], timeout=FRAME)
            await reading
        finally:
            reading.cancel()
            self._display.preview([])

    async def _rest(self, seconds: float) -> None:
        """Wait until the next frame is due, or the replies are stopped."""
        if self._stopped is not None and seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), seconds)
