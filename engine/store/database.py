"""The connection to a store's database: transactions, and every error as a `StoreError`. Knows no conversation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from engine.errors import StoreError
from engine.store import address, schema

TRUNCATE_ATTEMPTS, TRUNCATE_SECONDS = 200, 0.01


class Database:
    """A database that has the tables of a store. Raises `StoreError` for whatever it cannot do."""

    def __init__(self, url: sql.URL) -> None:
        """Makes the file and the tables if there are none."""
        self._url = url
        is_sqlite = url.get_backend_name() == "sqlite"
        with self._errors():
            if is_sqlite and url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            self._reader = sql.create_engine(url, pool_pre_ping=True)  # a server may have been away
        if is_sqlite:
            sql.event.listen(self._reader, "connect", schema.prepare_sqlite)
            sql.event.listen(self._reader, "begin", schema.begin_sqlite)
        self.writer = self._reader.execution_options(is_writing=True)
        try:
            with self.writing() as connection:
                schema.migrate(connection, self.shown)
        except StoreError:
            self.close()
            raise

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return address.shown(self._url)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing."""
        with self._errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes all or nothing, and is on the disk at its end."""
        with self._errors(), self.writer.begin() as connection:
            yield connection

    def empty_log(self) -> None:
        """Overwrite what was deleted in SQLite's log, too, unless a reader holds an older version for two seconds.

        Then the next call does it, or the last connection that closes. No writer waits for a lock meanwhile.
        """
        if self._reader.dialect.name != "sqlite":
            return
        raw = self._reader.raw_connection()
        with self._errors(), contextlib.closing(raw):
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
        """Close all connections."""
        self._reader.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sql.exc.SQLAlchemyError, OSError, ValueError, KeyError, TypeError) as error:
            first, *_ = [*str(getattr(error, "orig", None) or error).strip().splitlines(), type(error).__name__]
            reason = address.without_password(first, self._url)
            raise StoreError(f"{self.shown} cannot be used ({reason}); nothing was changed") from error
