"""Conversations in SQLite and, where a server can be started, in PostgreSQL: the same tests for both."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sql

import engine
from engine.conversation.conversation import Conversation
from engine.serving.engine import Engine
from engine.store import schema
from tests.networks import tiny_engine
from tests.postgres import Server

SAMPLING = engine.Sampling(temperature=1.0, seed=2**63 + 5, length=8, stop=("zz", "é"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/below/stories.db"
    server: Server = request.getfixturevalue("postgres")
    database = sql.create_engine(server.url)
    with database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.dispose()
    return server.url


@pytest.fixture
def store(url: str) -> Iterator[engine.Store]:
    with engine.Store(url) as made:
        yield made


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


def test_a_store_of_the_first_version_is_migrated(url: str, tiny: Engine) -> None:
    """As version 1 left it: no notes, the state of zeros written out, the way forward from every turn."""
    talk = written(tiny)
    with engine.Store(url) as store:
        store.save(talk, "a")
        start, forward = talk.snapshot().turns[0], talk.snapshot().forward
        with store._database.writer.begin() as connection:
            connection.execute(sql.text("DROP TABLE notes"))
            connection.execute(schema.meta.update().values(value="1"))
            zeros = start.checkpoint.state.tobytes()
            connection.execute(schema.turns.update().where(schema.turns.c.id == 0).values(state=zeros))
            connection.execute(schema.conversations.update().values(forward=json.dumps(list(forward.items()))))
    with engine.Store(url) as store:
        same(store.open(tiny, "a"), talk)
        store.write_notes({("a", "b"): 1})
    with engine.Store(url) as store:
        assert store.note("a", "b") == 1


def written(tiny: Engine) -> Conversation:
    """A tree with branches, a stopped reply, unseen characters and a stop string."""
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the cat é漢\0")
    talk.retry()
    talk.undo()
    talk.say("ab", sampling=replace(SAMPLING, length=3))
    talk.say("", length=10**6).stop()
    talk.goto(2)
    return talk


def same(one: Conversation, other: Conversation) -> None:
    a, b = one.snapshot(), other.snapshot()
    assert (a.sampling, a.present, a.forward) == (b.sampling, b.present, b.forward)
    for x, y in zip(a.turns, b.turns, strict=True):
        assert x.checkpoint.state.tobytes() == y.checkpoint.state.tobytes()
        assert x.tokens == y.tokens
        plain = replace(x.checkpoint, source=y.checkpoint.source)
        assert replace(x, checkpoint=plain, written=y.written) == y


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


def test_texts_without_some_turns_hang_on_what_stood_before_them() -> None:
    texts = engine.Texts(((1, 0, "a"), (2, 1, "b"), (3, 2, "c"), (4, 1, "d"), (5, 4, "e")), 3)
    assert texts.without({2, 1}) == engine.Texts(((3, 0, "c"), (4, 0, "d"), (5, 4, "e")), 3)
    assert texts.without({3, 2}) == engine.Texts(((1, 0, "a"), (4, 1, "d"), (5, 4, "e")), 1)
    assert texts.without({1, 2, 3, 4, 5}) == engine.Texts((), 0)


def test_nobody_waits_while_somebody_reads_what_is_deleted(tmp_path: Path, tiny: Engine) -> None:
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        store.save(written(tiny), "a")
        with closing(sqlite3.connect(tmp_path / "s.db")) as reader, ThreadPoolExecutor(1) as worker:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM turns").fetchone()
            deleting = worker.submit(store.delete, "a")
            store.write_notes({("topic", "key"): 1})
            deleting.result()
        assert store.note("topic", "key") == 1
        assert store.names() == []


def test_both_backends_know_a_model_by_the_same_fingerprint(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir) as one, engine.load(keras_model_dir, backend="keras") as other:
        assert one.fingerprint == other.fingerprint
    with tiny_engine() as one, tiny_engine(seed=1) as other:
        assert one.fingerprint != other.fingerprint


def test_what_is_deleted_is_gone_from_the_disk(tmp_path: Path, tiny: Engine) -> None:
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        talk = tiny.conversation(sampling=SAMPLING)
        talk.say("unmistakable words")
        store.save(talk, "a")
        written_bytes = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"unmistakable" in written_bytes
        store.delete("a")
        assert store.names() == []
        assert b"unmistakable" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_newer_schema_and_damaged_files_are_refused(tmp_path: Path, tiny: Engine) -> None:
    path = tmp_path / "s.db"
    with engine.Store(f"sqlite:///{path}") as store:
        store.save(written(tiny), "a")
        with store._database.writer.begin() as connection:
            connection.execute(schema.meta.update().values(value="99"))
    with pytest.raises(engine.StoreError, match="newer textrepl"):
        engine.Store(f"sqlite:///{path}")
    (other := tmp_path / "other.db").write_bytes(b"this is no database at all, but long enough to look like one" * 99)
    with pytest.raises(engine.StoreError, match="not a database"):
        engine.Store(f"sqlite:///{other}")
    for wrong in (
        "stories",
        "mysql+nothing://x",
        "postgresql+psycopg://writer:secret@127.0.0.1:1/none?connect_timeout=2",
    ):
        with pytest.raises(engine.StoreError) as caught:
            engine.Store(wrong)
        assert "secret" not in str(caught.value)


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


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_an_error_and_keeps_what_was_saved(tmp_path: Path, tiny: Engine) -> None:
    (disk := tmp_path / "disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with engine.Store(f"sqlite:///{disk}/s.db") as store:
            talk = tiny.conversation(sampling=engine.Sampling(seed=1, length=2000))
            saved, message = 0, ""
            while not message:
                assert talk.say("x").text
                try:
                    store.save(talk, "a")
                    saved = len(talk.turns)
                except engine.StoreError as error:
                    message = str(error)
            assert "full" in message
            assert saved > 0
            assert len(store.open(tiny, "a").turns) == saved
            assert talk.say("go on").text  # the conversation itself is unharmed
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a read-only disk needs root")
def test_a_read_only_store_is_refused_in_one_line(tmp_path: Path, tiny: Engine) -> None:
    (disk := tmp_path / "disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        talk = written(tiny)
        with engine.Store(f"sqlite:///{disk}/s.db") as store:
            store.save(talk, "a")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(engine.StoreError, match="cannot be used") as caught:
            engine.Store(f"sqlite:///{disk}/s.db").save(talk, "a")
        assert "\n" not in str(caught.value)
        assert talk.say("go on").text
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_and_comes_back(url: str, postgres: Server, tiny: Engine) -> None:
    with engine.Store(url) as store:
        talk = tiny.conversation(sampling=engine.Sampling(seed=1, length=20))
        name = "a story"
        errors: list[str] = []
        saved = 0
        for number in range(60):
            if number == 20:
                postgres.stop()
            if number == 40:
                postgres.start()
            assert talk.say("x").text  # the engine goes on whatever the store does
            try:
                store.save(talk, name)
                saved += 1
            except engine.StoreError as error:
                errors.append(str(error))
        assert (saved, len(errors)) == (40, 20)
        assert all("nothing was changed" in error for error in errors)
        same(talk, store.open(tiny, name))
