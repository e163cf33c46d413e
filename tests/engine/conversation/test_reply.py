"""Reading a reply while it is written: in loops, in event loops, to its end or not."""

from __future__ import annotations

import asyncio
import sys

import engine
from engine.conversation.reply import Reply
from engine.serving.engine import Engine
from tests.engine.conversations import seeded


def test_leaving_the_loop_stops_the_reply(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=engine.Sampling(length=10**9))
    reply = talk.say("ab")
    for _ in reply:
        break
    assert len(talk.text) > 2
    assert reply.finish_reason == "cancelled"


def test_an_event_loop_reads_many_replies_at_once(tiny: Engine) -> None:
    async def read(reply: Reply) -> str:
        return "".join([piece async for piece in reply])

    async def main() -> list[str]:
        return await asyncio.gather(*(read(talk.say("ab")) for talk in seeded(tiny, 30, 80)))

    assert asyncio.run(main()) == [talk.say("ab").text for talk in seeded(tiny, 30, 80)]


def test_leaving_an_async_loop_stops_the_reply_at_once(tiny: Engine) -> None:
    async def main() -> tuple[str, str | None]:
        talk = seeded(tiny, 1, 10**8)[0]
        reply = talk.say("ab")
        async for _ in reply:
            break
        return talk.text, reply.finish_reason  # waits for the end without leaving the event loop

    text, reason = asyncio.run(main())
    assert len(text) > 2
    assert reason == "cancelled"


def test_no_piece_is_lost_at_the_end(tiny: Engine) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for length in range(1, 400):
            reply = tiny.conversation(sampling=engine.Sampling(seed=length, length=length % 7 + 1)).say("ab")
            assert "".join(reply) == reply.text
    finally:
        sys.setswitchinterval(before)


def test_an_event_loop_can_stop_and_abandon_a_reply(tiny: Engine) -> None:
    async def main() -> list[Reply]:
        stopped, left = (talk.say("ab") for talk in seeded(tiny, 2, 10**8))
        async for _ in stopped:
            stopped.stop()
        pieces = left.__aiter__()
        await anext(pieces)
        await pieces.aclose()
        return [stopped, left]

    assert [reply.result().finish_reason for reply in asyncio.run(main())] == ["cancelled", "cancelled"]


def test_a_reply_ends_with_the_event_loop_that_read_it(tiny: Engine) -> None:
    talk = seeded(tiny, 1, 10**8)[0]
    iterators = []

    async def main() -> None:
        iterators.append(talk.say("ab").__aiter__())
        await anext(iterators[0])

    asyncio.run(main())
    assert len(talk.text) > 2  # waits for the end, so there was one
    assert tiny.conversation().say("ab", length=3).text
