"""Requests and notes in a real store: what a crash leaves behind is finished, and nobody else is moved."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import engine
from bot.replies.channels import Channel
from bot.replies.navigation import take_back
from bot.replies.refusals import NoStory
from bot.replies.requests import (
    MAX_ATTEMPTS,
    Note,
    Request,
    Saved,
    Written,
    begin_reply,
    finish_reply,
    keep_reply,
    resolve_request,
)
from bot.replies.stories import WRITING, Stories
from bot.settings import Writing
from engine.serving.engine import Engine
from tests.networks import tiny_engine

HERE, THERE = Channel(1, 10), Channel(1, 11)
POST = 99
KEY = WRITING, f"{HERE.key}/{POST}"


@pytest.fixture
def stories(tiny: Engine, tmp_path: Path) -> Iterator[Stories]:
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        yield Stories(store, {"tiny": tiny}, Writing(length=12))


def note_on(stories: Stories, request: Request | None = None, *, saved: Saved | None = None, attempts: int = 0) -> Note:
    """A note on a post with one message."""
    return Note(stories.store, HERE, POST, [5], request, attempts, saved)


def write(stories: Stories, request: Request, channel: Channel = HERE) -> Written:
    """A reply from its asking to its keeping, and no note left."""
    story, resolved = resolve_request(stories, channel, request)
    begun = begin_reply(story, resolved)
    stories.make_present(story)
    begun.reply.result()
    note = note_on(stories)
    written = keep_reply(stories, begun, note, resolved.turn or 0)
    note.remove()
    return written


def cut(stories: Stories, request: Request) -> Note:
    """What a crash leaves: the request was noted, and what its reply did in memory is gone."""
    _, resolved = resolve_request(stories, HERE, request)
    stories.drop(HERE)
    note_on(stories).ask(resolved)
    return Note.read(stories.store, HERE, POST, stories.store.note(*KEY))


def test_a_cut_reply_is_written_to_the_very_same_words(stories: Stories) -> None:
    write(stories, Request(7, text="the cat"))
    note = cut(stories, Request(7, text="sat on", sampling={"temperature": 1.0}))
    finished = finish_reply(stories, note)
    other = write(stories, Request(7, text="sat on", serial=1, turn=2, sampling={"temperature": 1.0}))
    assert finished.text == other.text
    assert finished.text[: finished.num_bold] == "sat on"


def test_finishing_moves_nobody_who_has_gone_on_since(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    note = cut(stories, Request(7, text="two"))
    later = write(stories, Request(8, text="three"))
    finished = finish_reply(stories, note)
    conversation = stories.present(HERE).conversation
    assert conversation.present == later.turn != finished.turn
    assert "three" in conversation.text
    assert "two" not in conversation.text
    shown_only = note_on(stories, saved=Saved(finished.story.serial, finished.turn, " two"))
    assert finish_reply(stories, shown_only).turn == finished.turn
    assert stories.present(HERE).conversation.present == later.turn
    new = stories.begin(HERE, "tiny")
    finish_reply(stories, shown_only)
    assert stories.present(HERE).serial == new.serial


def test_where_nobody_went_on_the_story_goes_on_behind_the_finished_reply(stories: Stories) -> None:
    write(stories, Request(7, text="one", sampling={"seed": 3}))  # which ends without a blank
    finished = finish_reply(stories, cut(stories, Request(7, text="two")))
    stories.drop(HERE)
    assert stories.present(HERE).conversation.present == finished.turn
    note = stories.store.note(*KEY)
    assert (note["turn"], note["fed"], note["messages"]) == (finished.turn, " two", [5])


def test_what_was_asked_but_never_begun_is_done_too(stories: Stories) -> None:
    finished = finish_reply(stories, note_on(stories, Request(7, text="hello")))
    assert finished.text.startswith("hello")


def test_a_reply_that_crashes_the_process_again_and_again_is_given_up(stories: Stories) -> None:
    note = note_on(stories, Request(7, text="hello"), attempts=MAX_ATTEMPTS)
    assert finish_reply(stories, note).text == "hello"


def test_a_restart_while_an_earlier_cut_is_finished_leaves_it_to_the_next(stories: Stories) -> None:
    with tiny_engine() as ending:
        leaving = Stories(stories.store, {"tiny": ending}, stories.writing)
        note = note_on(stories, Request(7, text="hello", sampling={"length": 10**7}))
        with ThreadPoolExecutor(1) as worker:
            finishing = worker.submit(finish_reply, leaving, note)
            while not ending.activity().tokens:
                time.sleep(0.01)
            ending.close()
            with pytest.raises(engine.EngineClosed):
                finishing.result()
    assert "plan" in stories.store.note(*KEY)
    assert not stories.present(HERE).conversation.text


def test_a_finished_reply_is_its_members_to_forget(stories: Stories) -> None:
    finish_reply(stories, note_on(stories, Request(7, text="unmistakable")))
    assert stories.forget_member(HERE, 7) == 1
    assert "unmistakable" not in stories.present(HERE).conversation.text


def test_the_present_story_stays_it_when_a_member_is_forgotten(stories: Stories) -> None:
    write(stories, Request(7, text="an old tale"))
    stories.begin(HERE, "tiny")
    write(stories, Request(7, text="the later one"))
    written = write(stories, Request(8, text="at home", serial=1))
    assert stories.forget_member(HERE, 7) == 2
    story = stories.present(HERE)
    assert "at home" in story.conversation.text
    assert "an old tale" not in story.conversation.text
    assert story.serial == written.story.serial
    assert story.conversation.present == written.turn
    assert not stories.forget_member(HERE, 7)


def test_a_forgotten_story_is_not_finished(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    note = cut(stories, Request(7, text="two"))
    stories.forget(HERE)
    assert stories.store.notes(WRITING) == {}
    with pytest.raises(NoStory, match="forgotten"):
        finish_reply(stories, note)


def test_continuing_again_from_a_place_gives_other_words(stories: Stories) -> None:
    first = write(stories, Request(7, text="the cat"))
    again = [write(stories, Request(7, serial=1, turn=first.turn)).text for _ in range(3)]
    assert len(set(again)) == 3
    seeded = [write(stories, Request(7, serial=1, turn=first.turn, sampling={"seed": 4})).text for _ in range(2)]
    assert len(set(seeded)) == 1


def test_an_impossible_request_moves_nothing(stories: Stories) -> None:
    first = write(stories, Request(7, text="the cat"))
    with pytest.raises(NoStory, match="no turn 99"):
        resolve_request(stories, HERE, Request(7, serial=1, turn=99))
    with pytest.raises(NoStory, match="forgotten"):
        resolve_request(stories, HERE, Request(7, serial=8, turn=1))
    story, resolved = resolve_request(stories, HERE, Request(7, "retry", serial=1, turn=0))
    with pytest.raises(ValueError, match="nothing to retry"):
        begin_reply(story, resolved)
    assert stories.present(HERE).conversation.present == first.turn


def test_after_new_training_a_story_keeps_its_turns_and_who_wrote_them(stories: Stories) -> None:
    first = write(stories, Request(7, text="unmistakable"))
    second = write(stories, Request(7, "retry", serial=1, turn=first.turn))
    before = engine.Texts.of(stories.present(HERE).conversation)
    with tiny_engine(seed=9) as trained_anew:
        again = Stories(stories.store, {"tiny": trained_anew}, stories.writing)
        for _ in range(2):
            story = again.open(HERE, 1)
            assert engine.Texts.of(story.conversation) == before
            assert again.record(HERE).stories == {1: "tiny"}
            again.drop(HERE)
        assert write(again, Request(8, serial=1, turn=first.turn)).turn == second.turn + 1
        assert again.forget_member(HERE, 7) == 1
        assert (
            "unmistakable" not in story.conversation.text or "unmistakable" not in again.present(HERE).conversation.text
        )
        assert {turn.id for turn in again.present(HERE).conversation.tree} == {2, 3, 4}


def test_a_text_of_which_the_model_knows_nothing_is_nobodys(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    begun = begin_reply(*resolve_request(stories, HERE, Request(8, text="two")))
    begun.reply.result()
    nothing = dataclasses.replace(begun, request=dataclasses.replace(begun.request, turn=99))  # no prompt follows that
    keep_reply(stories, nothing, note_on(stories), stories.present(HERE).conversation.present)
    assert stories.authors(HERE, 1) == {1: 7}


def test_a_delete_that_fails_changes_nothing(stories: Stories, monkeypatch: pytest.MonkeyPatch) -> None:
    write(stories, Request(7, text="unmistakable"))
    with monkeypatch.context() as broken:
        broken.setattr("engine.store.store._delete", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            stories.forget(HERE)
        with pytest.raises(ZeroDivisionError):
            stories.forget_member(HERE, 7)
    assert "unmistakable" in stories.present(HERE).conversation.text
    assert stories.forget_member(HERE, 7) == 1
    assert stories.forget(HERE) == 1
    assert stories.store.names() == []


def test_a_forgotten_story_is_never_taken_for_a_later_one(stories: Stories) -> None:
    first = write(stories, Request(7, text="one"))
    stories.choose(HERE, max_length=50)
    assert stories.forget(HERE) == 1
    assert write(stories, Request(7, text="two")).story.serial == 2
    with pytest.raises(NoStory, match="forgotten"):
        resolve_request(stories, HERE, Request(7, serial=1, turn=first.turn))
    assert stories.choices(HERE).max_length == 50


def test_what_is_refused_leaves_the_story_where_it_was(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    old = stories.present(HERE)
    here = old.conversation.present
    with pytest.raises(NoStory, match="nothing to take back"):
        take_back(old.conversation, 0)
    assert old.conversation.present == here
    new = stories.begin(HERE, "tiny")
    story, resolved = resolve_request(stories, HERE, Request(7, "retry", serial=1, turn=0))
    with pytest.raises(ValueError, match="nothing to retry"):
        begin_reply(story, resolved)
    assert stories.present(HERE).serial == new.serial
    stories.make_present(story)
    assert stories.present(HERE).serial == 1


def test_a_model_that_is_gone_can_be_replaced(stories: Stories, tiny: Engine) -> None:
    write(stories, Request(7, text="unmistakable"))
    left = Stories(stories.store, {"new": tiny}, stories.writing)
    with pytest.raises(NoStory, match="/model chooses another"):
        left.present(HERE)
    story = left.change_model(HERE, "new")
    assert "unmistakable" in story.conversation.text
    assert left.present(HERE).serial == story.serial
    assert left.change_model(HERE, "new").serial == story.serial == 2
    assert left.forget_member(HERE, 7) == 2  # in the old story, too


def test_a_copy_knows_who_wrote_what(stories: Stories) -> None:
    written = write(stories, Request(7, text="unmistakable"))
    authors = {**stories.authors(HERE, 1), 99: 7}
    stories.begin(THERE, "tiny", written.story.conversation.fork(written.turn), authors)
    assert {channel.id for channel in stories.channels(1)} == {10, 11}
    assert [stories.forget_member(channel, 7) for channel in (HERE, THERE)] == [1, 1]


def test_another_process_may_have_gone_on(stories: Stories, tiny: Engine) -> None:
    write(stories, Request(7, text="one"))
    other = Stories(stories.store, {"tiny": tiny}, stories.writing)
    write(other, Request(7, text="two"))
    assert "two" in stories.present(HERE).conversation.text
    assert write(stories, Request(7, text="three")).turn == 6


def test_only_so_many_turns_are_kept_in_memory(stories: Stories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.replies.stories.MAX_OPEN_TURNS", 9)
    for number in range(6):
        write(stories, Request(7, text="one"), Channel(1, number))
    assert len(stories._open) == 3
    assert write(stories, Request(7, text="two"), Channel(1, 0)).turn == 4
