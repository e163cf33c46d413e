"""Older schemas are brought up to date, newer ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sql

import engine
from engine.serving.engine import Engine
from engine.store import schema
from tests.engine.store.conversations import same, written


def test_a_store_of_the_first_version_is_migrated(url: str, tiny: Engine) -> None:
    """As version 1 left it: no notes, the state of zeros written out, the way forward from every turn."""
    talk = written(tiny)
    with engine.Store(url) as store:
        store.save(talk, "a")
        start, forward = talk.snapshot().turns[0], talk.snapshot().forward
        with store._database.writer.begin() as connection:
            connection.execute(sql.text("DROP TABLE notes"))
            for column in ("reopened", "weights", "begun"):
                connection.execute(sql.text(f"ALTER TABLE turns DROP COLUMN {column}"))
            connection.execute(schema.meta.update().values(value="1"))
            zeros = start.checkpoint.state.tobytes()
            connection.execute(schema.turns.update().where(schema.turns.c.id == 0).values(state=zeros))
            connection.execute(schema.conversations.update().values(forward=json.dumps(list(forward.items()))))
    with engine.Store(url) as store:
        same(store.open(tiny, "a"), talk)
        store.write_notes({("a", "b"): 1})
    with engine.Store(url) as store:
        assert store.note("a", "b") == 1


def test_a_store_from_before_the_memory_is_migrated(url: str, tiny: Engine) -> None:
    talk = written(tiny)
    with engine.Store(url) as store:
        store.save(talk, "a")
        with store._database.writer.begin() as connection:
            connection.execute(sql.text("ALTER TABLE turns DROP COLUMN weights"))
            connection.execute(schema.meta.update().values(value="3"))
    with engine.Store(url) as store:
        kept = store.open(tiny, "a")
        same(kept, talk)
        kept.remember("the cat sat on the mat")
        kept.say("the cat", sampling=engine.Sampling(memory="mine", length=5))
        store.save(kept, "a")
        same(store.open(tiny, "a"), kept)


def test_a_store_from_before_branches_and_ends_is_migrated(url: str, tiny: Engine) -> None:
    """Its settings know nothing of what came later; its replies stay, and new ones are written as it wrote them."""
    talk, later = written(tiny), ("end", "ban", "bias", "dry_multiplier", "dry_base", "xtc_probability")
    with engine.Store(url) as store:
        store.save(talk, "a")
        with store._database.writer.begin() as connection:
            connection.execute(sql.text("ALTER TABLE turns DROP COLUMN begun"))
            connection.execute(schema.meta.update().values(value="4"))
            for table in (schema.conversations, schema.turns):
                for number, text in connection.execute(sql.select(table.c.id, table.c.sampling)).all():
                    if text is not None:
                        known = {name: value for name, value in json.loads(text).items() if name not in later}
                        connection.execute(
                            table.update().where(table.c.id == number).values(sampling=json.dumps(known))
                        )
    with engine.Store(url) as store:
        kept = store.open(tiny, "a")
        same(kept, talk)
        assert kept.sampling.end == "any"
        turn = next(one for one in kept.turns if one.kind == "reply" and len(one.tokens) > 1)
        kept.branch(turn.id, 1, turn.tokens[0], length=3).result()
        store.save(kept, "a")
        same(store.open(tiny, "a"), kept)
        assert store.open(tiny, "a").turns[-1].begun == 2


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
