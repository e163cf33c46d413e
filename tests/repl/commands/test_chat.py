"""A chat as a writer has one: the story underneath is one as always."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from repl.commands.dispatch import enter
from repl.session.session import Session
from tests.networks import tiny_engine
from tests.repl.session.lines import Sessions, opened, said, write, write_kept


def test_each_line_gets_a_name_and_the_model_one_line(session: Session) -> None:
    assert said(session, r"/chat ann:bob\: x") == (
        "a chat: you are ann, the model is bob: x; '/me NAME' changes you, '/chat off' leaves"
    )
    first = enter(session, "hello")
    assert first.reply is not None
    assert first.speaker == "bob: x"
    text = first.reply.text
    assert "\n" not in text
    assert session.story.text == f"ann: hello\nbob: x: {text}"
    second = write(session, "and you")
    assert session.story.text == f"ann: hello\nbob: x: {text}\nann: and you\nbob: x: {second}"
    again = enter(session, "/retry")
    assert again.speaker == "bob: x"
    assert again.reply is not None
    assert "\n" not in again.reply.text
    assert session.story.text.endswith(f"ann: and you\nbob: x: {again.reply.text}")


def test_a_line_that_was_taken_back_is_written_anew(session: Session) -> None:
    said(session, "/chat ann:bob")
    write(session, "hello")
    said(session, "/undo")
    again = enter(session, "")
    assert again.speaker == "bob"
    assert again.reply is not None
    assert session.story.text == f"ann: hello\nbob: {again.reply.text}"


def test_two_people_and_the_end_of_a_chat(session: Session) -> None:
    assert "no chat is on" in said(session, "/me eve")
    assert said(session, "/chat off") == "there is no chat"
    said(session, "/chat ann:bob")
    assert "give your name, as in '/me ann'" in said(session, "/me")
    assert "you are eve" in said(session, "/me eve")
    write(session, "hi")
    assert "you are bob, the model is eve" in said(session, "/me bob")
    write(session, "oh")
    assert session.story.text.startswith("eve: hi\nbob: ")
    assert "\nbob: oh\neve: " in session.story.text
    assert "bob to eve" in session.status()
    assert "the story again" in said(session, "/chat off")
    write(session, " and")
    assert " and" in [turn.text for turn in session.story.turns]


def test_a_text_that_begins_with_a_slash_is_a_line_too(session: Session) -> None:
    said(session, "/chat ann:bob")
    write(session, "//well")
    assert session.story.text.startswith("ann: /well\nbob: ")


def test_a_chat_writes_what_its_text_would_be_written_with_asked_afresh(session: Session, tiny: Engine) -> None:
    said(session, "/chat ann:bob")
    replies = [write(session, line) for line in ("hello", "how are you", "", "well")]
    said(session, "/undo 2")
    said(session, "/redo 2")
    replies.append(write(session, "bye"))
    plain = tiny.conversation(sampling=session.sampling)
    fed = [turn.text for turn in session.story.turns if turn.kind == "prompt"]
    stops = engine.Sampling(seed=4, length=20, temperature=1.0, stop=("\n",))
    assert [plain.say(text, sampling=stops).text for text in fed] == replies


def test_a_chat_is_kept_with_its_session_and_old_sessions_have_none(sessions: Sessions) -> None:
    first = sessions.start("talk")
    said(first, r"/chat ann:bob\: x")
    write_kept(first, "hello")
    assert opened(sessions, "talk").chat == first.chat
    said(first, "/chat off")
    assert opened(sessions, "talk").chat is None
    assert first.store is not None
    (story,) = first.stories.values()
    first.store.save("main", story, {"model": "tiny"})  # as an earlier version did
    assert opened(sessions, "talk").chat is None


def test_suggestions_are_of_the_line_that_is_typed(session: Session, tiny: Engine) -> None:
    said(session, "/chat ann:bob")
    write(session, "hello")
    text = session.story.text
    greedy = engine.Sampling(temperature=0, length=40, stop=("\n",))
    expected = session.story.fork().say("\nann: how a", sampling=greedy).text
    assert session.suggest("how a").text == expected
    assert session.story.text == text


def test_the_speakers_of_a_model_are_used(tmp_path: Path, keras_model_dir: Path) -> None:
    for name in ("model.keras", "vocabulary.json"):
        (tmp_path / name).symlink_to(keras_model_dir / name)
    (tmp_path / "settings.json").write_text(json.dumps({"speakers": ["Bob", "Ann", "Eve"]}))
    with tiny_engine() as model:
        session = Session(model, engine.Sampling(), source=str(tmp_path))
        assert "you are Ann, the model is Bob" in said(session, "/chat")
        assert "you are Ann, the model is Eve" in said(session, "/chat :Eve")
        (tmp_path / "settings.json").unlink()
        (tmp_path / "model.keras").unlink()
        assert session.speakers == ()


@pytest.mark.parametrize("line", ["/alt 2", "/retry"])
def test_whatever_is_written_ends_with_the_line(session: Session, line: str) -> None:
    session.sampling = engine.Sampling(seed=3, length=300, temperature=1.5)
    said(session, "/chat ann:bob")
    write(session, "hello")
    answer = enter(session, line)
    for reply in answer.replies or (answer.reply,):
        assert reply is not None
        assert "\n" not in reply.text
        assert reply.finish_reason == "stop"
