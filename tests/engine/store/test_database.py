"""What a database does when it is full, read-only, locked or away; and what is deleted is gone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from tests.engine.store.conversations import SAMPLING, same, written
from tests.postgres import Server


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
