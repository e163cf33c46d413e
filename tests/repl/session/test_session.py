from __future__ import annotations

from pathlib import Path

import pytest

import engine
from repl.commands.dispatch import enter
from repl.session.session import Session
from tests.networks import level_engine, tiny_engine
from tests.repl.session.lines import Sessions, opened, said, write, write_kept


def test_unseen_characters_are_told_once(session: Session) -> None:
    assert "'é' as 'e'" in enter(session, "é").message
    assert enter(session, "é").message == ""
    message = enter(session, "é漢").message
    assert "漢" in message
    assert "é" not in message


def test_words_that_a_model_of_words_never_saw_are_told_as_words() -> None:
    with level_engine("word") as model:
        message = enter(Session(model, engine.Sampling(length=2)), "the zebra said stop").message
    assert "never saw some of these words" in message
    assert "'zebra' as '<unk>'" in message
    told = engine.tell_unseen({f"word{number}": "" for number in range(2000)}, "word")
    assert "'word11' and 1,988 more" in told


def test_another_model_reads_the_story() -> None:
    made = {"a": tiny_engine(), "b": tiny_engine(seed=5)}
    session = Session(made["a"], engine.Sampling(seed=4, length=20), source="a", load=made.__getitem__)
    write(session, "the cat")
    said(session, "/fork other")
    text = session.story.text
    said(session, "/model b")
    assert (session.story.text, session.name) == (text, "other")
    assert session.model is made["b"]
    afresh = made["b"].conversation()
    afresh.say(text, length=0).result()
    assert session.story.next_tokens(5) == afresh.next_tokens(5)
    assert "closed" in enter(Session(made["a"], engine.Sampling()), "x").message
    made["b"].close()


def test_a_suggestion_leaves_the_story_alone(session: Session) -> None:
    write(session, "the cat")
    before = session.story.export()
    suggestion = session.suggest(" sat").text
    assert session.story.export() == before
    assert "\n" not in suggestion
    greedy = session.story.fork().say(" sat", sampling=engine.Sampling(temperature=0, length=len(suggestion))).text
    assert greedy == suggestion
    assert write(session, "x")


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
    write_kept(session, "ab")
    enter(session, "/fork b")
    write_kept(session, "in the fork")
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


def test_another_model_goes_on_in_a_session_of_its_own_and_says_so(sessions: Sessions) -> None:
    sessions.model = tiny_engine()  # for it is closed
    session = sessions.start("novel")
    session._load = lambda _: tiny_engine(seed=9)
    write_kept(session, "ab")
    enter(session, "/fork side")
    assert "'novel' stays as it was" in enter(session, "/model other").message
    write_kept(session, "cd")
    assert session.store is not None
    assert session.store.title == "novel-tiny"
    assert set(session.store.sessions()) == {"novel", "novel-tiny"}
    session.model.close()
    with engine.Store(sessions.url) as store:
        assert {"novel-tiny", "novel-tiny/side"} <= set(store.names())
        assert all("cd" not in text for *_, text in store.texts("novel/side").turns)
