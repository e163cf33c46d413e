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
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import platformdirs
import sqlalchemy as sql
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.engine import Engine as SqlEngine

from engine.checkpoint import Checkpoint, State
from engine.conversation import Conversation, Runner, Snapshot, Turn
from engine.errors import OtherWeights, StoreError
from engine.reply import Reply
from engine.sampling import Sampling

VERSION = 2
TRUNCATE_ATTEMPTS, TRUNCATE_SECONDS = 200, 0.01
CACHE_KILOBYTES = 512  # a connection: each thread has one, and the system keeps the file in memory anyway
BUSY_SECONDS = 10  # how long a save waits for another process to finish its own
FULL_INT, FULL_FLOAT = np.dtype("<i4"), np.dtype("<f4")

_tables = sql.MetaData()
_meta = sql.Table(
    "textrepl_meta",
    _tables,
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),
)
_conversations = sql.Table(
    "conversations",
    _tables,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("name", sql.Text, nullable=False, unique=True),
    sql.Column("model", sql.Text, nullable=False),  # its name, for messages
    sql.Column("fingerprint", sql.Text, nullable=False),  # of its weights
    sql.Column("sampling", sql.Text, nullable=False),
    sql.Column("present", sql.Integer, nullable=False),
    sql.Column("forward", sql.Text, nullable=False),  # JSON pairs: from a turn to a child other than its latest
    sql.Column("revision", sql.Integer, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, so a stale handle cannot hit another conversation
)
_turns = sql.Table(
    "turns",
    _tables,
    sql.Column("conversation", sql.Integer, sql.ForeignKey("conversations.id"), primary_key=True),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("parent", sql.Integer),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("text", sql.LargeBinary, nullable=False),  # UTF-8: a text may hold what a database's text may not
    sql.Column("tokens", sql.LargeBinary, nullable=False),  # int32, little-endian
    sql.Column("state", sql.LargeBinary, nullable=False),  # float32, little-endian; nothing at all where all is zero
    sql.Column("pending", sql.LargeBinary, nullable=False),  # int32, little-endian
    sql.Column("generator", sql.Text, nullable=False),  # seed, key and place; they may have 64 bits without a sign
    sql.Column("sampling", sql.Text),
    sql.Column("finish_reason", sql.Text),
    sql.Column("drawn", sql.Integer, nullable=False),
)
_notes = sql.Table(
    "notes",
    _tables,
    sql.Column("topic", sql.Text, primary_key=True),
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),  # JSON
)


def _create_conversations(connection: Connection) -> None:
    _tables.create_all(connection, tables=[_meta, _conversations, _turns])


def _create_notes(connection: Connection) -> None:
    _tables.create_all(connection, tables=[_notes])


MIGRATIONS: list[Callable[[Connection], None]] = [_create_conversations, _create_notes]  # from each version to the next
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
        return _floats(self.store.read_turn(self, "state"))

    def tokens(self) -> tuple[int, ...]:
        """Its tokens."""
        return _whole_numbers(self.store.read_turn(self, "tokens"))


class Store:
    """Stored conversations. Raises `StoreError` for whatever the database cannot do."""

    def __init__(self, url: str | None = None, *, keep_states: bool = True) -> None:
        """By default an SQLite file in the platform's data directory. Makes the tables if there are none.

        Without `keep_states`, conversations that were saved or opened leave the states of all turns but the present one
        in the database, and read one when it is wanted: a tenth of the memory, and lost if they are deleted elsewhere.
        """
        self.url, self._keep_states = url or default_url(), keep_states
        try:
            parsed = sql.make_url(self.url)
        except sql.exc.ArgumentError:
            shown = "the store's URL" if "@" in self.url else repr(self.url)  # it may hold a password
            raise StoreError(f"{shown} is no database URL: give one like sqlite:///stories.db") from None
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            with _errors(self.url):
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            database = sql.create_engine(parsed, pool_pre_ping=True)  # a server may have been away
        except (ImportError, sql.exc.NoSuchModuleError) as error:
            raise StoreError(f"{parsed.drivername} is not installed ({error}): install its driver") from None
        if parsed.get_backend_name() == "sqlite":
            sql.event.listen(database, "connect", _prepare_sqlite)
            sql.event.listen(database, "begin", _begin_sqlite)
        self._database, self._writing = database, database.execution_options(is_writing=True)
        try:
            with self._transaction(self._writing) as connection:
                _migrate(connection, self._shown)
        except StoreError:
            self.close()
            raise

    def save(self, conversation: Conversation, name: str, *, notes: Notes | None = None) -> None:
        """Write what is new of a conversation under a name, which it must have had before or nobody may have.

        With `notes`, writes those in the same transaction.
        Raises `StoreError` if the name is taken, or if the conversation was changed elsewhere.
        """
        state = conversation.snapshot()
        handle = conversation.handle if isinstance(conversation.handle, Handle) else None
        if handle is not None and (handle.url, handle.name) != (self.url, name):
            handle = None
        before = -1 if handle is None else handle.last_turn
        rows = [_turn_row(turn) for turn in state.turns if turn.id > before]
        with self._transaction(self._writing) as connection:
            if handle is None:
                handle = self._insert(connection, name, {**_place(state), **_model(conversation.runner)})
            else:
                handle = self._update(connection, handle, _place(state))
            if rows:
                connection.execute(_turns.insert(), [{"conversation": handle.id, **row} for row in rows])
                handle = dataclasses.replace(handle, last_turn=max(row["id"] for row in rows))
            _write_notes(connection, notes or {})
        self._hand_over(conversation, handle, before)

    def save_copies(self, conversation: Conversation, names: Iterable[str]) -> None:
        """Save a conversation under many new names in one transaction, as for a test with a large store."""
        state = conversation.snapshot()
        values = {**_place(state), **_model(conversation.runner)}
        rows = [_turn_row(turn) for turn in state.turns]
        with self._transaction(self._writing) as connection:
            for name in names:
                handle = self._insert(connection, name, values)
                connection.execute(_turns.insert(), [{"conversation": handle.id, **row} for row in rows])

    def open(
        self, model: Runner, name: str, *, feed_again: bool = False, owner: Hashable = None,
        wait: Callable[[Reply, int], object] = lambda reply, turns: reply.result(),
    ) -> Conversation:  # fmt: skip
        """A stored conversation, as it was. With `feed_again`, its present branch read by another model.

        That takes a while: `wait` is given each reply and how many turns there are, and waits for its end.

        Raises `StoreError` if there is none of that name, and `OtherWeights` if another model has written it.
        """
        with self._transaction(self._database) as connection:
            found = self._find(connection, name)
            left_out = () if self._keep_states else ("state", "tokens")
            columns = [column for column in _turns.c if column.name not in left_out]
            selection = sql.select(*columns).where(_turns.c.conversation == found["id"]).order_by(_turns.c.id)
            rows = connection.execute(selection).mappings().all()
        zeros, kept = model.zero_state(), functools.partial(Kept, self, found["id"])
        turns = [_read_turn(row, zeros, kept) for row in rows]
        if found["fingerprint"] == model.fingerprint:
            forward = _latest_children(turns) | dict(json.loads(found["forward"]))
            snapshot = Snapshot(_load_sampling(found["sampling"]), tuple(turns), found["present"], forward)
            conversation = Conversation.restored(model, snapshot, owner)
            handle = Handle(self.url, found["id"], name, found["revision"], max(turn.id for turn in turns))
            self._hand_over(conversation, handle, handle.last_turn)
            return conversation
        if not feed_again:
            raise OtherWeights(
                f"{name!r} was written with other weights (model {found['model']!r}) than those loaded: load that "
                "model, or open it with feed_again=True to have its text read by this one"
            )
        conversation = Conversation(model, _load_sampling(found["sampling"]), owner)
        branch = _branch({turn.id: (turn.parent, turn.text) for turn in turns}, found["present"])
        for _, text in branch:
            wait(conversation.say(text, length=0), len(branch))
        return conversation

    def branch(self, name: str) -> list[tuple[int, str]]:
        """The turns of a stored conversation's present branch, as ids and texts; no model is needed for that."""
        with self._transaction(self._database) as connection:
            found = self._find(connection, name)
            columns = _turns.c.id, _turns.c.parent, _turns.c.text
            rows = connection.execute(sql.select(*columns).where(_turns.c.conversation == found["id"])).all()
        return _branch({turn: (parent, _read_text(text)) for turn, parent, text in rows}, found["present"])

    def is_current(self, conversation: Conversation) -> bool:
        """Whether a conversation is still as this store has it: neither changed elsewhere nor deleted."""
        handle = conversation.handle
        if not isinstance(handle, Handle) or handle.url != self.url:
            return False
        with self._transaction(self._database) as connection:
            selection = sql.select(_conversations.c.revision).where(_conversations.c.id == handle.id)
            return connection.execute(selection).scalar() == handle.revision

    def write_notes(self, notes: Notes) -> None:
        """Keep small things beside the conversations: JSON values by topic and key, None deletes. One transaction."""
        with self._transaction(self._writing) as connection:
            _write_notes(connection, notes)

    def note(self, topic: str, key: str) -> Any:
        """A value that was kept, or None."""
        with self._transaction(self._database) as connection:
            selection = sql.select(_notes.c.value).where(_notes.c.topic == topic, _notes.c.key == key)
            found = connection.execute(selection).scalar()
        return None if found is None else json.loads(found)

    def notes(self, topic: str) -> dict[str, Any]:
        """All values of a topic, by key."""
        with self._transaction(self._database) as connection:
            rows = connection.execute(sql.select(_notes.c.key, _notes.c.value).where(_notes.c.topic == topic)).all()
        return {key: json.loads(value) for key, value in rows}

    def names(self) -> list[str]:
        """All names, in order."""
        with self._transaction(self._database) as connection:
            return list(connection.execute(sql.select(_conversations.c.name).order_by(_conversations.c.name)).scalars())

    def delete(self, name: str) -> None:
        """Delete a conversation for good: its pages are overwritten. Raises `StoreError` if there is none."""
        with self._transaction(self._writing) as connection:
            found = connection.execute(sql.select(_conversations.c.id).where(_conversations.c.name == name)).scalar()
            if found is None:
                raise StoreError(f"there is no conversation {name!r} in {self._shown}")
            connection.execute(_turns.delete().where(_turns.c.conversation == found))
            connection.execute(_conversations.delete().where(_conversations.c.id == found))
        if self._database.dialect.name == "sqlite":
            raw = self._database.raw_connection()  # out of the log, too, which no transaction may hold open
            with _errors(self._shown), contextlib.closing(raw):
                for _ in range(TRUNCATE_ATTEMPTS):
                    is_busy, *_ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not is_busy:
                        break
                    time.sleep(TRUNCATE_SECONDS)  # somebody reads an older state

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
            conversation.put_by(lambda turn: kept(turn.id, _generator(turn.checkpoint)), before)

    def read_turn(self, kept: Kept, name: str) -> bytes:
        """A part of a stored turn, by its column's name. Raises `StoreError` if it is not there any more."""
        column, table = _turns.c[name], _turns.c
        with self._transaction(self._database) as connection:
            selection = sql.select(column, table.generator)
            selection = selection.where(table.conversation == kept.conversation, table.id == kept.turn)
            found = connection.execute(selection).first()
        if found is None or found[1] != kept.generator:
            raise StoreError(f"the conversation was deleted from {self._shown} since it was opened: open another one")
        return bytes(found[0])

    def _find(self, connection: Connection, name: str) -> RowMapping:
        found = connection.execute(_conversations.select().where(_conversations.c.name == name)).mappings().first()
        if found is None:
            raise StoreError(f"there is no conversation {name!r} in {self._shown}")
        return found

    @property
    def _shown(self) -> str:
        """The URL without its password."""
        return sql.make_url(self.url).render_as_string(hide_password=True)

    @contextmanager
    def _transaction(self, database: SqlEngine) -> Iterator[Connection]:
        with _errors(self._shown), database.begin() as connection:
            yield connection

    def _insert(self, connection: Connection, name: str, values: dict[str, Any]) -> Handle:
        try:
            inserted = connection.execute(_conversations.insert().values(name=name, revision=1, **values))
        except sql.exc.IntegrityError:
            raise StoreError(
                f"{name!r} is the name of another conversation: choose another one, or delete that"
            ) from None
        (number,) = inserted.inserted_primary_key or (0,)
        return Handle(self.url, number, name, 1, -1)

    def _update(self, connection: Connection, handle: Handle, values: dict[str, Any]) -> Handle:
        table = _conversations.c
        changed = connection.execute(
            _conversations.update()
            .where(table.id == handle.id, table.name == handle.name, table.revision == handle.revision)
            .values(revision=handle.revision + 1, **values)
        )
        if changed.rowcount != 1:
            raise StoreError(
                f"{handle.name!r} was changed or deleted elsewhere since it was opened: open it again, or save this "
                "one under another name"
            )
        return dataclasses.replace(handle, revision=handle.revision + 1)


def _write_notes(connection: Connection, notes: Notes) -> None:
    for (topic, key), value in notes.items():
        connection.execute(_notes.delete().where(_notes.c.topic == topic, _notes.c.key == key))
        if value is not None:
            connection.execute(_notes.insert().values(topic=topic, key=key, value=json.dumps(value)))


def default_url() -> str:
    """The SQLite file in the platform's folder for a user's data."""
    return f"sqlite:///{Path(platformdirs.user_data_dir('textrepl')) / 'conversations.db'}"


def _prepare_sqlite(connection: Any, record: object) -> None:
    """WAL: readers never wait. FULL: a commit is on the disk. Secure delete: what is deleted is overwritten."""
    connection.isolation_level = None  # `_begin_sqlite` begins transactions
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", f"busy_timeout={BUSY_SECONDS * 1000}",
        f"cache_size=-{CACHE_KILOBYTES}",
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """The driver's own transactions begin late and leave out table changes. A writer asks for its lock at once."""
    writes = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection, url: str) -> None:
    if connection.dialect.name == "postgresql":  # one process at a time
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7270126)")
    has_tables = sql.inspect(connection).has_table(_meta.name)
    found = (
        connection.execute(sql.select(_meta.c.value).where(_meta.c.key == "version")).scalar() if has_tables else "0"
    )
    version = int(found or 0)
    if version > VERSION:
        raise StoreError(f"{url} has the schema of a newer textrepl (version {version}): update textrepl")
    if version == VERSION:
        return
    for migration in MIGRATIONS[version:]:
        migration(connection)
    connection.execute(_meta.delete().where(_meta.c.key == "version"))
    connection.execute(_meta.insert().values(key="version", value=str(VERSION)))


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except (sql.exc.SQLAlchemyError, OSError, ValueError, KeyError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StoreError(f"{url} cannot be used ({reason}); nothing was changed") from error


def _place(state: Snapshot) -> dict[str, Any]:
    """What changes in a conversation's own row from save to save."""
    latest = _latest_children(state.turns)
    elsewhere = sorted(step for step in state.forward.items() if latest[step[0]] != step[1])
    return {
        "sampling": _dump_sampling(state.sampling),
        "present": state.present,
        "forward": json.dumps(elsewhere),
    }


def _latest_children(turns: Iterable[Turn]) -> dict[int, int]:
    """The way forward from each turn where nobody went back: to its latest child. `turns` in the order of their ids."""
    return {turn.parent: turn.id for turn in turns if turn.parent is not None}


def _model(runner: Runner) -> dict[str, str]:
    """What wrote a conversation; it never changes."""
    return {"model": runner.name, "fingerprint": runner.fingerprint}


def _turn_row(turn: Turn) -> dict[str, Any]:
    point = turn.checkpoint
    return {
        "id": turn.id,
        "parent": turn.parent,
        "kind": turn.kind,
        "text": turn.text.encode("utf-8", "surrogatepass"),
        "tokens": np.array(turn.tokens, FULL_INT).tobytes(),
        "state": b"" if turn.kind == "start" else point.state.astype(FULL_FLOAT, copy=False).tobytes(),
        "pending": np.array(point.pending, FULL_INT).tobytes(),
        "generator": _generator(point),
        "sampling": None if turn.sampling is None else _dump_sampling(turn.sampling),
        "finish_reason": turn.finish_reason,
        "drawn": turn.drawn,
    }


def _generator(point: Checkpoint) -> str:
    return json.dumps([point.seed, point.key, point.place])


def _read_turn(row: RowMapping, zero_state: State, kept: Callable[[int, str], Kept]) -> Turn:
    """A turn of a row; `kept` tells where its tokens and state are, if the row has none."""
    seed, key, place = json.loads(row["generator"])
    source: State | Callable[[], State] = zero_state
    written: tuple[int, ...] | Callable[[], tuple[int, ...]] = ()
    if row["kind"] != "start" and "state" in row:
        source, written = _floats(row["state"]), _whole_numbers(row["tokens"])
    elif row["kind"] != "start":
        place_of = kept(row["id"], row["generator"])
        source, written = place_of.state, place_of.tokens
    checkpoint = Checkpoint(source, _whole_numbers(row["pending"]), seed, key, place)
    return Turn(
        row["id"],
        row["kind"],
        _read_text(row["text"]),
        written,
        row["parent"],
        checkpoint,
        None if row["sampling"] is None else _load_sampling(row["sampling"]),
        row["finish_reason"],
        row["drawn"],
    )


def _floats(data: bytes) -> State:
    return np.frombuffer(data, FULL_FLOAT).astype(np.float32)


def _whole_numbers(data: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(data, FULL_INT).tolist())


def _dump_sampling(sampling: Sampling) -> str:
    return json.dumps(dataclasses.asdict(sampling))


@functools.lru_cache(maxsize=256)  # a conversation's turns mostly have the same
def _load_sampling(text: str) -> Sampling:
    return Sampling(**json.loads(text))


def _read_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _branch(turns: Mapping[int, tuple[int | None, str]], present: int) -> list[tuple[int, str]]:
    """The way from the start to a turn, as ids and texts, from the parent and text of each turn."""
    branch, (parent, text) = [], turns[present]
    while parent is not None:
        branch.append((present, text))
        present = parent
        parent, text = turns[present]
    return branch[::-1]
