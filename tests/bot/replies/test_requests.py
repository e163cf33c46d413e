"""Requests and notes in a real store: what a crash leaves behind is finished, and nobody else is moved."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import engine
from bot.replies.requests import (
    MAX_ATTEMPTS,
    Note,
    Request,
    Saved,
    begin_reply,
    finish_reply,
    keep_reply,
    resolve_request,
)
from bot.stories.refusals import NoStory
from bot.stories.stories import WRITING, Stories
from tests.bot.stories.writing import HERE, POST, note_on, write
from tests.networks import tiny_engine

KEY = WRITING, f"{HERE.key}/{POST}"


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


def test_without_a_message_there_is_no_vote_but_there_are_alternatives(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    note = note_on(stories, Request(7, "alternatives", number=2, minutes=5))
    note.chain.messages.clear()
    finished = finish_reply(stories, note)
    assert len(finished.options) == 2
    assert finished.vote is None
    with pytest.raises(NoStory, match="nothing is known"):
        finish_reply(stories, note_on(stories))


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


def test_a_forgotten_story_is_not_finished(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    note = cut(stories, Request(7, text="two"))
    stories.forget(HERE)
    assert stories.store.notes(WRITING) == {}
    with pytest.raises(NoStory, match="forgotten"):
        finish_reply(stories, note)


def test_continuing_again_from_a_turn_gives_other_words(stories: Stories) -> None:
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


def test_a_text_of_which_the_model_knows_nothing_is_nobodys(stories: Stories) -> None:
    write(stories, Request(7, text="one"))
    begun = begin_reply(*resolve_request(stories, HERE, Request(8, text="two")))
    begun.reply.result()
    nothing = dataclasses.replace(begun, request=dataclasses.replace(begun.request, turn=99))  # no prompt follows that
    keep_reply(stories, nothing, note_on(stories), stories.present(HERE).conversation.present)
    assert stories.authors(HERE, 1) == {1: 7}
