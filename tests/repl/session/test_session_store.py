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
from repl.session.session_store import Keeper
from tests.networks import level_engine, tiny_engine

SAMPLING = engine.Sampling(seed=4, length=20, temperature=1.0)


class Sittings:
    """Makes sessions over one store, as one process after the other would."""

    def __init__(self, model: Engine, url: str) -> None:
        self.model, self.url = model, url
        self.keepers: list[Keeper] = []

    def sit(self, title: str = "", url: str = "") -> Session:
        self.keepers.append(Keeper(url or self.url, title))
        return Session(self.model, SAMPLING, self.keepers[-1])


@pytest.fixture
def sittings(tiny: Engine, tmp_path: Path) -> Iterator[Sittings]:
    made = Sittings(tiny, f"sqlite:///{tmp_path / 'stories.db'}")
    yield made
    for keeper in made.keepers:
        keeper.close()


def write(session: Session, line: str) -> str:
    answer = session.enter(line)
    assert answer.reply is not None, answer.message
    text = answer.reply.text
    assert session.finish(answer).message == ""
    return text


def opened(sittings: Sittings, title: str) -> Session:
    session = sittings.sit()
    session.enter(f"/open {title}")
    assert session.keeper is not None
    assert session.keeper.title == title
    return session


def test_every_turn_is_kept_without_asking(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "the cat")
    write(session, "/retry")
    session.enter("/undo")
    again = opened(sittings, "novel")
    assert again.story.export() == session.story.export()
    assert again.sampling == SAMPLING
    fresh = sittings.model.conversation(sampling=SAMPLING)
    assert write(again, "") == fresh.say("the cat").text  # after the undo it stands at the prompt's end


def test_a_session_without_a_name_gets_one_from_the_time(sittings: Sittings) -> None:
    first, second = sittings.sit(), sittings.sit()
    write(first, "one")
    write(second, "two")
    names = [session.keeper.title for session in (first, second) if session.keeper]
    assert len(set(names)) == 2
    assert names[0][:2] == "20"
    assert opened(sittings, names[1]).story.turns[0].text == "two"


def test_settings_and_forks_are_kept_with_it(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "the cat")
    session.enter("/fork other")
    write(session, " sat")
    session.enter("/set temperature 0.3")
    again = opened(sittings, "novel")
    again.enter("/goto other")
    assert again.story.text == session.story.text
    assert set(again.stories) == {"main", "other"}
    assert session.sampling.temperature == 0.3


@pytest.mark.parametrize("line", ["go on", "", "/retry"])
def test_a_reply_that_a_kill_cuts_off_is_written_again(sittings: Sittings, line: str) -> None:
    session = sittings.sit("novel")
    write(session, "the cat")
    answer = session.enter(line)
    assert answer.reply is not None
    text = answer.reply.text
    session.progress(15)
    assert session.keeper is not None
    session.keeper.sessions()  # it is noted now, and then the process is gone
    again = opened(sittings, "novel")
    assert again.story.turns[-1].text == text[:15]
    straight = session.story.text
    assert (again.story.text + write(again, ""))[: len(straight)] == straight


def test_a_reply_of_words_is_not_written_beyond_its_length(sittings: Sittings) -> None:
    with level_engine("word") as sittings.model:
        session = sittings.sit("novel")
        answer = session.enter("the cat")
        assert answer.reply is not None
        text = answer.reply.text
        session.progress(len(text) - 1)  # more characters than it was to have words
        assert session.keeper is not None
        session.keeper.sessions()  # it is noted now
        again = opened(sittings, "novel").story.turns[-1]
        assert again.text == text
        assert len(again.tokens) == SAMPLING.length


def test_the_very_first_reply_survives_a_kill(sittings: Sittings) -> None:
    session = sittings.sit()
    session.sampling = engine.Sampling(length=20)  # no seed: the numbers are nobody's but this story's
    answer = session.enter("the cat")
    assert answer.reply is not None
    assert session.keeper is not None
    session.progress(12)
    title = next(iter(session.keeper.sessions()))
    assert opened(sittings, title).story.text == "the cat" + answer.reply.text[:12]


def test_sessions_are_listed_named_and_deleted(sittings: Sittings) -> None:
    session = sittings.sit()
    assert "no sessions yet" in session.enter("/sessions").message
    assert "nothing to keep yet" in session.enter("/save").message
    write(session, "the cat")
    session.enter("/save novel")
    shown = session.enter("/sessions").message
    assert shown.startswith("* novel")
    assert "the cat" in shown
    assert shown.count("\n") == 0  # the name from the time is gone
    session.enter("/fork other")
    write(session, "x")
    session.enter("/rename book")
    session.enter("/save second")
    assert session.enter("/sessions").message.count("\n") == 1
    write(session, "y")
    assert opened(sittings, "book").stories["other"].text != session.story.text
    assert "deleted for good" in session.enter("/delete book").message
    assert "did you mean 'second'" in session.enter("/open secnd").message
    assert "there is no session 'book'" in session.enter("/delete book").message
    assert "once more deletes it" in session.enter("/delete second").message
    session.enter("/where")
    assert "once more deletes it" in session.enter("/delete second").message
    assert "this is a new story" in session.enter("/delete second").message
    assert session.story.text == ""
    assert "no sessions yet" in session.enter("/sessions").message


@pytest.mark.parametrize("name", ["", "a/b", "x" * 101, "a\tb\x00"])
def test_names_that_cannot_be(sittings: Sittings, name: str) -> None:
    session = sittings.sit()
    write(session, "ab")
    message = session.enter(f"/rename {name}").message
    assert "name " in message
    assert "give one of" in message


def test_a_name_that_is_taken_stays_what_it_was(sittings: Sittings) -> None:
    write(sittings.sit("novel"), "mine")
    session = sittings.sit("other")
    write(session, "ab")
    for line in ("/save novel", "/rename novel", "/new novel"):
        assert "already" in session.enter(line).message
    assert session.keeper is not None
    assert session.keeper.title == "other"
    assert opened(sittings, "novel").story.turns[0].text == "mine"


def test_a_new_story_leaves_the_one_before_kept(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "ab")
    session.enter("/new second")
    assert session.story.text == ""
    write(session, "cd")
    assert opened(sittings, "novel").story.turns[0].text == "ab"
    assert opened(sittings, "second").story.turns[0].text == "cd"


@pytest.mark.parametrize("suffix", [".txt", ".md", ".json"])
def test_export_and_import(sittings: Sittings, tmp_path: Path, suffix: str) -> None:
    session = sittings.sit("novel")
    write(session, "the cat\n*sat*")
    path = tmp_path / f"out{suffix}"
    assert str(path) in session.enter(f"/export {path}").message
    assert "is there already" in session.enter(f"/export {path}").message
    text = path.read_text(encoding="utf-8")
    other = sittings.sit()
    message = other.enter(f"/import {path}").message
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
        ("/import {tmp}/half.json", "half.json is no JSON"), ("/import {tmp}/fifo", "is no file"),
        ("/export {tmp}/no/where.txt", "cannot be written"),
        ("/open", "give a session's name"), ("/open nowhere", "there is no session"), ("/delete", "give a session"),
    ],
)  # fmt: skip
def test_mistakes_with_files_and_names(sittings: Sittings, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "dos.txt").write_bytes(b"caf\x82\x82\x82")  # in an encoding that cannot be told
    (tmp_path / "empty.txt").touch()
    (tmp_path / "wrong.json").write_text('{"version": 1}')
    (tmp_path / "chat.json").write_text('\ufeff{"guild": {}, "channel": {}, "dateRange": {}, "messages": [], "n": 0}')
    (tmp_path / "talk.JSON").write_text('[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]')
    (tmp_path / "table.json").write_text("[1, 2, 3]")
    (tmp_path / "text.json").write_text('"once"')
    (tmp_path / "half.json").write_text('{"version": 1, "tur')
    os.mkfifo(tmp_path / "fifo")
    session = sittings.sit()
    write(session, "ab")
    before = session.story.text
    assert words in session.enter(line.format(tmp=tmp_path)).message
    assert session.story.text == before


@pytest.mark.parametrize(
    ("data", "read_as"),
    [
        ("the caf\u00e9, the cat\n".encode("cp1252"), "Windows-1252"), ("the cat".encode("utf-16"), "UTF-16"),
        (b"the cat \xc3", "its last byte was left out"),
    ],
)  # fmt: skip
def test_a_text_is_imported_in_the_encodings_of_the_trainer(
    sittings: Sittings, tmp_path: Path, data: bytes, read_as: str
) -> None:
    (path := tmp_path / "old.txt").write_bytes(data)
    session = sittings.sit()
    assert read_as in session.enter(f"/import {path}").message.splitlines()[0]
    assert "the cat" in session.story.text


def test_a_store_that_cannot_be_used_is_told_once_and_loses_no_words(sittings: Sittings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    session = sittings.sit(url=f"sqlite:///{tmp_path / 'file' / 'x.db'}")
    answer = session.enter("the cat")
    assert answer.reply is not None
    answer.reply.result()
    assert "not kept" in session.finish(answer).message
    assert "NOT KEPT" in session.status()
    answer = session.enter("")
    assert answer.reply is not None
    assert session.finish(answer).message == ""
    assert "cannot be used" in session.enter("/sessions").message
    session.enter(f"/export {tmp_path / 'saved.txt'}")
    assert (tmp_path / "saved.txt").read_text(encoding="utf-8") == session.story.text


def test_a_story_that_could_not_be_kept_is_tried_again_from_another(
    sittings: Sittings, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sittings.sit("novel")
    write(session, "ab")
    session.enter("/fork b")
    write(session, "in the fork")
    session.enter("/goto main")

    def fail(*_: object) -> None:
        raise engine.StoreError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr("repl.session.session_store.Keeper.keep", fail)
        answer = session.enter("precious words")
        assert answer.reply is not None
        answer.reply.result()
        assert "the disk is full" in session.finish(answer).message
        session.enter("/goto b")
        assert session.name == "b"
        assert "NOT KEPT" in session.status()
    session.enter("/where")
    assert "NOT KEPT" not in session.status()
    session.enter("/goto main")
    assert "precious words" in opened(sittings, "novel").stories["main"].text


def test_the_bots_stories_are_no_session(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "ab")
    with engine.Store(sittings.url) as store:
        store.save(session.model.conversation(), "discord/1/10/1")
        for line in ("/open discord", "/delete discord", "/save discord", "/rename discord", "/new discord"):
            assert "bot" in session.enter(line).message or "no session" in session.enter(line).message
        assert "discord/1/10/1" in store.names()
    assert "discord" not in session.enter("/sessions").message


def test_a_reply_of_another_window_is_not_written_again_into_a_story_that_has_gone_on(sittings: Sittings) -> None:
    first, second = sittings.sit("novel"), sittings.sit()
    write(first, "ab")
    second.enter("/open novel")
    answer = second.enter("refused")
    assert answer.reply is not None
    answer.reply.result()
    second.progress(10)  # while it still is as the store has it
    write(first, "cd")
    assert "not kept" in second.finish(answer).message
    for line in ("and so", "is this"):
        answer = second.enter(line)
        assert answer.reply is not None
        answer.reply.result()
        second.progress(10)
        second.finish(answer)
    assert "'/save NEWNAME' keeps it" in second.enter("/new").message
    assert "refused" not in "".join(turn.text for turn in opened(sittings, "novel").story.tree)
    assert opened(sittings, "novel").story.text == first.story.text
    second.enter("/save mine")
    assert "refused" in opened(sittings, "mine").story.text


def test_what_is_deleted_elsewhere_does_not_come_back(sittings: Sittings) -> None:
    first = sittings.sit("novel")
    write(first, "ab")
    sittings.sit().enter("/delete novel")
    answer = first.enter("cd")
    assert answer.reply is not None
    answer.reply.result()
    first.progress(10)
    first.finish(answer)
    assert "no sessions yet" in sittings.sit().enter("/sessions").message


def test_a_session_goes_on_in_the_fork_where_it_was_left(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "ab")
    session.enter("/fork side")
    write(session, "cd")
    assert opened(sittings, "novel").name == "side"
    session.enter("/goto main")
    assert opened(sittings, "novel").name == "main"


def test_its_own_name_is_no_name_that_is_taken(sittings: Sittings) -> None:
    session = sittings.sit("novel")
    write(session, "ab")
    assert session.enter("/save novel").message == "kept as 'novel', at every turn"
    assert "its name already" in session.enter("/rename novel").message


def test_another_model_goes_on_in_a_session_of_its_own_and_says_so(sittings: Sittings) -> None:
    sittings.model = tiny_engine()  # for it is closed
    session = sittings.sit("novel")
    session._load = lambda _: tiny_engine(seed=9)
    write(session, "ab")
    session.enter("/fork side")
    assert "'novel' stays as it was" in session.enter("/model other").message
    write(session, "cd")
    assert session.keeper is not None
    assert session.keeper.title == "novel-tiny"
    assert set(session.keeper.sessions()) == {"novel", "novel-tiny"}
    session.model.close()
    with engine.Store(sittings.url) as store:
        assert {"novel-tiny", "novel-tiny/side"} <= set(store.names())
        assert all("cd" not in text for *_, text in store.texts("novel/side").turns)


def test_a_session_open_in_two_windows_is_overwritten_by_none(sittings: Sittings) -> None:
    first = sittings.sit("novel")
    write(first, "ab")
    second = opened(sittings, "novel")
    write(second, "second")
    answer = first.enter("first")
    assert answer.reply is not None
    answer.reply.result()
    assert "changed or deleted elsewhere" in first.finish(answer).message
    assert "and kept" in first.enter("/save mine").message
    assert "first" in opened(sittings, "mine").story.text
    assert "second" in opened(sittings, "novel").story.text


def test_a_session_of_other_weights_is_read_by_the_model_that_wrote_it_or_by_this_one(sittings: Sittings) -> None:
    session = sittings.sit("novel")
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
            keeper = Keeper(sittings.url)
            sittings.keepers.append(keeper)
            reader = Session(tiny_engine(seed=9), SAMPLING, keeper, source="models/other", load=load)
            message = reader.enter("/open novel").message
            assert reader.story.text == text
            if len(loaded) > 1:
                assert "it is gone" in message
                assert keeper.title != "novel"
            reader.model.close()
        assert loaded == ["models/mine", "models/mine"]
        assert other.info.name == "tiny"
    assert opened(sittings, "novel").story.export() == session.story.export()
