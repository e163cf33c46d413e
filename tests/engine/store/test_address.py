"""Databases' addresses as people write them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import engine
from engine.errors import StoreError
from engine.store import address
from tests.postgres import Server

SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("sqlite:///tales.db", "tales.db"), ("sqlite:////var/tales.db", "/var/tales.db"), ("tales.db", "tales.db"),
        ("sqlite:tales.db", "tales.db"), ("sqlite:/var/tales.db", "/var/tales.db"), ("sqlite://tales.db", "tales.db"),
        ("my tales/été.db", "my tales/été.db"), ("/a@b/c:d?e%41.db", "/a@b/c:d?e%41.db"), ("../up.db", "../up.db"),
        (" sqlite:///tales.db\n", "tales.db"), ("SQLite:///tales.db", "tales.db"), ("sqlite+pysqlite:///t.db", "t.db"),
        ("sqlite://", None), ("sqlite::memory:", None), ("caf\udce9.db", "caf\udce9.db"),
    ],
)  # fmt: skip
def test_a_file_is_named_in_many_ways(written: str, path: str | None) -> None:
    found = address.read(written)
    assert (found.get_backend_name(), found.database, found.host) == ("sqlite", path, None)


@pytest.mark.parametrize("written", ["~/tales.db", "sqlite:~/tales.db", "sqlite://~/tales.db", "sqlite:///~/tales.db"])
def test_a_path_may_begin_at_home(written: str) -> None:
    assert address.read(written).database == str(Path.home() / "tales.db")


@pytest.mark.parametrize("written", ["~nobody-here/tales.db", "~tales.db", "sqlite:///~tales.db"])
def test_a_tilde_that_is_nobodys_home_is_a_letter(written: str) -> None:
    assert address.read(written).database == written.removeprefix("sqlite:///")


@pytest.mark.parametrize(
    "written",
    [
        f"postgres://ann:{SECRET}@ec2-1.example.org:5432/d4?sslmode=require", f"postgresql://ann:{SECRET}@h/d",
        f"Postgres://ann:{SECRET}@h/d", f"postgres+psycopg://ann:{SECRET}@h/d", f"postgresql+psycopg://ann:{SECRET}@h/d",
    ],
)  # fmt: skip
def test_a_server_is_reached_by_the_driver_that_is_there(written: str) -> None:
    found = address.read(written)
    assert (found.drivername, found.username, found.password) == ("postgresql+psycopg", "ann", SECRET)
    assert SECRET not in address.shown(found)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("sqlite://home/me/tales.db", "write sqlite:///home/me/tales.db for a file from here, sqlite:////home/me/"),
        (f"sqlite://ann:{SECRET}@host/tales.db", "has no host"),
        ("sqlite+aiosqlite:///tales.db", "write sqlite:///"),
        (f"postgres://ann:{SECRET}", "no database URL"),  # and no host
        (f"postgres:ann:{SECRET}", "no database URL"),
        (f"postgres://ann:{SECRET}@host:54a2/d", "no database URL"),
        (f"postgres://ann:{SECRET}@x@host/d", "write %40 for @"),
        (f'"postgres://ann:{SECRET}@host/d"', "no database URL"),
        (f"DATABASE_URL=postgres://ann:{SECRET}@host/d", "no database URL"),
        (f"jdbc:postgresql://host/d?password={SECRET}", "no database URL"),
        (f"ann:{SECRET}@host/d", "no database URL"),
        (f"mysql://ann:{SECRET}@host/d", "not by mysql"),
        (f"postgresql+psycopg2://ann:{SECRET}@host/d", "psycopg2 is not installed: pip install 'textrepl[postgres]'"),
        (f"postgresql+nosuch://ann:{SECRET}@host/d", "is not installed"),
        ("sqlite:", "is empty"),
        (" ", "is empty"),
        ("sqlite:///tales.db?mode=ro", "options that SQLite cannot read (mode): leave them out"),
        ("sqlite:////var/tales.db?a=1&b=2", "SQLite cannot read (a, b)"),
        ("sqlite:///tales.db?timeout=long", "SQLite cannot read (timeout)"),
        (f"sqlite:///tales.db?password={SECRET}", "SQLite cannot read (password)"),
    ],
)
def test_what_is_no_address_is_told_with_the_right_form_and_no_password(written: str, words: str) -> None:
    if "psycopg2" in written and importlib.util.find_spec("psycopg2"):
        pytest.skip("it is installed")
    with pytest.raises(StoreError) as caught:
        engine.Store(written)
    message = str(caught.value)
    assert words in message
    assert SECRET not in message
    assert "\n" not in message


@pytest.mark.parametrize("written", ["a\udce9 b.db", "sqlite:a%20b?c.db", "tale\x1b[31m.db", "sub/tales.db"])
def test_a_file_of_any_name_keeps_stories(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with engine.Store(written) as store:
        store.write_notes({("a", "b"): 1})
        with pytest.raises(StoreError, match="there is no conversation") as caught:
            store.texts("none")
        assert str(caught.value).isprintable()
    with engine.Store(written) as again:
        assert again.note("a", "b") == 1


def test_the_home_folder_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "what? 100%41@home"))
    engine.Store().close()
    assert (tmp_path / "what? 100%41@home" / "textrepl" / "conversations.db").is_file()


@pytest.mark.parametrize(
    "written",
    [
        f"postgres://ann:{SECRET}@127.0.0.1:9/d", f"postgresql://ann@127.0.0.1:9/d?password={SECRET}",
        f"postgresql://ann:x@127.0.0.1:9/d?pasword={SECRET}",
    ],
)  # fmt: skip
def test_no_failure_repeats_a_password(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="cannot be used") as caught:
        engine.Store(written)
    assert SECRET not in str(caught.value)


def test_a_server_is_used_by_the_address_that_hosts_give(postgres: Server) -> None:
    with engine.Store(postgres.url.replace("postgresql+psycopg", "postgres")) as store:
        assert store.names() == []
