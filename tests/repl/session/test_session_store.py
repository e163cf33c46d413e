"""Sessions in a real SQLite file: kept at every turn, opened again, also after a process was killed."""

from __future__ import annotations

import pytest

import engine
from repl.commands.dispatch import enter
from tests.networks import level_engine
from tests.repl.session.lines import SAMPLING, Sessions, opened, write_kept


def test_every_turn_is_kept_without_asking(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "the cat")
    write_kept(session, "/retry")
    enter(session, "/undo")
    again = opened(sessions, "novel")
    assert again.story.export() == session.story.export()
    assert again.sampling == SAMPLING
    fresh = sessions.model.conversation(sampling=SAMPLING)
    assert write_kept(again, "") == fresh.say("the cat").text  # after the undo it stands at the prompt's end


def test_a_session_without_a_name_gets_one_from_the_time(sessions: Sessions) -> None:
    first, second = sessions.start(), sessions.start()
    write_kept(first, "one")
    write_kept(second, "two")
    names = [session.store.title for session in (first, second) if session.store]
    assert len(set(names)) == 2
    assert names[0][:2] == "20"
    assert opened(sessions, names[1]).story.turns[0].text == "two"


def test_settings_and_forks_are_kept_with_it(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "the cat")
    enter(session, "/fork other")
    write_kept(session, " sat")
    enter(session, "/set temperature 0.3")
    again = opened(sessions, "novel")
    enter(again, "/goto other")
    assert again.story.text == session.story.text
    assert set(again.stories) == {"main", "other"}
    assert session.sampling.temperature == 0.3


@pytest.mark.parametrize("line", ["go on", "", "/retry"])
def test_a_reply_that_a_kill_cuts_off_is_written_again(sessions: Sessions, line: str) -> None:
    session = sessions.start("novel")
    write_kept(session, "the cat")
    answer = enter(session, line)
    assert answer.reply is not None
    text = answer.reply.text
    session.note_written(15)
    assert session.store is not None
    session.store.sessions()  # it is noted now, and then the process is gone
    again = opened(sessions, "novel")
    assert again.story.turns[-1].text == text[:15]
    straight = session.story.text
    assert (again.story.text + write_kept(again, ""))[: len(straight)] == straight


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


def test_a_reply_of_another_window_is_not_written_again_into_a_story_that_has_gone_on(sessions: Sessions) -> None:
    first, second = sessions.start("novel"), sessions.start()
    write_kept(first, "ab")
    enter(second, "/open novel")
    answer = enter(second, "refused")
    assert answer.reply is not None
    answer.reply.result()
    second.note_written(10)  # while it still is as the store has it
    write_kept(first, "cd")
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
    write_kept(first, "ab")
    enter(sessions.start(), "/delete novel")
    answer = enter(first, "cd")
    assert answer.reply is not None
    answer.reply.result()
    first.note_written(10)
    first.finish(answer)
    assert "no sessions yet" in enter(sessions.start(), "/sessions").message


def test_a_session_goes_on_in_the_fork_where_it_was_left(sessions: Sessions) -> None:
    session = sessions.start("novel")
    write_kept(session, "ab")
    enter(session, "/fork side")
    write_kept(session, "cd")
    assert opened(sessions, "novel").name == "side"
    enter(session, "/goto main")
    assert opened(sessions, "novel").name == "main"


def test_a_session_open_in_two_windows_is_overwritten_by_none(sessions: Sessions) -> None:
    first = sessions.start("novel")
    write_kept(first, "ab")
    second = opened(sessions, "novel")
    write_kept(second, "second")
    answer = enter(first, "first")
    assert answer.reply is not None
    answer.reply.result()
    assert "changed or deleted elsewhere" in first.finish(answer).message
    assert "and kept" in enter(first, "/save mine").message
    assert "first" in opened(sessions, "mine").story.text
    assert "second" in opened(sessions, "novel").story.text
