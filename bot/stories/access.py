"""Access to the stories: blocking work runs in threads, and one request at a time works in each channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import engine
from bot.stories.channels import Channel
from bot.stories.refusals import Refusal, refusal_of
from bot.stories.stories import Stories

STORE_WORKERS, SLOW_WORKERS = 4, 8  # threads: for what has to be done within three seconds, and for whole stories
Result = TypeVar("Result")


class StoryAccess:
    """Runs work on stories from the event loop."""

    def __init__(self, stories: Stories, max_waiting: int) -> None:
        """`max_waiting` is how many requests may wait in a channel."""
        self.stories, self.max_waiting = stories, max_waiting
        self._locks: dict[Channel, tuple[asyncio.Lock, int]] = {}  # with how many hold it or wait for it
        self._workers = ThreadPoolExecutor(STORE_WORKERS, "store")
        self._slow_workers = ThreadPoolExecutor(SLOW_WORKERS, "slow")

    async def call(self, act: Callable[[], Result], *, is_slow: bool = False) -> Result:
        """Run blocking work in a thread. Raises `Refusal` for what the engine or the store raises."""
        workers = self._slow_workers if is_slow else self._workers
        try:
            return await asyncio.get_running_loop().run_in_executor(workers, act)
        except (ValueError, engine.EngineError) as error:
            raise refusal_of(error) from error

    async def try_call(self, act: Callable[[], None]) -> None:
        """Run blocking work that the reply can do without; if the store fails, the next save tells the member."""
        with suppress(Refusal):
            await self.call(act)

    async def run(
        self, channel: Channel, act: Callable[[], Result], *, is_slow: bool = False, is_patient: bool = False
    ) -> Result:
        """Run blocking work on a channel's stories while nobody else works on them. Raises `Refusal`."""
        async with self.exclusive(channel, is_patient=is_patient):
            return await self.call(act, is_slow=is_slow)

    def is_busy(self, channel: Channel) -> bool:
        """Whether a request works on a channel's stories, or waits for that."""
        return channel in self._locks

    @asynccontextmanager
    async def exclusive(self, channel: Channel, *, is_patient: bool = False) -> AsyncIterator[None]:
        """Wait until nobody else works on a channel's stories, and keep others out.

        Raises `Refusal` if too many wait already, unless it `is_patient`.
        """
        lock, waiting = self._locks.get(channel, (asyncio.Lock(), 0))
        if waiting > self.max_waiting and not is_patient:
            raise Refusal("too many requests wait in this channel: try again when a reply has ended, or press its Stop")
        self._locks[channel] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks.pop(channel)
            if waiting > 1:
                self._locks[channel] = lock, waiting - 1

    def close(self) -> None:
        """End the threads after what they are doing."""
        for workers in (self._workers, self._slow_workers):
            workers.shutdown(wait=False, cancel_futures=True)
