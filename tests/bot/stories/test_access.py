"""Work on stories from the event loop, over a real store."""

from __future__ import annotations

import asyncio

import pytest

import engine
from bot.stories.access import StoryAccess
from bot.stories.refusals import Impossible, NoStory, Refusal, StoreFailed
from bot.stories.stories import Stories
from tests.bot.stories.writing import HERE, THERE


def test_a_channel_is_worked_on_by_one_at_a_time_and_only_so_many_wait(stories: Stories) -> None:
    order: list[str] = []

    async def main() -> None:
        access, is_over = StoryAccess(stories, max_waiting=1), asyncio.Event()

        async def work(name: str, is_patient: bool = False) -> None:
            async with access.exclusive(HERE, is_patient=is_patient):
                order.append(f"{name} in")
                await is_over.wait()
                order.append(f"{name} out")

        tasks = [asyncio.create_task(work(name)) for name in "ab"]
        await asyncio.sleep(0)
        assert access.is_busy(HERE)
        assert not access.is_busy(THERE)
        with pytest.raises(Refusal, match="too many requests wait"):
            await work("c")
        tasks.append(asyncio.create_task(work("d", is_patient=True)))
        await access.run(THERE, lambda: order.append("there"))
        is_over.set()
        await asyncio.gather(*tasks)
        assert not access.is_busy(HERE)
        access.close()

    asyncio.run(main())
    assert order == ["a in", "there", "a out", "b in", "b out", "d in", "d out"]


def test_what_the_engine_and_the_store_raise_is_told_as_a_refusal(stories: Stories) -> None:
    def choose_badly() -> None:
        stories.present(HERE).conversation.goto(99)

    def fail() -> None:
        raise engine.StoreError("the disk is full")

    async def main() -> None:
        access = StoryAccess(stories, max_waiting=1)
        with pytest.raises(Impossible):
            await access.call(choose_badly)
        with pytest.raises(NoStory, match="forgotten"):
            await access.call(lambda: stories.open(HERE, 9))
        with pytest.raises(StoreFailed, match="operator"):
            await access.run(HERE, fail)
        assert not access.is_busy(HERE)
        await access.try_call(fail)
        with pytest.raises(ZeroDivisionError):  # a mistake in the program stays one
            await access.call(lambda: 1 // 0)
        access.close()

    asyncio.run(main())
