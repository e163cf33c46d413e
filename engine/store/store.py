"""Conversations in SQL: the whole tree with its checkpoints, a turn a row. SQLite by default, PostgreSQL by URL.

A save is one transaction and durable once it returns; it writes the turns that are new, not the tree. Two processes may
use one store: a conversation that was changed elsewhere since it was opened or saved is refused, not overwritten.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs
import sqlalchemy as sql
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.engine import Engine as SqlEngine

from engine.conversation.checkpoint import State
from engine.conversation.conversation import Conversation, Runner
from engine.conversation.replay import Texts, read_again
from engine.conversation.reply import Reply
from engine.conversation.tree import Snapshot
from engine.errors import OtherWeights, StoreError
from engine.store import address, records, schema

TRUNCATE_ATTEMPTS, TRUNCATE_SECONDS = 200, 0.01
Notes = Mapping[tuple[str, str], Any]


@dataclass(slots=True)
class Handle:
    """What a conversation remembers of the store that it was saved in or opened from."""

    url: str
    id: int
    name: str
    revision: int
    last_turn: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A turn's larger parts in a store. Its random generator tells it from one of another conversation."""

    store: Store
    conversation: int
    turn: int
    generator: str

    def state(self) -> State:
        """The state `[S]` after it."""
        return records.read_floats(self.store.read_turn(self, "state"))

    def tokens(self) -> tuple[int, ...]:
        """Its tokens."""
        return records.read_whole_numbers(self.store.read_turn(self, "tokens"))


class Store:
    """Stored conversations. Raises `StoreError` for whatever the database cannot do."""

    def __init__(self, url: str | None = None, *, keep_states: bool = True) -> None:
        """By default an SQLite file in the platform's data directory. Makes the tables if there are none.

        Without `keep_states`, conversations that were saved or opened leave the states of all turns but the present one
        in the database, and read one when it is wanted: a tenth of the memory, and lost if they are deleted elsewhere.
        """
        self.url, self._keep_states = url or default_url(), keep_states
        self._address = parsed = address.read(url) if url else address.file(str(default_path()))
        with _errors(parsed):
            if parsed.get_backend_name() == "sqlite" and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            database = sql.create_engine(parsed, pool_pre_ping=True)  # a server may have been away
        if parsed.get_backend_name() == "sqlite":
            sql.event.listen(database, "connect", schema.prepare_sqlite)
            sql.event.listen(database, "begin", schema.begin_sqlite)
        self._database, self._writing = database, database.execution_options(is_writing=True)
        try:
            with self._transaction(self._writing) as connection:
                schema.migrate(connection, self._shown)
        except StoreError:
            self.close()
            raise

    def save(
        self, conversation: Conversation, name: str, *, notes: Notes | None = None, replaces: bool = False
    ) -> None:
        """Write what is new of a conversation under a name, which it must have had before or nobody may have.

        With `notes`, writes those in the same transaction; with `replaces`, deletes there what had the name.
        Raises `StoreError` if the name is taken, or if the conversation was changed elsewhere.
        """
        state = conversation.snapshot()
        handle = conversation.handle if isinstance(conversation.handle, Handle) else None
        if handle is not None and (replaces or (handle.url, handle.name) != (self.url, name)):
            handle = None
        before = -1 if handle is None else handle.last_turn
        rows = [records.row_of(turn) for turn in state.turns if turn.id > before]
        with self._transaction(self._writing) as connection:
            if replaces:
                _delete(connection, self._find(connection, name)["id"])
            if handle is None:
                handle = self._insert(
                    connection, name, {**records.conversation_row(state), **records.model_of(conversation.runner)}
                )
            else:
                handle = self._update(connection, handle, records.conversation_row(state))
            if rows:
                connection.execute(schema.turns.insert(), [{"conversation": handle.id, **row} for row in rows])
                handle = dataclasses.replace(handle, last_turn=max(row["id"] for row in rows))
            _write_notes(connection, notes or {})
        if replaces:
            self._empty_log()
        self._hand_over(conversation, handle, before)

    def open(
        self, model: Runner, name: str, *, feed_again: bool = False, owner: Hashable = None,
        wait: Callable[[Reply, int], object] = lambda reply, turns: reply.result(),
    ) -> Conversation:  # fmt: skip
        """A stored conversation, as it was. With `feed_again`, its texts read by another model (`engine.read_again`).

        That takes a while: `wait` is given each reply and how many turns there are, and waits for its end.
        What was read so is not the stored one any more: it is saved under another name, or in place of that.

        Raises `StoreError` if there is none of that name, and `OtherWeights` if another model has written it.
        """
        with self._transaction(self._database) as connection:
            found = self._find(connection, name)
            left_out = () if self._keep_states else ("state", "tokens")
            columns = [column for column in schema.turns.c if column.name not in left_out]
            selection = (
                sql.select(*columns).where(schema.turns.c.conversation == found["id"]).order_by(schema.turns.c.id)
            )
            rows = connection.execute(selection).mappings().all()
        zeros, kept = model.zero_state(), functools.partial(Kept, self, found["id"])
        turns = [records.read_turn(row, zeros, kept) for row in rows]
        if found["fingerprint"] == model.fingerprint:
            forward = records.latest_children(turns) | dict(json.loads(found["forward"]))
            snapshot = Snapshot(records.load_sampling(found["sampling"]), tuple(turns), found["present"], forward)
            conversation = Conversation.restored(model, snapshot, owner)
            handle = Handle(self.url, found["id"], name, found["revision"], max(turn.id for turn in turns))
            self._hand_over(conversation, handle, handle.last_turn)
            return conversation
        if not feed_again:
            raise OtherWeights(
                f"{name!r} was written with other weights (model {found['model']!r}) than those loaded: load that "
                "model, or open it with feed_again=True to have its text read by this one"
            )
        texts = Texts.from_turns(((turn.id, turn.parent, turn.text) for turn in turns), found["present"])
        return read_again(model, texts, records.load_sampling(found["sampling"]), owner=owner, wait=wait)

    def texts(self, name: str) -> Texts:
        """What a stored conversation says; no model is needed for that."""
        with self._transaction(self._database) as connection:
            found = self._find(connection, name)
            table = schema.turns.c
            selection = sql.select(table.id, table.parent, table.text).where(table.conversation == found["id"])
            rows = connection.execute(selection.order_by(table.id)).all()
        return Texts.from_turns(
            ((turn, parent, records.read_text(text)) for turn, parent, text in rows), found["present"]
        )

    def is_current(self, conversation: Conversation) -> bool:
        """Whether a conversation is still as this store has it: neither changed elsewhere nor deleted."""
        handle = conversation.handle
        if not isinstance(handle, Handle) or handle.url != self.url:
            return False
        with self._transaction(self._database) as connection:
            selection = sql.select(schema.conversations.c.revision).where(schema.conversations.c.id == handle.id)
            return connection.execute(selection).scalar() == handle.revision

    def mark(self, name: str) -> list[int] | None:
        """What tells a stored conversation, as it is now, from what it was and will be; None if there is none."""
        table = schema.conversations.c
        with self._transaction(self._database) as connection:
            selection = sql.select(table.id, table.revision).where(table.name == name)
            found = connection.execute(selection).first()
        return None if found is None else [found[0], found[1]]

    def write_notes(self, notes: Notes) -> None:
        """Keep small things beside the conversations: JSON values by topic and key, None deletes. One transaction."""
        with self._transaction(self._writing) as connection:
            _write_notes(connection, notes)

    def note(self, topic: str, key: str) -> Any:
        """A value that was kept, or None."""
        with self._transaction(self._database) as connection:
            selection = sql.select(schema.notes.c.value).where(schema.notes.c.topic == topic, schema.notes.c.key == key)
            found = connection.execute(selection).scalar()
        return None if found is None else json.loads(found)

    def notes(self, topic: str) -> dict[str, Any]:
        """All values of a topic, by key."""
        with self._transaction(self._database) as connection:
            selection = sql.select(schema.notes.c.key, schema.notes.c.value).where(schema.notes.c.topic == topic)
            rows = connection.execute(selection).all()
        return {key: json.loads(value) for key, value in rows}

    def names(self) -> list[str]:
        """All names, in order."""
        name = schema.conversations.c.name
        with self._transaction(self._database) as connection:
            return list(connection.execute(sql.select(name).order_by(name)).scalars())

    def delete(self, name: str, *, notes: Notes | None = None) -> None:
        """Delete a conversation for good: its pages are overwritten. Raises `StoreError` if there is none.

        With `notes`, writes those in the same transaction.
        """
        with self._transaction(self._writing) as connection:
            _delete(connection, self._find(connection, name)["id"])
            _write_notes(connection, notes or {})
        self._empty_log()

    def _empty_log(self) -> None:
        """Write over what was deleted in SQLite's log, too, unless somebody reads an older state all the while.

        Then the next one that empties it does, or the last connection that closes. Nobody waits for a lock meanwhile.
        """
        if self._database.dialect.name != "sqlite":
            return
        raw = self._database.raw_connection()
        with _errors(self._address), contextlib.closing(raw):
            cursor = raw.cursor()
            cursor.execute("PRAGMA busy_timeout=0")  # else it would keep writers out while it waits for readers
            try:
                for _ in range(TRUNCATE_ATTEMPTS):
                    is_busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not is_busy:
                        break
                    time.sleep(TRUNCATE_SECONDS)
            finally:
                cursor.execute(schema.BUSY_PRAGMA)

    def close(self) -> None:
        """Let go of the database."""
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self, conversation: Conversation, handle: Handle, before: int) -> None:
        """A conversation is as this store has it now; turns up to `before` were stored already."""
        conversation.handle = handle
        if not self._keep_states:
            kept = functools.partial(Kept, self, handle.id)
            conversation.put_by(lambda turn: kept(turn.id, records.generator_of(turn.checkpoint)), before)

    def read_turn(self, kept: Kept, name: str) -> bytes:
        """A part of a stored turn, by its column's name. Raises `StoreError` if it is not there any more."""
        column, table = schema.turns.c[name], schema.turns.c
        with self._transaction(self._database) as connection:
            selection = sql.select(column, table.generator)
            selection = selection.where(table.conversation == kept.conversation, table.id == kept.turn)
            found = connection.execute(selection).first()
        if found is None or found[1] != kept.generator:
            raise StoreError(f"the conversation was deleted from {self._shown} since it was opened: open another one")
        return bytes(found[0])

    def _find(self, connection: Connection, name: str) -> RowMapping:
        selection = schema.conversations.select().where(schema.conversations.c.name == name)
        found = connection.execute(selection).mappings().first()
        if found is None:
            raise StoreError(f"there is no conversation {name!r} in {self._shown}")
        return found

    @property
    def _shown(self) -> str:
        """The URL without its password."""
        return address.shown(self._address)

    @contextmanager
    def _transaction(self, database: SqlEngine) -> Iterator[Connection]:
        with _errors(self._address), database.begin() as connection:
            yield connection

    def _insert(self, connection: Connection, name: str, values: dict[str, Any]) -> Handle:
        try:
            inserted = connection.execute(schema.conversations.insert().values(name=name, revision=1, **values))
        except sql.exc.IntegrityError:
            raise StoreError(
                f"{name!r} is the name of another conversation: choose another one, or delete that"
            ) from None
        (number,) = inserted.inserted_primary_key or (0,)
        return Handle(self.url, number, name, 1, -1)

    def _update(self, connection: Connection, handle: Handle, values: dict[str, Any]) -> Handle:
        table = schema.conversations.c
        changed = connection.execute(
            schema.conversations.update()
            .where(table.id == handle.id, table.name == handle.name, table.revision == handle.revision)
            .values(revision=handle.revision + 1, **values)
        )
        if changed.rowcount != 1:
            raise StoreError(
                f"{handle.name!r} was changed or deleted elsewhere since it was opened: open it again, or save this "
                "one under another name"
            )
        return dataclasses.replace(handle, revision=handle.revision + 1)


def _delete(connection: Connection, conversation: int) -> None:
    connection.execute(schema.turns.delete().where(schema.turns.c.conversation == conversation))
    connection.execute(schema.conversations.delete().where(schema.conversations.c.id == conversation))


def _write_notes(connection: Connection, notes: Notes) -> None:
    for (topic, key), value in notes.items():
        connection.execute(schema.notes.delete().where(schema.notes.c.topic == topic, schema.notes.c.key == key))
        if value is not None:
            connection.execute(schema.notes.insert().values(topic=topic, key=key, value=json.dumps(value)))


def default_path() -> Path:
    """Where conversations lie unless another place is named."""
    return Path(platformdirs.user_data_dir("textrepl")) / "conversations.db"


def default_url() -> str:
    """The SQLite file in the platform's folder for a user's data."""
    return f"sqlite:///{default_path()}"


@contextmanager
def _errors(url: sql.URL) -> Iterator[None]:
    try:
        yield
    except (sql.exc.SQLAlchemyError, OSError, ValueError, KeyError, TypeError) as error:
        first, *_ = [*str(getattr(error, "orig", None) or error).strip().splitlines(), type(error).__name__]
        reason = address.without_password(first, url)
        raise StoreError(f"{address.shown(url)} cannot be used ({reason}); nothing was changed") from error
