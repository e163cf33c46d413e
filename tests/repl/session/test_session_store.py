"""Sessions in a real SQLite file: kept at every turn, opened again, also after a process was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from repl.session.session import Session
from repl.session.session_store import SessionStore
from tests.networks import level_engine, tiny_engine

SAMPLING = engine.Sampling(seed=4, length=20, temperature=1.0)


class Sessions:
    """Makes sessions over one store, as one process after the other would."""

    def __init__(self, model: Engine, url: str) -> None:
        self.model, self.url = model, url
        self.stores: list[SessionStore] = []

    def start(self, title: str = "", url: str = "") -> Session:
        self.stores.append(SessionStore(url or self.url, title))
        return Session(self.model, SAMPLING, self.stores[-1])


@pytest.fixture
def sessions(tiny: Engine, tmp_path: Path) -> Iterator[Sessions]:
    made = Sessions(tiny, f"sqlite:///{tmp_path / 'stories.db'}")
    yield made
    for store in made.stores:
        store.close()


def write(session: Session, line: str) -> str:
    answer = enter(session, line)
    assert answer.reply is not None, answer.message
    text = answer.reply.text
    assert session.finish(answer).message == ""
    return text


def opened(sessions: Sessions, title: str) -> Session:
    session = sessions.start()
    enter(session, f"/open {title}")
    assert session.store is not None
    assert session.store.title == title
    return session


def test_every_turn_is_kept_without_asking(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "the cat")
    write(session, "/retry")
    enter(session, "/undo")
    again = opened(sessions, "novel")
    assert again.story.export() == session.story.export()
    assert again.sampling == SAMPLING
    fresh = sessions.model.conversation(sampling=SAMPLING)
    assert write(again, "") == fresh.say("the cat").text  # after the undo it stands at the prompt's end


def test_a_session_without_a_name_gets_one_from_the_time(sessions: Sessions) -> None:
    first, second = sessions.start(), sessions.start()
    write(first, "one")
    write(second, "two")
    names = [session.store.title for session in (first, second) if session.store]
    assert len(set(names)) == 2
    assert names[0][:2] == "20"
    assert opened(sessions, names[1]).story.turns[0].text == "two"


def test_settings_and_forks_are_kept_with_it(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "the cat")
    enter(session, "/fork other")
    write(session, " sat")
    enter(session, "/set temperature 0.3")
    again = opened(sessions, "novel")
    enter(again, "/goto other")
    assert again.story.text == session.story.text
    assert set(again.stories) == {"main", "other"}
    assert session.sampling.temperature == 0.3


@pytest.mark.parametrize("line", ["go on", "", "/retry"])
def test_a_reply_that_a_kill_cuts_off_is_written_again(sessions: Sessions, line: str) -> None:
    session = sessions.start("novel")
    write(session, "the cat")
    answer = enter(session, line)
    assert answer.reply is not None
    text = answer.reply.text
    session.note_written(15)
    assert session.store is not None
    session.store.sessions()  # it is noted now, and then the process is gone
    again = opened(sessions, "novel")
    assert again.story.turns[-1].text == text[:15]
    straight = session.story.text
    assert (again.story.text + write(again, ""))[: len(straight)] == straight


def test_a_reply_of_words_is_not_written_beyond_its_length(sessions: Sessions) -> None:
    with level_engine("word") as sessions.model:
        session = sessions.start("novel")
        answer = enter(session, "the cat")
        assert answer.reply is not None
        text = answer.reply.text
        session.note_written(len(text) - 1)  # more characters than it was to have words
        assert session.store is not None
        session.store.sessions()  # it is noted now
        again = opened(sessions, "novel").story.turns[-1]
        assert again.text == text
        assert len(again.tokens) == SAMPLING.length


def test_the_very_first_reply_survives_a_kill(sessions: Sessions) -> None:
    session = sessions.start()
    session.sampling = engine.Sampling(length=20)  # no seed: the numbers are nobody's but this story's
    answer = enter(session, "the cat")
    assert answer.reply is not None
    assert session.store is not None
    session.note_written(12)
    title = next(iter(session.store.sessions()))
    assert opened(sessions, title).story.text == "the cat" + answer.reply.text[:12]


def test_sessions_are_listed_named_and_deleted(sessions: Sessions) -> None:
    session = sessions.start()
    assert "no sessions yet" in enter(session, "/sessions").message
    assert "nothing to keep yet" in enter(session, "/save").message
    write(session, "the cat")
    enter(session, "/save novel")
    shown = enter(session, "/sessions").message
    assert shown.startswith("* novel")
    assert "the cat" in shown
    assert shown.count("\n") == 0  # the name from the time is gone
    enter(session, "/fork other")
    write(session, "x")
    enter(session, "/rename book")
    enter(session, "/save second")
    assert enter(session, "/sessions").message.count("\n") == 1
    write(session, "y")
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
    write(session, "ab")
    message = enter(session, f"/rename {name}").message
    assert "name " in message
    assert "give one of" in message


def test_a_name_that_is_taken_stays_what_it_was(sessions: Sessions) -> None:
    write(sessions.start("novel"), "mine")
    session = sessions.start("other")
    write(session, "ab")
    for line in ("/save novel", "/rename novel", "/new novel"):
        assert "already" in enter(session, line).message
    assert session.store is not None
    assert session.store.title == "other"
    assert opened(sessions, "novel").story.turns[0].text == "mine"


def test_a_new_story_leaves_the_one_before_kept(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "ab")
    enter(session, "/new second")
    assert session.story.text == ""
    write(session, "cd")
    assert opened(sessions, "novel").story.turns[0].text == "ab"
    assert opened(sessions, "second").story.turns[0].text == "cd"


@pytest.mark.parametrize("suffix", [".txt", ".md", ".json"])
def test_export_and_import(sessions: Sessions, tmp_path: Path, suffix: str) -> None:
    session = sessions.start("novel")
    write(session, "the cat\n*sat*")
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
        ("/import {tmp}/latin.txt", "not UTF-8"), ("/import {tmp}/empty.txt", "is empty"),
        ("/import {tmp}/wrong.json", "is no conversation"), ("/import {tmp}/chat.json", "a chat of another program"),
        ("/import {tmp}/chat.json", "train on it by 'python -m engine.train --data chat.json"),
        ("/import {tmp}/talk.JSON", "a chat of another program (a list of 2)"),
        ("/import {tmp}/table.json", "a list of 3: rename it to .txt"), ("/import {tmp}/text.json", "a mere text"),
        ("/import {tmp}/half.json", "half.json is no JSON"), ("/import {tmp}/fifo", "is no file"),
        ("/export {tmp}/no/where.txt", "cannot be written"),
        ("/open", "give a session's name"), ("/open nowhere", "there is no session"), ("/delete", "give a session"),
    ],
)  # fmt: skip
def test_mistakes_with_files_and_names(sessions: Sessions, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "wrong.json").write_text('{"version": 1}')
    (tmp_path / "chat.json").write_text('\ufeff{"guild": {}, "channel": {}, "dateRange": {}, "messages": [], "n": 0}')
    (tmp_path / "talk.JSON").write_text('[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]')
    (tmp_path / "table.json").write_text("[1, 2, 3]")
    (tmp_path / "text.json").write_text('"once"')
    (tmp_path / "half.json").write_text('{"version": 1, "tur')
    os.mkfifo(tmp_path / "fifo")
    session = sessions.start()
    write(session, "ab")
    before = session.story.text
    assert words in enter(session, line.format(tmp=tmp_path)).message
    assert session.story.text == before


def test_a_store_that_cannot_be_used_is_told_once_and_loses_no_words(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    session = sessions.start(url=f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    answer = enter(session, "the cat")
    assert answer.reply is not None
    answer.reply.result()
    assert "not kept" in session.finish(answer).message
    assert "NOT KEPT" in session.status()
    answer = enter(session, "")
    assert answer.reply is not None
    assert session.finish(answer).message == ""
    assert "cannot be used" in enter(session, "/sessions").message
    enter(session, f"/export {tmp_path / 'saved.txt'}")
    assert (tmp_path / "saved.txt").read_text(encoding="utf-8") == session.story.text


def test_a_story_that_could_not_be_kept_is_tried_again_from_another(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sessions.start("novel")
    write(session, "ab")
    enter(session, "/fork b")
    write(session, "in the fork")
    enter(session, "/goto main")

    def fail(*_: object) -> None:
        raise engine.StoreError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr("repl.session.session_store.SessionStore.save", fail)
        answer = enter(session, "precious words")
        assert answer.reply is not None
        answer.reply.result()
        assert "the disk is full" in session.finish(answer).message
        enter(session, "/goto b")
        assert session.name == "b"
        assert "NOT KEPT" in session.status()
    enter(session, "/where")
    assert "NOT KEPT" not in session.status()
    enter(session, "/goto main")
    assert "precious words" in opened(sessions, "novel").stories["main"].text


def test_the_bots_stories_are_no_session(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "ab")
    with engine.Store(sessions.url) as store:
        store.save(session.model.conversation(), "discord/1/10/1")
        for line in ("/open discord", "/delete discord", "/save discord", "/rename discord", "/new discord"):
            assert "bot" in enter(session, line).message or "no session" in enter(session, line).message
        assert "discord/1/10/1" in store.names()
    assert "discord" not in enter(session, "/sessions").message


def test_a_reply_of_another_window_is_not_written_again_into_a_story_that_has_gone_on(sessions: Sessions) -> None:
    first, second = sessions.start("novel"), sessions.start()
    write(first, "ab")
    enter(second, "/open novel")
    answer = enter(second, "refused")
    assert answer.reply is not None
    answer.reply.result()
    second.note_written(10)  # while it still is as the store has it
    write(first, "cd")
    assert "not kept" in second.finish(answer).message
    for line in ("and so", "is this"):
        answer = enter(second, line)
        assert answer.reply is not None
        answer.reply.result()
        second.note_written(10)
        second.finish(answer)
    assert "'/save NEWNAME' keeps it" in enter(second, "/new").message
    assert "refused" not in "".join(turn.text for turn in opened(sessions, "novel").story.tree)
    assert opened(sessions, "novel").story.text == first.story.text
    enter(second, "/save mine")
    assert "refused" in opened(sessions, "mine").story.text


def test_what_is_deleted_elsewhere_does_not_come_back(sessions: Sessions) -> None:
    first = sessions.start("novel")
    write(first, "ab")
    enter(sessions.start(), "/delete novel")
    answer = enter(first, "cd")
    assert answer.reply is not None
    answer.reply.result()
    first.note_written(10)
    first.finish(answer)
    assert "no sessions yet" in enter(sessions.start(), "/sessions").message


def test_a_session_goes_on_in_the_fork_where_it_was_left(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "ab")
    enter(session, "/fork side")
    write(session, "cd")
    assert opened(sessions, "novel").name == "side"
    enter(session, "/goto main")
    assert opened(sessions, "novel").name == "main"


def test_its_own_name_is_no_name_that_is_taken(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write(session, "ab")
    assert enter(session, "/save novel").message == "kept as 'novel', at every turn"
    assert "its name already" in enter(session, "/rename novel").message


def test_another_model_goes_on_in_a_session_of_its_own_and_says_so(sessions: Sessions) -> None:
    sessions.model = tiny_engine()  # for it is closed
    session = sessions.start("novel")
    session._load = lambda _: tiny_engine(seed=9)
    write(session, "ab")
    enter(session, "/fork side")
    assert "'novel' stays as it was" in enter(session, "/model other").message
    write(session, "cd")
    assert session.store is not None
    assert session.store.title == "novel-tiny"
    assert set(session.store.sessions()) == {"novel", "novel-tiny"}
    session.model.close()
    with engine.Store(sessions.url) as store:
        assert {"novel-tiny", "novel-tiny/side"} <= set(store.names())
        assert all("cd" not in text for *_, text in store.texts("novel/side").turns)


def test_a_session_open_in_two_windows_is_overwritten_by_none(sessions: Sessions) -> None:
    first = sessions.start("novel")
    write(first, "ab")
    second = opened(sessions, "novel")
    write(second, "second")
    answer = enter(first, "first")
    assert answer.reply is not None
    answer.reply.result()
    assert "changed or deleted elsewhere" in first.finish(answer).message
    assert "and kept" in enter(first, "/save mine").message
    assert "first" in opened(sessions, "mine").story.text
    assert "second" in opened(sessions, "novel").story.text


def test_a_session_of_other_weights_is_read_by_the_model_that_wrote_it_or_by_this_one(sessions: Sessions) -> None:
    session = sessions.start("novel")
    session.source = "models/mine"
    write(session, "the cat")
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
