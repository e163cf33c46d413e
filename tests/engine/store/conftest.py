"""Stores in SQLite and, where a server can be started, in PostgreSQL: the same tests for both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql

import engine
from tests.postgres import Server


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
