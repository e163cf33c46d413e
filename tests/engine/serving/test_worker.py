"""Many replies on one thread: sharing, waiting, stopping, failing, ending."""

from __future__ import annotations

import gc
import random
import threading
import time

import pytest

import engine
from engine.conversation.reply import MAX_UNREAD
from engine.model.onnx_step import OnnxStep
from engine.model.step import Ids, Logits, State
from engine.serving.batch import NUMBERS_AHEAD
from engine.serving.engine import Engine
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import seeded
from tests.networks import LETTERS, tiny_engine, tiny_network


def test_more_conversations_than_places_all_get_their_text() -> None:
    with tiny_engine(max_batch=3) as small, tiny_engine() as large:
        few = [reply.text for reply in [talk.say("ab") for talk in seeded(small, 20, 15)]]
        many = [reply.text for reply in [talk.say("ab") for talk in seeded(large, 20, 15)]]
    assert few == many


def test_a_waiting_reply_can_be_stopped_too() -> None:
    with tiny_engine(max_batch=1) as model:
        running, waiting = (talk.say("ab") for talk in seeded(model, 2, 10**8))
        pieces = iter(running)
        assert next(pieces)
        waiting.stop()
        stopped = waiting.result()  # on a busy machine it had a turn by then
        assert stopped.finish_reason == "cancelled"
        assert seeded(model, 2, 10**5)[1].say("ab", length=len(stopped.tokens)).text == stopped.text
        assert running.finish_reason is None
        running.stop()
        assert running.text


def test_a_reply_waits_for_a_reader_that_is_far_behind() -> None:
    """Else a slow terminal would go on for seconds after Ctrl-C, with text that nobody had seen by then."""
    with tiny_engine(max_batch=1) as model:
        slow, other = (talk.say("ab") for talk in seeded(model, 2, 5000))
        pieces = iter(slow)
        read = next(pieces)
        assert len(other.text) > 4000  # the slow one has left its place meanwhile
        assert slow.finish_reason is None
        read += "".join(pieces)
        assert read == slow.text == seeded(model, 1, 5000)[0].say("ab").text
        endless = seeded(model, 1, 10**8)[0].say("ab")
        pieces = iter(endless)
        next(pieces)
        time.sleep(0.2)
        endless.stop()
        assert len("".join(pieces)) <= MAX_UNREAD + NUMBERS_AHEAD <= 512
        impatient = seeded(model, 1, 5000)[0].say("ab")
        pieces = iter(impatient)
        next(pieces)
        assert len(impatient.text) == 5000  # who waits for the end reads no more pieces


def test_closing_keeps_what_was_written_and_refuses_more() -> None:
    model = tiny_engine(max_batch=1)
    running, waiting = seeded(model, 2, 10**8)
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
    """A step function that breaks on the way, as one out of memory would."""

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
        each = seeded(model, 3, 10**6)
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


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    with tiny_engine(max_batch=1) as model:
        model.max_waiting = 3
        first, *others = seeded(model, 6, 10**8)
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
        turns = [reply.text for reply in [talk.say("the cat") for talk in seeded(narrow, 9, 150)]]
        together = [reply.text for reply in [talk.say("the cat") for talk in seeded(wide, 9, 150)]]
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
        each = seeded(model, 64, 10**8)
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
