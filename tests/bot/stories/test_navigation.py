"""Moves in a story, over a real store."""

from __future__ import annotations

import pytest

from bot.messages.pages import Passage
from bot.replies.requests import Request, begin_reply, resolve_request
from bot.stories.navigation import go_back, go_forward, go_to, story_end, take_back
from bot.stories.refusals import NoStory
from bot.stories.stories import Stories
from tests.bot.stories.writing import HERE, write


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


def test_turns_are_taken_back_and_brought_back(stories: Stories) -> None:
    story = write(stories, Request(7, text="the cat")).story
    last = write(stories, Request(7, text="sat")).turn
    conversation = story.conversation
    take_back(conversation, last)  # the reply, and what it answered
    assert conversation.present == 2
    go_forward(conversation, 2)
    assert conversation.present == last
    go_back(conversation, 4)
    assert story_end(story) == Passage(said="*(the story is empty)*")
    for present, message in ((0, "is nothing"), (1, "is only 1 turn"), (2, "are only 2 turns")):
        go_to(conversation, present)
        with pytest.raises(NoStory, match=f"there {message} to take back"):
            go_back(conversation, 9)
    go_to(conversation, last)
    assert "the cat" in story_end(story).text


def test_what_cannot_be_done_is_told(stories: Stories) -> None:
    story = stories.begin(HERE, "tiny")
    with pytest.raises(NoStory, match="nothing to take back"):
        go_back(story.conversation, 1)
    conversation = write(stories, Request(7, text="the cat")).story.conversation
    with pytest.raises(NoStory, match="only 2 turns"):
        go_back(conversation, 3)
    with pytest.raises(NoStory, match="not so many"):
        go_forward(conversation, 1)
    with pytest.raises(NoStory, match="no turn 99"):
        go_to(conversation, 99)
    assert conversation.present == 2
