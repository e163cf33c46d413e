"""Parses the addresses of databases as people write them. No message of this module holds a password."""

from __future__ import annotations

import importlib.util
import os
import re
import warnings

import sqlalchemy as sql

from engine.errors import StoreError
from engine.names import visible

DRIVERS = ("psycopg", "psycopg2")  # of PostgreSQL, the best first
FORMS = "sqlite:///stories.db, sqlite:////folder/stories.db or postgresql://user:password@host/database"
POSTGRES = ("postgres", "postgresql")
PATH = re.compile(r"~|\.{0,2}/|[A-Za-z]:[\\/]|[^:@\"'<>]*[./][^:@\"'<>]*$")  # of a file; a mere word may be a mistake


def read(text: str) -> sql.URL:
    """Parse a database's address, or the path of an SQLite file. Raises `StoreError`."""
    text = text.strip()
    if not text:
        return file(text)
    if text == "sqlite::memory:":
        return sql.URL.create("sqlite")
    if PATH.match(text):
        return file(text)
    scheme, _, rest = text.partition(":")
    text = f"{(scheme := scheme.lower())}:{rest}"
    if scheme == "sqlite" and not rest.startswith("///") and rest != "//" and "@" not in rest:
        path = rest.removeprefix("//").partition("?")[0]
        if rest.startswith("//") and "/" in path:
            if path.startswith("~"):
                return file(path)
            shown = visible(path)
            raise StoreError(f"sqlite://{shown}: write sqlite:///{shown} for a file from here, sqlite:////{shown} else")
        return file(path)
    found = _checked(_parsed(text))
    path = found.database or ""
    is_at_home = path.startswith("~") and found.get_backend_name() == "sqlite"
    return found.set(database=os.path.expanduser(path)) if is_at_home else found


def shown(address: sql.URL) -> str:
    """An address as a message may show it: no password, and no query, which may hold one."""
    who = f"{address.username}{':***' * (address.password is not None)}@" if address.username else ""
    host = f"{address.host or ''}{f':{address.port}' if address.port else ''}"
    return visible(f"{address.drivername}://{who}{host}/{address.database or ''}")


def without_password(reason: str, address: sql.URL) -> str:
    """A database's error message without the password that it may repeat."""
    for secret in filter(None, (address.password, *map(str, address.query.values()))):
        reason = reason.replace(str(secret), "***") if len(str(secret)) > 3 else reason
    return reason


def file(path: str) -> sql.URL:
    """The address of an SQLite file. Raises `StoreError`."""
    if not path:
        raise StoreError(f"the store's address is empty: give one like {FORMS}")
    return sql.URL.create("sqlite", database=os.path.expanduser(path))


def _parsed(text: str) -> sql.URL:
    if "://" in text and not text.startswith("sqlite") and text.count("@") > 1:
        raise StoreError(
            "the store's address has more than one @: in a name or password write %40 for @, %2F for /, %3A for :"
        )
    try:
        return sql.make_url(text)
    except (sql.exc.ArgumentError, ValueError):  # it may hold a password, so it is not shown
        raise StoreError(f"the store's address is no database URL: give one like {FORMS}") from None


def _checked(address: sql.URL) -> sql.URL:
    """With a driver that is installed and synchronous. Raises `StoreError` if there is none."""
    backend, _, driver = address.drivername.partition("+")
    if backend in POSTGRES:
        driver = driver or next((name for name in DRIVERS if importlib.util.find_spec(name)), DRIVERS[0])
        address = address.set(drivername=f"postgresql+{driver}")
    if backend not in (*POSTGRES, "sqlite"):
        raise StoreError(f"a store is kept by SQLite or PostgreSQL, not by {visible(backend)}: give {FORMS}")
    if backend == "sqlite" and (address.host or address.username):
        raise StoreError(f"an address of SQLite has no host: give a file, as in {FORMS.partition(' or ')[0]}")
    try:
        is_synchronous = not address.get_dialect().is_async
        address.get_dialect().import_dbapi()
    except (ImportError, sql.exc.ArgumentError):
        remedy = "pip install 'textrepl[postgres]', or write" if backend in POSTGRES else "write"
        right = "postgresql://" if backend in POSTGRES else "sqlite:///"
        raise StoreError(f"{visible(address.drivername)} is not installed: {remedy} {right}...") from None
    if not is_synchronous:
        right = "postgresql://" if backend in POSTGRES else "sqlite:///"
        raise StoreError(f"{address.drivername} is a driver for other programs: write {right}...")
    if backend == "sqlite":
        _check_options(address)
    return address


def _check_options(address: sql.URL) -> None:
    """Raises `StoreError` for an option of SQLite's that its driver would ignore, such as `?mode=ro`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", sql.exc.SAWarning)
        try:
            address.get_dialect()().create_connect_args(address)
        except (sql.exc.SAWarning, ValueError):
            options = visible(", ".join(address.query))
            raise StoreError(
                f"the store's address has options that SQLite cannot read ({options}): leave them out"
            ) from None
