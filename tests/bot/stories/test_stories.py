"""Stories in a real store: which one is present, who wrote what, and what is deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import engine
from bot.replies.requests import Request, remember, resolve_request
from bot.stories.channels import Channel
from bot.stories.refusals import NoStory
from bot.stories.stories import Stories
from engine.serving.engine import Engine
from tests.bot.stories.writing import HERE, THERE, write
from tests.networks import tiny_engine


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
    monkeypatch.setattr("bot.stories.stories.MAX_OPEN_TURNS", 9)
    for number in range(6):
        write(stories, Request(7, text="one"), Channel(1, number))
    assert len(stories._open) == 3
    assert write(stories, Request(7, text="two"), Channel(1, 0)).turn == 4


def test_a_new_story_remembers_what_the_operator_names(stories: Stories, tmp_path: Path) -> None:
    (tmp_path / "town.txt").write_text("the cat sat on the mat. " * 5, encoding="utf-8")
    named = replace(stories.writing, remember=(str(tmp_path / "town.txt"),))
    others = Stories(stories.store, stories.models, named)
    first, second = others.begin(HERE, "tiny"), others.begin(HERE, "tiny")
    assert [turn.kind for turn in first.conversation.tree] == ["memory"]
    assert first.conversation.text == ""
    assert first.conversation._recall._indexes[1] is second.conversation._recall._indexes[1]  # counted once


def test_what_goes_on_from_a_reply_knows_the_text_that_was_remembered_after_it(stories: Stories) -> None:
    first = write(stories, Request(7, text="one"))
    assert resolve_request(stories, HERE, Request(7, turn=first.turn))[1].turn == first.turn
    for text in ("the cat sat on the mat", "a dog sat on a log"):
        story, _ = remember(stories, HERE, text, 7)
    remembered = story.conversation.present
    assert resolve_request(stories, HERE, Request(7, turn=first.turn))[1].turn == remembered
    assert resolve_request(stories, HERE, Request(7, "retry", turn=first.turn))[1].turn == first.turn
    write(stories, Request(7, turn=first.turn))
    second = write(stories, Request(7, turn=first.turn))
    assert [turn.kind for turn in second.story.conversation.turns] == ["prompt", "reply", "memory", "memory", "reply"]
    assert first.story.conversation.tree[-1].parent == remembered


def test_what_a_member_had_remembered_is_forgotten_with_what_they_wrote(stories: Stories) -> None:
    remember(stories, HERE, "the cat sat on the mat", 7)
    story, unseen = remember(stories, HERE, "a dog sat on a log, É", 8)
    assert unseen == {"É": "e"}
    assert stories.forget_member(HERE, 7) == 1
    left = stories.present(HERE).conversation
    assert [(turn.kind, turn.text) for turn in left.tree] == [("memory", "a dog sat on a log, É")]
    assert story.serial == stories.present(HERE).serial
