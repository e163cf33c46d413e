"""Votes in a real store: each member has one ballot, ties go to the first, and what is over is over."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replies.requests import Request, Saved, finish_reply
from bot.stories.refusals import NoStory, VoteOver
from bot.stories.stories import BALLOTS, VOTES, Stories
from bot.stories.votes import Vote, cast, decide, end_vote, open_votes, tally
from tests.bot.stories.writing import HERE, note_on, write


@given(st.lists(st.sampled_from([3, 5, 9])))
def test_most_ballots_win_and_ties_go_to_the_first(chosen: list[int]) -> None:
    turn, counts = tally((3, 5, 9), chosen)
    assert counts == tuple(chosen.count(option) for option in (3, 5, 9))
    assert turn == next(option for option in (3, 5, 9) if chosen.count(option) == max(counts))


def begun(stories: Stories, number: int = 3, minutes: int = 5) -> Vote:
    """A vote below a message."""
    write(stories, Request(7, text="the cat"))
    written = write(stories, Request(7, "alternatives", number=number, minutes=minutes))
    assert written.vote is not None
    assert list(written.options) == list(written.vote.options)
    return written.vote


def test_alternatives_leave_the_story_where_it_is(stories: Stories) -> None:
    vote = begun(stories)
    conversation = stories.present(HERE).conversation
    assert conversation.present == 2
    assert len(vote.options) == 3
    assert 290 < vote.ends - time.time() < 310
    assert open_votes(stories.store) == [vote]


def test_a_vote_is_decided_once(stories: Stories) -> None:
    vote = begun(stories)
    first, second, third = vote.options
    for member, turn in ((1, first), (2, second), (3, second), (1, third), (4, third), (2, third)):
        count = cast(stories.store, vote, member, turn)
    assert count == 4
    with pytest.raises(NoStory, match="no turn 99"):
        cast(stories.store, vote, 1, 99)
    stories.drop(HERE)  # as after a restart
    (vote,) = open_votes(stories.store)
    outcome = decide(stories, vote, lambda outcome: {("kept", "turn"): outcome.turn})
    assert outcome is not None
    assert (outcome.turn, outcome.counts) == (third, (0, 1, 3))
    assert outcome.in_words(vote.options) == "the vote has ended: 3, with 3 of 4 votes"
    assert stories.present(HERE).conversation.present == third == stories.store.note("kept", "turn")
    assert stories.store.notes(f"{BALLOTS}/{HERE.key}/{vote.message}") == {}
    assert decide(stories, vote, lambda outcome: {}) is None
    with pytest.raises(VoteOver, match="over"):
        Vote.read(stories.store, HERE, vote.message)


def test_alternatives_that_were_cut_are_the_very_same(stories: Stories) -> None:
    write(stories, Request(7, text="the cat", sampling={"seed": 4}))
    request = Request(7, "alternatives", serial=1, turn=2, number=2, minutes=5, sampling={"length": 9})
    finished = finish_reply(stories, note_on(stories, request))
    assert list(finished.options) == [3, 4]
    assert finished.vote is not None
    again = finish_reply(stories, note_on(stories, saved=Saved(1, 2, "", [3, 4])))
    assert (again.options, again.vote) == (finished.options, finished.vote)
    other = write(stories, Request(7, "alternatives", serial=1, turn=2, number=2))
    assert not set(other.options.values()) & set(finished.options.values())
    assert "press" in other.rules
    assert "<t:" in finished.rules


def test_forgetting_takes_votes_and_ballots_along(stories: Stories) -> None:
    vote = begun(stories)
    cast(stories.store, vote, 5, vote.options[1])
    cast(stories.store, vote, 6, vote.options[1])
    stories.forget_member(HERE, 5)
    assert stories.store.notes(vote.ballots) == {"6": vote.options[1]}
    stories.forget(HERE)
    assert stories.store.notes(VOTES) == stories.store.notes(vote.ballots) == {}
    assert decide(stories, vote, lambda turn: {}) is None


def test_a_vote_without_its_story_can_be_ended(stories: Stories) -> None:
    vote = begun(stories)
    value = stories.store.note(*vote.key)
    stories.forget(HERE)
    stories.store.write_notes({vote.key: value})
    with pytest.raises(NoStory):
        decide(stories, vote, lambda turn: {})
    end_vote(stories.store, vote)
    assert open_votes(stories.store) == []
