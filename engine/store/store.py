"""Saves and opens conversations in SQL, a row for each turn, and keeps notes beside them. Knows no network.

A save is one transaction, writes new turns only, and is on the disk once it returns. Several processes may share a
store: a conversation that another one has changed since it was opened is refused, not overwritten.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs
import sqlalchemy as sql
from sqlalchemy.engine import Connection, RowMapping

from engine.conversation.checkpoint import State
from engine.conversation.conversation import Conversation, Runner
from engine.conversation.replay import Texts, read_again
from engine.conversation.reply import Reply
from engine.conversation.tree import Snapshot
from engine.errors import OtherWeights, StoreError
from engine.store import address, records, schema
from engine.store.database import Database

Notes = Mapping[tuple[str, str], Any]


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """What a conversation remembers of the store that it was saved in or opened from."""

    url: str
    id: int
    name: str
    revision: int
    last_turn: int


@dataclass(frozen=True, slots=True)
class DatabaseTurn:
    """The state and tokens of a stored turn, read from the database at each call.

    Raises `StoreError` if it is gone. `generator` tells it from a later conversation's turn with the same ids.
    """

    database: Database
    conversation: int
    turn: int
    generator: str

    def state(self) -> State:
        """The state `[S]` after it."""
        return records.read_floats(self._read(schema.turns.c.state))

    def tokens(self) -> tuple[int, ...]:
        """Its tokens."""
        return records.read_whole_numbers(self._read(schema.turns.c.tokens))

    def _read(self, column: sql.Column[bytes]) -> bytes:
        table = schema.turns.c
        selection = sql.select(column, table.generator)
        selection = selection.where(table.conversation == self.conversation, table.id == self.turn)
        with self.database.reading() as connection:
            row = connection.execute(selection).first()
        if row is None or row[1] != self.generator:
            shown = self.database.shown
            raise StoreError(f"the conversation was deleted from {shown} since it was opened: open another one")
        return bytes(row[0])


class Store:
    """Stored conversations. Raises `StoreError` for whatever the database cannot do."""

    def __init__(self, url: str | None = None, *, keep_states: bool = True) -> None:
        """Opens the database, by default an SQLite file in the platform's data directory. Makes missing tables.

        Without `keep_states`, conversations that were saved or opened hold the present turn's state alone and read the
        others from the database when needed. That takes a tenth of the memory; what is deleted elsewhere is lost.
        """
        self.url, self._keep_states = url or default_url(), keep_states
        self._database = Database(address.read(url) if url else address.file(str(default_path())))

    def save(
        self, conversation: Conversation, name: str, *, notes: Notes | None = None, replaces: bool = False
    ) -> None:
        """Write a conversation's new turns under its name, or all of it under a name that is free.

        `notes` are written in the same transaction. With `replaces`, the conversation that has the name is deleted.
        Raises `StoreError` if the name is taken, or if the conversation was changed elsewhere.
        """
        state = conversation.snapshot()
        saved = conversation.saved_version if isinstance(conversation.saved_version, SavedVersion) else None
        if saved is not None and (replaces or (saved.url, saved.name) != (self.url, name)):
            saved = None
        before = -1 if saved is None else saved.last_turn
        turns = {turn.id: turn for turn in state.turns}
        rows = [records.row_of(turn, turns.get(turn.parent or 0)) for turn in state.turns if turn.id > before]
        with self._database.writing() as connection:
            if replaces:
                _delete(connection, self._find(connection, name)["id"])
            if saved is None:
                values = {**records.conversation_row(state), **records.model_of(conversation.runner)}
                saved = _insert(connection, self.url, name, values)
            else:
                saved = _update(connection, saved, records.conversation_row(state))
            if rows:
                connection.execute(schema.turns.insert(), [{"conversation": saved.id, **row} for row in rows])
                saved = dataclasses.replace(saved, last_turn=max(row["id"] for row in rows))
            _write_notes(connection, notes or {})
        if replaces:
            self._database.empty_log()
        self._mark_saved(conversation, saved, before)

    def open(
        self, model: Runner, name: str, *, feed_again: bool = False, owner: Hashable = None,
        wait: Callable[[Reply, int], object] = lambda reply, turns: reply.result(),
    ) -> Conversation:  # fmt: skip
        """A stored conversation. With `feed_again`, another model reads its texts first (`engine.read_again`).

        That takes a while: `wait` gets each reply and the number of turns, and waits for the reply's end. The result
        is a new conversation: save it under another name, or with `replaces`.

        Raises `StoreError` if there is none of that name, and `OtherWeights` if another model has written it.
        """
        with self._database.reading() as connection:
            stored = self._find(connection, name)
            left_out = () if self._keep_states else ("state", "tokens")
            columns = [column for column in schema.turns.c if column.name not in left_out]
            selection = (
                sql.select(*columns).where(schema.turns.c.conversation == stored["id"]).order_by(schema.turns.c.id)
            )
            rows = connection.execute(selection).mappings().all()
        zeros, stored_turn = model.zero_state(), functools.partial(DatabaseTurn, self._database, stored["id"])
        turns = records.read_turns(rows, zeros, stored_turn)
        if stored["fingerprint"] == model.fingerprint:
            forward = records.latest_children(turns) | dict(json.loads(stored["forward"]))
            snapshot = Snapshot(records.load_sampling(stored["sampling"]), tuple(turns), stored["present"], forward)
            conversation = Conversation.restored(model, snapshot, owner)
            saved = SavedVersion(self.url, stored["id"], name, stored["revision"], max(turn.id for turn in turns))
            self._mark_saved(conversation, saved, saved.last_turn)
            return conversation
        if not feed_again:
            raise OtherWeights(
                f"{name!r} was written with other weights (model {stored['model']!r}) than those loaded: load that "
                "model, or open it with feed_again=True to have its text read by this one"
            )
        texts = Texts.from_turns(((turn.id, turn.parent, turn.kind, turn.text) for turn in turns), stored["present"])
        return read_again(model, texts, records.load_sampling(stored["sampling"]), owner=owner, wait=wait)

    def texts(self, name: str) -> Texts:
        """The texts of a stored conversation. Needs no model."""
        with self._database.reading() as connection:
            stored = self._find(connection, name)
            table = schema.turns.c
            selection = sql.select(table.id, table.parent, table.kind, table.text).where(
                table.conversation == stored["id"]
            )
            rows = connection.execute(selection.order_by(table.id)).all()
        return Texts.from_turns(
            ((turn, parent, kind, records.read_text(text)) for turn, parent, kind, text in rows), stored["present"]
        )

    def is_current(self, conversation: Conversation) -> bool:
        """Whether a conversation is still as this store has it: neither changed elsewhere nor deleted."""
        saved = conversation.saved_version
        if not isinstance(saved, SavedVersion) or saved.url != self.url:
            return False
        with self._database.reading() as connection:
            selection = sql.select(schema.conversations.c.revision).where(schema.conversations.c.id == saved.id)
            return connection.execute(selection).scalar() == saved.revision

    def mark(self, name: str) -> list[int] | None:
        """A stored conversation's id and revision, which change with every save. None if there is none."""
        table = schema.conversations.c
        with self._database.reading() as connection:
            selection = sql.select(table.id, table.revision).where(table.name == name)
            row = connection.execute(selection).first()
        return None if row is None else [row[0], row[1]]

    def write_notes(self, notes: Notes) -> None:
        """Write small JSON values by topic and key, in one transaction. None deletes a value."""
        with self._database.writing() as connection:
            _write_notes(connection, notes)

    def note(self, topic: str, key: str) -> Any:
        """The value of a topic and a key, or None."""
        with self._database.reading() as connection:
            selection = sql.select(schema.notes.c.value).where(schema.notes.c.topic == topic, schema.notes.c.key == key)
            value = connection.execute(selection).scalar()
        return None if value is None else json.loads(value)

    def notes(self, topic: str) -> dict[str, Any]:
        """All values of a topic, by key."""
        with self._database.reading() as connection:
            selection = sql.select(schema.notes.c.key, schema.notes.c.value).where(schema.notes.c.topic == topic)
            rows = connection.execute(selection).all()
        return {key: json.loads(value) for key, value in rows}

    def names(self) -> list[str]:
        """All names, in order."""
        name = schema.conversations.c.name
        with self._database.reading() as connection:
            return list(connection.execute(sql.select(name).order_by(name)).scalars())

    def delete(self, name: str, *, notes: Notes | None = None) -> None:
        """Delete a conversation permanently: its pages are overwritten. Raises `StoreError` if there is none.

        `notes` are written in the same transaction.
        """
        with self._database.writing() as connection:
            _delete(connection, self._find(connection, name)["id"])
            _write_notes(connection, notes or {})
        self._database.empty_log()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _mark_saved(self, conversation: Conversation, saved: SavedVersion, before: int) -> None:
        """Note that the store has the whole conversation. It had the turns up to the id `before` already."""
        conversation.saved_version = saved
        if not self._keep_states:
            stored = functools.partial(DatabaseTurn, self._database, saved.id)
            conversation.offload(lambda turn: stored(turn.id, records.generator_of(turn.checkpoint)), before)

    def _find(self, connection: Connection, name: str) -> RowMapping:
        selection = schema.conversations.select().where(schema.conversations.c.name == name)
        row = connection.execute(selection).mappings().first()
        if row is None:
            raise StoreError(f"there is no conversation {name!r} in {self._database.shown}")
        return row


def _insert(connection: Connection, url: str, name: str, values: dict[str, Any]) -> SavedVersion:
    try:
        inserted = connection.execute(schema.conversations.insert().values(name=name, revision=1, **values))
    except sql.exc.IntegrityError:
        raise StoreError(f"{name!r} is the name of another conversation: choose another one, or delete that") from None
    (number,) = inserted.inserted_primary_key or (0,)
    return SavedVersion(url, number, name, 1, -1)


def _update(connection: Connection, saved: SavedVersion, values: dict[str, Any]) -> SavedVersion:
    table = schema.conversations.c
    changed = connection.execute(
        schema.conversations.update()
        .where(table.id == saved.id, table.name == saved.name, table.revision == saved.revision)
        .values(revision=saved.revision + 1, **values)
    )
    if changed.rowcount != 1:
        raise StoreError(
            f"{saved.name!r} was changed or deleted elsewhere since it was opened: open it again, or save this "
            "one under another name"
        )
    return dataclasses.replace(saved, revision=saved.revision + 1)


def _delete(connection: Connection, conversation: int) -> None:
    connection.execute(schema.turns.delete().where(schema.turns.c.conversation == conversation))
    connection.execute(schema.conversations.delete().where(schema.conversations.c.id == conversation))


def _write_notes(connection: Connection, notes: Notes) -> None:
    for (topic, key), value in notes.items():
        connection.execute(schema.notes.delete().where(schema.notes.c.topic == topic, schema.notes.c.key == key))
        if value is not None:
            connection.execute(schema.notes.insert().values(topic=topic, key=key, value=json.dumps(value)))


def default_path() -> Path:
    """The default SQLite file, in the platform's folder for a user's data."""
    return Path(platformdirs.user_data_dir("textrepl")) / "conversations.db"


def default_url() -> str:
    """The address of the default file."""
    return f"sqlite:///{default_path()}"
