"""Many conversations on one thread: sharing, stopping, failing, ending."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.conversation.reply import MAX_UNREAD, Reply
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, State
from engine.serving.batch import NUMBERS_AHEAD
from engine.serving.engine import Engine
from engine.text.vocabulary import Vocabulary
from tests.networks import LETTERS, tiny_engine, tiny_network

KINDS: list[dict[str, Any]] = [
    {}, {"top_k": 3}, {"top_p": 0.7}, {"min_p": 0.1}, {"temperature": 0.0}, {"repetition_penalty": 1.5},
    {"stop": ("zzzz",)},
]  # fmt: skip


def talks(model: Engine, count: int, length: int, kinds: Sequence[dict[str, Any]] = KINDS) -> list[engine.Conversation]:
    return [
        model.conversation(sampling=engine.Sampling(seed=seed, length=length + seed % 5, **kinds[seed % len(kinds)]))
        for seed in range(count)
    ]


@pytest.mark.parametrize("kinds", [KINDS, KINDS[:-1]], ids=["with stop strings", "without"])
def test_one_seed_gives_one_text_alone_and_with_63_neighbours(tiny: Engine, kinds: list[dict[str, Any]]) -> None:
    prompts = ["abc"[: 1 + n % 3] * (1 + n % 7) for n in range(64)]
    together = [talk.say(prompt) for talk, prompt in zip(talks(tiny, 64, 90, kinds), prompts, strict=True)]
    batched = [reply.text for reply in together]
    alone = [talk.say(prompt).text for talk, prompt in zip(talks(tiny, 64, 90, kinds), prompts, strict=True)]
    assert batched == alone


def test_a_long_prompt_is_fed_faster_than_others_write_and_stalls_none() -> None:
    rows_of_steps: list[int] = []

    class Recording(OnnxStep):
        def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
            rows_of_steps.append(len(ids))
            return super().__call__(ids, state)

    prompt = "the quick brown fox " * 200
    with Engine("tiny", Recording(tiny_network()), Vocabulary(tuple(LETTERS)), "onnx", 64) as model:
        written = [talk.say("ab", length=10**9) for talk in talks(model, 40, 0)]
        reader = iter(model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40))
        text = next(reader)
        for reply in written:
            reply.stop()
        text += "".join(reader)
        assert rows_of_steps.count(41) < len(prompt)  # some of it was fed without the others,
        assert rows_of_steps.count(1) < 100 * rows_of_steps.count(41)  # who got their steps nevertheless
        assert min(len(reply.text) for reply in written) >= 40
        assert text == model.conversation(sampling=engine.Sampling(seed=5)).say(prompt, length=40).text


def test_more_conversations_than_places_all_get_their_text() -> None:
    with tiny_engine(max_batch=3) as small, tiny_engine() as large:
        few = [reply.text for reply in [talk.say("ab") for talk in talks(small, 20, 15)]]
        many = [reply.text for reply in [talk.say("ab") for talk in talks(large, 20, 15)]]
    assert few == many


def test_the_keras_backend_writes_the_same_text(keras_model_dir: Path) -> None:
    sampling = engine.Sampling(seed=3, length=80, temperature=1.0)
    texts, infos = [], []
    for backend in ("onnx", "keras"):
        with engine.load(keras_model_dir, backend=backend) as model:
            texts.append(model.conversation(sampling=sampling).say("the cat").text)
            infos.append(model.info)
    assert texts[0] == texts[1]
    assert [info.backend for info in infos] == ["onnx", "keras"]
    first = infos[0]
    assert (first.name, first.level, first.cell, first.units, first.layers) == ("tiny-keras", "char", "gru", 24, 2)
    assert (first.vocabulary_size, first.state_bytes, first.precision) == (31, 192, "float32")
    assert first.parameters == infos[1].parameters == 31 * 8 + (8 + 24 + 2) * 72 + (24 + 24 + 2) * 72 + 25 * 31


def test_int8_is_chosen_by_name(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir, precision="int8") as model:
        assert model.info.precision == "int8"
        together = [reply.text for reply in [talk.say("ab") for talk in talks(model, 20, 40)]]
        assert together == [talk.say("ab").text for talk in talks(model, 20, 40)]
    with pytest.raises(ValueError, match="precision 'int8'"):
        engine.load(keras_model_dir, backend="keras", precision="int8")


def test_score_is_what_the_logits_say(tiny: Engine) -> None:
    text = "the cat sat on the mat."
    score = tiny.score(text)
    step, state, expected = OnnxStep(tiny_network()), np.zeros((1, 26), np.float32), [np.log(len(LETTERS))]
    for before, after in zip(score.tokens, score.tokens[1:], strict=False):
        logits, state = step(np.array([before], np.int32), state)
        exact = logits[0].astype(np.float64)
        expected.append(np.log(np.exp(exact).sum()) - exact[after])
    assert score.nats == pytest.approx(sum(expected))
    assert score.surprisal_bits == pytest.approx(np.array(expected) / np.log(2))
    assert score.characters == len(text) == len(score.tokens)
    assert score.bits_per_character == pytest.approx(score.bits / len(text))
    assert score.perplexity == pytest.approx(np.exp(score.nats / len(text)))


def test_a_long_text_is_scored_like_its_parts_in_a_row(tiny: Engine) -> None:
    text = "the quick brown fox. " * 150  # more than one block
    score = tiny.score(text)
    assert len(score.surprisal_bits) == len(text)
    assert score.surprisal_bits[:50] == pytest.approx(tiny.score(text[:50]).surprisal_bits)


def test_a_text_of_nothing_cannot_be_scored(tiny: Engine) -> None:
    with pytest.raises(ValueError, match="text"):
        tiny.score("漢")


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
        return await asyncio.gather(*(read(talk.say("ab")) for talk in talks(tiny, 30, 80)))

    assert asyncio.run(main()) == [talk.say("ab").text for talk in talks(tiny, 30, 80)]


def test_leaving_an_async_loop_stops_the_reply_at_once(tiny: Engine) -> None:
    async def main() -> tuple[str, str | None]:
        talk = talks(tiny, 1, 10**8)[0]
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
        stopped, left = (talk.say("ab") for talk in talks(tiny, 2, 10**8))
        async for _ in stopped:
            stopped.stop()
        pieces = left.__aiter__()
        await anext(pieces)
        await pieces.aclose()
        return [stopped, left]

    assert [reply.result().finish_reason for reply in asyncio.run(main())] == ["cancelled", "cancelled"]


def test_a_reply_ends_with_the_event_loop_that_read_it(tiny: Engine) -> None:
    talk = talks(tiny, 1, 10**8)[0]
    iterators = []

    async def main() -> None:
        iterators.append(talk.say("ab").__aiter__())
        await anext(iterators[0])

    asyncio.run(main())
    assert len(talk.text) > 2  # waits for the end, so there was one
    assert tiny.conversation().say("ab", length=3).text


def test_a_waiting_reply_can_be_stopped_too() -> None:
    with tiny_engine(max_batch=1) as model:
        running, waiting = (talk.say("ab") for talk in talks(model, 2, 10**8))
        pieces = iter(running)
        assert next(pieces)
        waiting.stop()
        stopped = waiting.result()  # on a busy machine it had a turn by then
        assert stopped.finish_reason == "cancelled"
        assert talks(model, 2, 10**5)[1].say("ab", length=len(stopped.tokens)).text == stopped.text
        assert running.finish_reason is None
        running.stop()
        assert running.text


def test_a_reply_waits_for_a_reader_that_is_far_behind() -> None:
    """Else a slow terminal would go on for seconds after Ctrl-C, with text that nobody had seen by then."""
    with tiny_engine(max_batch=1) as model:
        slow, other = (talk.say("ab") for talk in talks(model, 2, 5000))
        pieces = iter(slow)
        read = next(pieces)
        assert len(other.text) > 4000  # the slow one has left its place meanwhile
        assert slow.finish_reason is None
        read += "".join(pieces)
        assert read == slow.text == talks(model, 1, 5000)[0].say("ab").text
        endless = talks(model, 1, 10**8)[0].say("ab")
        pieces = iter(endless)
        next(pieces)
        time.sleep(0.2)
        endless.stop()
        assert len("".join(pieces)) <= MAX_UNREAD + NUMBERS_AHEAD <= 512
        impatient = talks(model, 1, 5000)[0].say("ab")
        pieces = iter(impatient)
        next(pieces)
        assert len(impatient.text) == 5000  # who waits for the end reads no more pieces


def test_closing_keeps_what_was_written_and_refuses_more() -> None:
    model = tiny_engine(max_batch=1)
    running, waiting = talks(model, 2, 10**8)
    replies = [running.say("ab"), waiting.say("cd")]
    next(iter(replies[0]))
    model.close()
    model.close()
    assert running.text.startswith("ab")
    assert waiting.text.startswith("cd")  # it may have had its turn
    for call in (lambda: running.say("x"), lambda: model.score("a")):
        with pytest.raises(engine.EngineClosed, match="load the model again"):
            call()


class Failing:
    """A step program that breaks on the way, as one out of memory would."""

    def __init__(self, after: int) -> None:
        self._step, self._left = OnnxStep(tiny_network()), after
        self.shape, self.state_size = self._step.shape, self._step.state_size
        self.vocabulary_size, self.fingerprint = self._step.vocabulary_size, self._step.fingerprint

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        self._left -= 1
        if self._left < 0:
            raise MemoryError("no room")
        return self._step(ids, state)


def test_a_broken_engine_tells_every_reader_and_leaves_conversations_usable() -> None:
    with Engine("failing", Failing(8), Vocabulary(tuple(LETTERS)), "onnx", 2) as model:
        each = talks(model, 3, 10**6)
        replies = [talk.say("ab") for talk in each]
        for reply in replies:
            with pytest.raises(engine.EngineError, match="no room"):
                "".join(reply)
        with pytest.raises(engine.EngineError, match="no room"):
            _ = each[0].text
        assert each[0].text == ""
        with pytest.raises(engine.EngineError, match="no room"):
            each[0].say("ab")


def test_an_idle_engine_uses_no_processor_time(tiny: Engine) -> None:
    assert tiny.conversation().say("ab", length=20).text
    time.sleep(0.2)
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.05


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    for _ in range(5):
        with tiny_engine() as model:
            model.conversation().say("ab", length=5)
    gc.collect()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"backend": "torch"}, "backend 'torch'"),
        ({"precision": "int3"}, "precision 'int3'"),
        ({"max_batch": 0}, "max_batch 0"),
    ],
)
def test_bad_arguments_of_load_are_named(keras_model_dir: Path, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        engine.load(keras_model_dir, **arguments)


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    with tiny_engine(max_batch=1) as model:
        model.max_waiting = 3
        first, *others = talks(model, 6, 10**8)
        replies = [first.say("ab")]
        next(iter_ := iter(replies[0]))
        replies += [talk.say("ab") for talk in others[:3]]
        with pytest.raises(engine.EngineBusy, match="replies wait already: try again in about") as caught:
            others[3].say("ab")
        assert caught.value.seconds >= 1
        assert others[3].text == ""
        for reply in replies:
            reply.stop()
        "".join(iter_)
        assert others[3].say("ab", length=5).text


def test_rows_that_take_turns_write_what_they_write_alone() -> None:
    with tiny_engine(max_batch=2) as narrow, tiny_engine() as wide:
        turns = [reply.text for reply in [talk.say("the cat") for talk in talks(narrow, 9, 150)]]
        together = [reply.text for reply in [talk.say("the cat") for talk in talks(wide, 9, 150)]]
    assert turns == together


def test_a_short_request_is_answered_while_long_ones_run() -> None:
    with tiny_engine(max_batch=4) as model:
        long = [model.conversation(owner="loud").say("ab", length=10**8) for _ in range(40)]
        time.sleep(0.1)
        assert model.conversation(owner="quiet").say("ab", length=20).text
        assert model.score("the cat").characters == 7
        assert all(reply.finish_reason is None for reply in long)


def test_closing_while_64_replies_run_hangs_nobody() -> None:
    for wait in (0.0, 0.01, 0.05):
        model = tiny_engine(max_batch=16)
        each = talks(model, 64, 10**8)
        replies = [talk.say("the cat") for talk in each]
        readers = [threading.Thread(target=lambda reply=reply: list(reply)) for reply in replies[:32]]
        for reader in readers:
            reader.start()
        time.sleep(wait)
        model.close()
        for reader in readers:
            reader.join(10)
            assert not reader.is_alive()
        assert {reply.result().finish_reason for reply in replies} == {"cancelled"}
        for talk in each:
            assert talk.text.startswith("the cat")


@pytest.mark.parametrize("seconds", [0, pytest.param(60, marks=pytest.mark.slow)])
def test_32_threads_at_random_write_what_one_thread_writes(seconds: float) -> None:
    """Each thread drives a conversation of its own by a random plan; the same plans are then run one by one."""

    def drive(model: Engine, plan: random.Random, operations: int) -> str:
        talk = model.conversation(sampling=engine.Sampling(seed=plan.randrange(99), length=9, temperature=1.0))
        talk.say("a", length=3)
        said = []
        for _ in range(operations):
            kind = plan.choice(["say", "say", "stop", "fork", "undo", "retry"])
            if kind == "undo":
                talk.undo(plan.randrange(1, 1 + len(talk.turns))) if talk.turns else talk.say("b")
            elif kind == "fork":
                talk = talk.fork()
            elif kind == "retry" and talk.turns:
                said.append(talk.retry().text)
            elif kind == "stop":  # however much it wrote, what is kept is a beginning of what it would have written
                branch, again = talk.fork(), talk.fork()
                reply = branch.say("", length=2000)  # no more, for a busy machine may be late to stop it
                time.sleep(plan.random() / 100)
                reply.stop()
                assert again.say("", length=len(reply.text)).text == reply.text
            else:
                said.append("".join(talk.say(plan.choice(["", "b", "the cat"]), length=plan.randrange(12))))
        return "".join(said)

    def drive_together(seeds: range) -> None:
        results: dict[int, str] = {}
        with tiny_engine(max_batch=8) as model:
            threads = [
                threading.Thread(target=lambda seed=seed: results.update({seed: drive(model, random.Random(seed), 60)}))
                for seed in seeds
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(300)
            assert sorted(results) == list(seeds)
            assert all(drive(model, random.Random(seed), 60) == results[seed] for seed in seeds)

    drive_together(range(32))
    ends, first = time.monotonic() + seconds, 32
    while time.monotonic() < ends:
        drive_together(range(first, first + 32))
        first += 32
