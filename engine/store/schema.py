"""The store's tables, how they come to the latest version, and the settings of SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from engine.errors import StoreError

VERSION = 5
CACHE_KILOBYTES = 512  # a connection: each thread has one, and the system keeps the file in memory anyway
BUSY_SECONDS = 10  # how long a save waits for another process to finish its own
BUSY_PRAGMA = f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}"

metadata = sql.MetaData()
meta = sql.Table(
    "textrepl_meta",
    metadata,
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),
)
conversations = sql.Table(
    "conversations",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("name", sql.Text, nullable=False, unique=True),
    sql.Column("model", sql.Text, nullable=False),  # its name, for messages
    sql.Column("fingerprint", sql.Text, nullable=False),  # of its weights
    sql.Column("sampling", sql.Text, nullable=False),
    sql.Column("present", sql.Integer, nullable=False),
    sql.Column("forward", sql.Text, nullable=False),  # JSON pairs: from a turn to a child other than its latest
    sql.Column("revision", sql.Integer, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, so a stale version cannot hit another conversation
)
turns = sql.Table(
    "turns",
    metadata,
    sql.Column("conversation", sql.Integer, sql.ForeignKey("conversations.id"), primary_key=True),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("parent", sql.Integer),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("text", sql.LargeBinary, nullable=False),  # UTF-8: a text may hold what a database's text may not
    sql.Column("tokens", sql.LargeBinary, nullable=False),  # int32, little-endian
    sql.Column("state", sql.LargeBinary, nullable=False),  # float32, little-endian; nothing at all where all is zero
    sql.Column("pending", sql.LargeBinary, nullable=False),  # int32, little-endian
    sql.Column("generator", sql.Text, nullable=False),  # seed, key and offset; they may have 64 bits without a sign
    sql.Column("sampling", sql.Text),
    sql.Column("finish_reason", sql.Text),
    sql.Column("drawn", sql.Integer, nullable=False),
    sql.Column("reopened", sql.Integer, nullable=False, server_default="0"),  # of the pending tokens, the last ones
    sql.Column(
        "weights", sql.LargeBinary
    ),  # of the story's memory, packed; null where they are those of the turn before
    sql.Column(
        "begun", sql.Integer, nullable=False, server_default="0"
    ),  # of a reply's tokens, the first that were given
)
notes = sql.Table(
    "notes",
    metadata,
    sql.Column("topic", sql.Text, primary_key=True),
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),  # JSON
)


def _create_conversations(connection: Connection) -> None:
    metadata.create_all(connection, tables=[meta, conversations, turns])  # as they are now


def _create_notes(connection: Connection) -> None:
    metadata.create_all(connection, tables=[notes])


def _add_reopened(connection: Connection) -> None:
    _add(connection, turns.c.reopened, " NOT NULL DEFAULT 0")


def _add_weights(connection: Connection) -> None:
    _add(connection, turns.c.weights)


def _add_begun(connection: Connection) -> None:
    _add(connection, turns.c.begun, " NOT NULL DEFAULT 0")


def _add(connection: Connection, column: sql.Column[Any], rest: str = "") -> None:
    """Add a column to the turns, unless the tables were made with it just now."""
    if column.name not in {known["name"] for known in sql.inspect(connection).get_columns(turns.name)}:
        kind = column.type.compile(connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {turns.name} ADD COLUMN {column.name} {kind}{rest}")


# from each version to the next
MIGRATIONS: list[Callable[[Connection], None]] = [
    _create_conversations,
    _create_notes,
    _add_reopened,
    _add_weights,
    _add_begun,
]


def prepare_sqlite(connection: Any, record: object) -> None:
    """WAL: readers never wait. FULL: a commit is on the disk. Secure delete: what is deleted is overwritten."""
    connection.isolation_level = None  # `begin_sqlite` begins transactions
    for pragma in (
        "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON", BUSY_PRAGMA,
        f"PRAGMA cache_size=-{CACHE_KILOBYTES}",
    ):  # fmt: skip
        connection.execute(pragma)


def begin_sqlite(connection: Connection) -> None:
    """The driver's own transactions begin late and leave out table changes. A writer asks for its lock at once."""
    writes = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(connection: Connection, url: str) -> None:
    """Make the tables, or bring them up to date. Raises `StoreError` where they are newer than this program."""
    if connection.dialect.name == "postgresql":  # one process at a time
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7270126)")
    has_tables = sql.inspect(connection).has_table(meta.name)
    value = connection.execute(sql.select(meta.c.value).where(meta.c.key == "version")).scalar() if has_tables else "0"
    version = int(value or 0)
    if version > VERSION:
        raise StoreError(f"{url} has the schema of a newer textrepl (version {version}): update textrepl")
    if version == VERSION:
        return
    for migration in MIGRATIONS[version:]:
        migration(connection)
    connection.execute(meta.delete().where(meta.c.key == "version"))
    connection.execute(meta.insert().values(key="version", value=str(VERSION)))
