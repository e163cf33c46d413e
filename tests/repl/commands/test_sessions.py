"""Commands on sessions in a real SQLite file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from repl.commands.dispatch import enter
from repl.session.session import Session
from repl.session.session_store import SessionStore
from tests.networks import tiny_engine
from tests.repl.session.lines import SAMPLING, Sessions, opened, write_kept


def test_sessions_are_listed_named_and_deleted(sessions: Sessions) -> None:
    session = sessions.start()
    assert "no sessions yet" in enter(session, "/sessions").message
    assert "nothing to keep yet" in enter(session, "/save").message
    write_kept(session, "the cat")
    enter(session, "/save novel")
    shown = enter(session, "/sessions").message
    assert shown.startswith("* novel")
    assert "the cat" in shown
    assert shown.count("\n") == 0  # the name from the time is gone
    enter(session, "/fork other")
    write_kept(session, "x")
    enter(session, "/rename book")
    enter(session, "/save second")
    assert enter(session, "/sessions").message.count("\n") == 1
    write_kept(session, "y")
    assert opened(sessions, "book").stories["other"].text != session.story.text
    assert "deleted for good" in enter(session, "/delete book").message
    assert "did you mean 'second'" in enter(session, "/open secnd").message
    assert "there is no session 'book'" in enter(session, "/delete book").message
    assert "once more deletes it" in enter(session, "/delete second").message
    enter(session, "/where")
    assert "once more deletes it" in enter(session, "/delete second").message
    assert "this is a new story" in enter(session, "/delete second").message
    assert session.story.text == ""
    assert "no sessions yet" in enter(session, "/sessions").message


@pytest.mark.parametrize("name", ["", "a/b", "x" * 101, "a\tb\x00"])
def test_names_that_cannot_be(sessions: Sessions, name: str) -> None:
    session = sessions.start()
    write_kept(session, "ab")
    message = enter(session, f"/rename {name}").message
    assert "name " in message
    assert "give one of" in message


def test_a_name_that_is_taken_stays_what_it_was(sessions: Sessions) -> None:
    write_kept(sessions.start("novel"), "mine")
    session = sessions.start("other")
    write_kept(session, "ab")
    for line in ("/save novel", "/rename novel", "/new novel"):
        assert "already" in enter(session, line).message
    assert session.store is not None
    assert session.store.title == "other"
    assert opened(sessions, "novel").story.turns[0].text == "mine"


def test_a_new_story_leaves_the_one_before_kept(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "ab")
    enter(session, "/new second")
    assert session.story.text == ""
    write_kept(session, "cd")
    assert opened(sessions, "novel").story.turns[0].text == "ab"
    assert opened(sessions, "second").story.turns[0].text == "cd"


@pytest.mark.parametrize("suffix", [".txt", ".md", ".json"])
def test_export_and_import(sessions: Sessions, tmp_path: Path, suffix: str) -> None:
    session = sessions.start("novel")
    write_kept(session, "the cat\n*sat*")
    path = tmp_path / f"out{suffix}"
    assert str(path) in enter(session, f"/export {path}").message
    assert "is there already" in enter(session, f"/export {path}").message
    text = path.read_text(encoding="utf-8")
    other = sessions.start()
    message = enter(other, f"/import {path}").message
    if suffix == ".json":
        assert json.loads(text)["version"] == 1
        assert other.story.export() == session.story.export()
    elif suffix == ".txt":
        assert other.story.text == session.story.text
    else:
        assert text.startswith("# novel\n")
        assert "**the cat**  \n" in text
        assert r"\*sat\*" in text
    assert message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/export story.doc", "ends in .txt"), ("/export", "ends in .txt"), ("/import", "give a .json"),
        ("/import nowhere.txt", "cannot be read"), ("/import {tmp}", "cannot be read"),
        ("/import {tmp}/dos.txt", "not UTF-8"), ("/import {tmp}/empty.txt", "is empty"),
        ("/import {tmp}/wrong.json", "is no conversation"), ("/import {tmp}/chat.json", "a chat of another program"),
        ("/import {tmp}/chat.json", "train on it by 'python -m engine.train --data chat.json"),
        ("/import {tmp}/talk.JSON", "a chat of another program (a list of 2)"),
        ("/import {tmp}/table.json", "a list of 3: rename it to .txt"), ("/import {tmp}/text.json", "a mere text"),
        ("/import {tmp}/later.json", "later.json: version 99: this program reads version 1"),
        ("/import {tmp}/turns.json", "turns.json: is no conversation: a value in it is of the wrong kind"),
        ("/import {tmp}/kind.json", "kind.json: is no conversation: 'id' is missing"),
        ("/import {tmp}/half.json", "half.json is no JSON"), ("/import {tmp}/fifo", "is no file"),
        ("/export {tmp}/no/where.txt", "cannot be written"),
        ("/open", "give a session's name"), ("/open nowhere", "there is no session"), ("/delete", "give a session"),
    ],
)  # fmt: skip
def test_mistakes_with_files_and_names(sessions: Sessions, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "dos.txt").write_bytes(b"caf\x82\x82\x82")  # in an encoding that cannot be told
    (tmp_path / "empty.txt").touch()
    (tmp_path / "wrong.json").write_text('{"version": 1}')
    (tmp_path / "chat.json").write_text('\ufeff{"guild": {}, "channel": {}, "dateRange": {}, "messages": [], "n": 0}')
    (tmp_path / "talk.JSON").write_text('[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]')
    (tmp_path / "table.json").write_text("[1, 2, 3]")
    (tmp_path / "text.json").write_text('"once"')
    (tmp_path / "later.json").write_text('{"version": 99, "seed": 1, "turns": []}')
    (tmp_path / "turns.json").write_text('{"version": 1, "seed": 1, "turns": 5}')
    (tmp_path / "kind.json").write_text('{"version": 1, "seed": 1, "turns": [{}]}')
    (tmp_path / "half.json").write_text('{"version": 1, "tur')
    os.mkfifo(tmp_path / "fifo")
    session = sessions.start()
    write_kept(session, "ab")
    before = session.story.text
    assert words in enter(session, line.format(tmp=tmp_path)).message
    assert session.story.text == before


@pytest.mark.parametrize("name", ["caf\udce9", "\udcff", "é\udc93 q", "été"])
def test_a_file_may_have_a_name_that_is_not_utf_8(sessions: Sessions, tmp_path: Path, name: str) -> None:
    session = sessions.start()
    write_kept(session, "the cat")
    enter(session, f"/export {tmp_path}/{name}.txt")
    assert [path.name for path in tmp_path.glob("*.txt")] == [f"{name}.txt"]
    other = sessions.start()
    enter(other, f"/import {tmp_path}/{name}.txt")
    assert other.story.text == session.story.text
    assert "bits a character" in "".join(text for _, text in enter(other, f"/heat {tmp_path}/{name}.txt").picture)


def test_the_bots_stories_are_no_session(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "ab")
    with engine.Store(sessions.url) as store:
        store.save(session.model.conversation(), "discord/1/10/1")
        for line in ("/open discord", "/delete discord", "/save discord", "/rename discord", "/new discord"):
            assert "bot" in enter(session, line).message or "no session" in enter(session, line).message
        assert "discord/1/10/1" in store.names()
    assert "discord" not in enter(session, "/sessions").message


def test_its_own_name_is_no_name_that_is_taken(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "ab")
    assert enter(session, "/save novel").message == "kept as 'novel', at every turn"
    assert "its name already" in enter(session, "/rename novel").message


def test_a_session_of_other_weights_is_read_by_the_model_that_wrote_it_or_by_this_one(sessions: Sessions) -> None:
    session = sessions.start("novel")
    session.source = "models/mine"
    write_kept(session, "the cat")
    text = session.story.text
    with tiny_engine(seed=9) as other:
        loaded: list[str] = []

        def load(source: str) -> Engine:
            loaded.append(source)
            if len(loaded) > 1:
                raise engine.ModelLoadError("it is gone")
            return tiny_engine()

        for _ in range(2):
            store = SessionStore(sessions.url)
            sessions.stores.append(store)
            reader = Session(tiny_engine(seed=9), SAMPLING, store, source="models/other", load=load)
            message = enter(reader, "/open novel").message
            assert reader.story.text == text
            if len(loaded) > 1:
                assert "it is gone" in message
                assert store.title != "novel"
            reader.model.close()
        assert loaded == ["models/mine", "models/mine"]
        assert other.info.name == "tiny"
    assert opened(sessions, "novel").story.export() == session.story.export()


@pytest.mark.parametrize(
    ("data", "read_as"),
    [
        ("the caf\u00e9, the cat\n".encode("cp1252"), "Windows-1252"), ("the cat".encode("utf-16"), "UTF-16"),
        (b"the cat \xc3", "its last byte was left out"),
    ],
)  # fmt: skip
def test_a_text_is_imported_in_the_encodings_of_the_trainer(
    sessions: Sessions, tmp_path: Path, data: bytes, read_as: str
) -> None:
    (path := tmp_path / "old.txt").write_bytes(data)
    session = sessions.start()
    assert read_as in enter(session, f"/import {path}").message.splitlines()[0]
    assert "the cat" in session.story.text
