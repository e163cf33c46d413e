"""Conversations in SQLite and, where a server can be started, in PostgreSQL: the same tests for both."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sql

import engine
from engine.conversation.conversation import Conversation
from engine.serving.engine import Engine
from tests.engine.store.conversations import SAMPLING, same, written
from tests.networks import tiny_engine


def test_notes_are_written_with_the_turn_or_not_at_all(store: engine.Store, tiny: Engine) -> None:
    talk, same_name = tiny.conversation(sampling=SAMPLING), tiny.conversation()
    talk.say("ab")
    store.save(talk, "a", notes={("channel", "1"): {"ö": [1, 2]}, ("channel", "2"): "x", ("other", "1"): 0})
    assert store.note("channel", "1") == {"ö": [1, 2]}
    assert store.notes("channel") == {"1": {"ö": [1, 2]}, "2": "x"}
    with pytest.raises(engine.StoreError, match="name of another"):
        store.save(same_name, "a", notes={("channel", "1"): None})
    store.write_notes({("channel", "2"): None, ("channel", "1"): 3, ("channel", "9"): None})
    assert store.notes("channel") == {"1": 3}
    assert (store.note("channel", "2"), store.note("other", "1")) == (None, 0)


def test_whether_a_conversation_is_still_as_stored(store: engine.Store, url: str, tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    assert not store.is_current(talk)
    store.save(talk, "a")
    assert store.is_current(talk)
    with engine.Store(url) as other:
        copy = other.open(tiny, "a")
        copy.say("ab").result()
        other.save(copy, "a")
        assert other.is_current(copy)
        assert not store.is_current(talk)
        other.delete("a")
        assert not other.is_current(copy)


def test_what_is_saved_comes_back_whole(store: engine.Store, tiny: Engine) -> None:
    talk = written(tiny)
    store.save(talk, "a tale")
    again = store.open(tiny, "a tale")
    same(talk, again)
    assert again.say("x").text == talk.say("x").text
    assert again.retry().text == talk.retry().text
    assert store.names() == ["a tale"]


@pytest.fixture
def light(url: str) -> Iterator[engine.Store]:
    with engine.Store(url, keep_states=False) as opened:
        yield opened


def held(talk: Conversation) -> list[int]:
    """The turns whose states are in memory; no tokens are."""
    assert not any(isinstance(turn.written, tuple) for turn in talk.tree)
    return [turn.id for turn in talk.tree if isinstance(turn.checkpoint.source, np.ndarray)]


def test_a_light_store_holds_one_state_and_writes_the_same(light: engine.Store, tiny: Engine) -> None:
    talk, plain = written(tiny), written(tiny)
    light.save(talk, "a")
    again = light.open(tiny, "a")
    for one in (talk, again):
        assert held(one) == [one.present]
        same(one, plain)
    for one in (talk, again, plain):
        one.goto(2)
        one.undo()
    assert talk.say("x").text == again.say("x").text == plain.say("x").text
    shy = replace(SAMPLING, repetition_penalty=3.0)  # which looks at the tokens before
    assert talk.retry(shy).text == again.retry(shy).text == plain.retry(shy).text
    light.save(talk, "a")
    assert held(talk) == [talk.present]
    same(light.open(tiny, "a"), plain)


def test_a_fork_from_a_light_store_stands_on_its_own(light: engine.Store, tiny: Engine) -> None:
    talk, plain = written(tiny), written(tiny)
    light.save(talk, "a")
    branch, expected = light.open(tiny, "a").fork(2), plain.fork(2)
    light.save(branch, "b")
    light.delete("a")
    same(branch, expected)
    same(light.open(tiny, "b"), expected)


def test_a_state_that_was_deleted_elsewhere_is_told(light: engine.Store, url: str, tiny: Engine) -> None:
    talk = written(tiny)
    light.save(talk, "a")
    with engine.Store(url) as other:
        other.delete("a")
        other.save(written(tiny), "another")  # which may get its number
    talk.undo()
    with pytest.raises(engine.StoreError, match="was deleted"):
        talk.say("x")
    assert talk.text


def test_a_save_writes_only_what_is_new(store: engine.Store, tiny: Engine) -> None:
    talk = written(tiny)
    store.save(talk, "a")
    statements: list[tuple[str, Any]] = []
    sql.event.listen(
        store._database.writer,
        "before_cursor_execute",
        lambda c, k, text, values, *rest: statements.append((text, values)),
    )
    talk.say("new", length=1)
    store.save(talk, "a")
    inserts = [values for text, values in statements if text.startswith("INSERT")]
    assert len(inserts) == 1
    assert len(inserts[0]) == 2  # a prompt and a reply
    talk.undo()
    statements.clear()
    store.save(talk, "a")  # a move alone
    assert not [text for text, _ in statements if text.startswith("INSERT")]
    same(talk, store.open(tiny, "a"))


def test_a_conversation_changed_elsewhere_is_not_overwritten(store: engine.Store, url: str, tiny: Engine) -> None:
    store.save(written(tiny), "a")
    with engine.Store(url) as other:
        one, two = store.open(tiny, "a"), other.open(tiny, "a")
        one.say("one")
        store.save(one, "a")
        two.say("two")
        with pytest.raises(engine.StoreError, match="'a' was changed or deleted elsewhere"):
            other.save(two, "a")
        other.save(two, "a, as two has it")
        same(one, other.open(tiny, "a"))
        same(two, store.open(tiny, "a, as two has it"))
        other.delete("a")
        with pytest.raises(engine.StoreError, match="changed or deleted"):
            store.save(one, "a")


def test_a_name_is_one_conversations(store: engine.Store, tiny: Engine) -> None:
    store.save(written(tiny), "a")
    with pytest.raises(engine.StoreError, match="'a' is the name of another"):
        store.save(written(tiny), "a")
    for call in (lambda: store.open(tiny, "b"), lambda: store.delete("b")):
        with pytest.raises(engine.StoreError, match="no conversation 'b'"):
            call()


def test_a_fork_is_saved_apart(store: engine.Store, tiny: Engine) -> None:
    talk = written(tiny)
    store.save(talk, "a")
    branch = talk.fork()
    branch.say("other")
    store.save(branch, "b")
    same(branch, store.open(tiny, "b"))
    same(talk, store.open(tiny, "a"))


def test_other_weights_are_refused_and_the_text_can_be_read_again(store: engine.Store, tiny: Engine) -> None:
    talk = written(tiny)
    store.save(talk, "a")
    with tiny_engine(seed=9) as other:
        with pytest.raises(engine.StoreError, match=r"other weights \(model 'tiny'\).*feed_again"):
            store.open(other, "a")
        again = store.open(other, "a", feed_again=True)
        assert again.text == talk.text
        assert engine.Texts.of(again) == engine.Texts.of(talk) == store.texts("a")
        afresh = other.conversation()
        afresh.say(talk.text, length=0)
        assert again.next_tokens() == afresh.next_tokens()
        store.save(again, "b")
        same(again, store.open(other, "b"))
        with pytest.raises(engine.StoreError, match="name of another"):
            store.save(again, "a")
        store.save(again, "a", replaces=True, notes={("topic", "key"): 1})
        same(again, store.open(other, "a"))
        assert store.note("topic", "key") == 1
        with pytest.raises(engine.StoreError, match="changed or deleted elsewhere"):
            store.save(talk, "a")


WRITER = """
    import sys, engine
    from tests.networks import tiny_engine
    with tiny_engine() as model, engine.Store(sys.argv[1]) as store:
        talk = model.conversation(sampling=engine.Sampling(seed=1, length=20))
        for number in range(10**6):
            talk.say("x").text
            store.save(talk, sys.argv[2])
            print(len(talk.turns), flush=True)
"""


def writer(url: str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), url, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize("saves", [10, 17, 24, pytest.param(3000, marks=pytest.mark.slow)])
def test_kill_9_loses_no_turn_whose_save_returned(url: str, tiny: Engine, saves: int) -> None:
    with writer(url, "a") as process:
        assert process.stdout is not None
        saved = [process.stdout.readline() for _ in range(saves)][-1]
        time.sleep(0.0005 * (saves % 10))
        process.send_signal(signal.SIGKILL)
        saved = ([saved, *process.stdout.read().splitlines()])[-1]
    with engine.Store(url) as store:
        talk = store.open(tiny, "a")
        assert len(talk.turns) >= int(saved)
        straight = tiny.conversation(sampling=engine.Sampling(seed=1, length=20))
        for _ in range(len(talk.turns) // 2):
            assert straight.say("x").text
        same(straight, talk)
        assert talk.say("x").text == straight.say("x").text


def test_processes_write_side_by_side(url: str, tiny: Engine) -> None:
    engine.Store(url).close()
    each = [writer(url, name) for name in "abc"]
    counts = []
    for process in each:
        assert process.stdout is not None
        counts.append(int([process.stdout.readline() for _ in range(15)][-1]))
    for process in each:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
        process.wait()
    with engine.Store(url) as store:
        assert store.names() == ["a", "b", "c"]
        for name, count in zip("abc", counts, strict=True):
            assert len(store.open(tiny, name).turns) >= count


@pytest.mark.parametrize("keep_states", [True, False])
def test_a_memory_and_its_weights_are_there_again(url: str, tiny: Engine, keep_states: bool) -> None:
    sampling = engine.Sampling(seed=3, length=20, memory="mine")
    with engine.Store(url, keep_states=keep_states) as store:
        talk = tiny.conversation(sampling=sampling)
        talk.remember("the cat sat on the mat. " * 9)
        talk.say("the cat")
        store.save(talk, "a")
        talk.say("a dog, and")
        talk.undo()
        talk.retry()
        store.save(talk, "a")
        again = store.open(tiny, "a")
        same(again, talk)
        assert [turn.kind for turn in again.turns] == ["memory", "prompt", "reply", "prompt", "reply"]
        assert again.turns[-1].checkpoint.weights == talk.turns[-1].checkpoint.weights != b""
        assert again.say("the").text == talk.say("the").text
