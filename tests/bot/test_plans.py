"""Plans and notes over a real store: what a crash leaves behind is finished, and nobody else is moved."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import engine
from bot import plans
from bot.moves import take_back
from bot.plans import Plan
from bot.settings import Writing
from bot.stories import WRITING, NoStory, Place, Stories
from engine.engine import Engine
from tests.networks import tiny_engine

HERE, THERE = Place(1, 10), Place(1, 11)
KEY = plans.note_key(HERE, 99)


@pytest.fixture
def stories(tiny: Engine, tmp_path: Path) -> Iterator[Stories]:
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        yield Stories(store, {"tiny": tiny}, Writing(length=12))


def write(stories: Stories, plan: Plan, place: Place = HERE) -> plans.Written:
    """A reply from its asking to its keeping, and no note left."""
    story, resolved = plans.resolve(stories, place, plan)
    begun = plans.begin(story, resolved)
    stories.make_present(story)
    begun.reply.result()
    written = plans.keep(stories, begun, KEY, [5], resolved.turn or 0)
    stories.store.write_notes({KEY: None})
    return written


def cut(stories: Stories, plan: Plan) -> dict[str, Any]:
    """What a crash leaves: the plan was noted, and what its reply did in memory is gone."""
    _, resolved = plans.resolve(stories, HERE, plan)
    stories.drop(HERE)
    return plans.asked(resolved, [5])


def test_a_cut_reply_is_written_to_the_very_same_words(stories: Stories) -> None:
    write(stories, Plan(7, text="the cat"))
    note = cut(stories, Plan(7, text="sat on", sampling={"temperature": 1.0}))
    finished = plans.finish(stories, HERE, KEY, note)
    other = write(stories, Plan(7, text="sat on", serial=1, turn=2, sampling={"temperature": 1.0}))
    assert finished.text == other.text
    assert finished.text[: finished.num_bold] == "sat on"


def test_finishing_moves_nobody_who_has_gone_on_since(stories: Stories) -> None:
    write(stories, Plan(7, text="one"))
    note = cut(stories, Plan(7, text="two"))
    later = write(stories, Plan(8, text="three"))
    finished = plans.finish(stories, HERE, KEY, note)
    talk = stories.present(HERE).talk
    assert talk.present == later.turn != finished.turn
    assert "three" in talk.text
    assert "two" not in talk.text
    shown_only = plans.saved(finished.story, finished.turn, " two", [5])
    assert plans.finish(stories, HERE, KEY, shown_only).turn == finished.turn
    assert stories.present(HERE).talk.present == later.turn
    new = stories.begin(HERE, "tiny")
    plans.finish(stories, HERE, KEY, shown_only)
    assert stories.present(HERE).serial == new.serial


def test_where_nobody_went_on_the_story_goes_on_behind_the_finished_reply(stories: Stories) -> None:
    write(stories, Plan(7, text="one", sampling={"seed": 3}))  # which ends without a blank
    finished = plans.finish(stories, HERE, KEY, cut(stories, Plan(7, text="two")))
    stories.drop(HERE)
    assert stories.present(HERE).talk.present == finished.turn
    note = stories.store.note(*KEY)
    assert (note["turn"], note["fed"], note["messages"]) == (finished.turn, " two", [5])


def test_what_was_asked_but_never_begun_is_done_too(stories: Stories) -> None:
    finished = plans.finish(stories, HERE, KEY, plans.asked(Plan(7, text="hello"), [5]))
    assert finished.text.startswith("hello")


def test_a_reply_that_crashes_the_process_again_and_again_is_given_up(stories: Stories) -> None:
    note = {**plans.asked(Plan(7, text="hello"), [5]), "attempts": plans.MAX_ATTEMPTS}
    assert plans.finish(stories, HERE, KEY, note).text == "hello"


def test_a_restart_while_an_earlier_cut_is_finished_leaves_it_to_the_next(stories: Stories) -> None:
    with tiny_engine() as ending:
        leaving = Stories(stories.store, {"tiny": ending}, stories.writing)
        note = plans.asked(Plan(7, text="hello", sampling={"length": 10**7}), [5])
        with ThreadPoolExecutor(1) as worker:
            finishing = worker.submit(plans.finish, leaving, HERE, KEY, note)
            while not ending.activity().tokens:
                time.sleep(0.01)
            ending.close()
            with pytest.raises(engine.EngineClosed):
                finishing.result()
    assert "plan" in stories.store.note(*KEY)
    assert not stories.present(HERE).talk.text


def test_a_finished_reply_is_its_members_to_forget(stories: Stories) -> None:
    plans.finish(stories, HERE, KEY, plans.asked(Plan(7, text="unmistakable"), [5]))
    assert stories.forget_member(HERE, 7) == 1
    assert "unmistakable" not in stories.present(HERE).talk.text


def test_the_present_story_stays_it_when_a_member_is_forgotten(stories: Stories) -> None:
    write(stories, Plan(7, text="an old tale"))
    stories.begin(HERE, "tiny")
    write(stories, Plan(7, text="the later one"))
    written = write(stories, Plan(8, text="at home", serial=1))
    assert stories.forget_member(HERE, 7) == 2
    story = stories.present(HERE)
    assert "at home" in story.talk.text
    assert "an old tale" not in story.talk.text
    assert story.serial == written.story.serial
    assert story.talk.present == written.turn
    assert not stories.forget_member(HERE, 7)


def test_a_forgotten_story_is_not_finished(stories: Stories) -> None:
    write(stories, Plan(7, text="one"))
    note = cut(stories, Plan(7, text="two"))
    stories.store.write_notes({KEY: note})
    stories.forget(HERE)
    assert stories.store.notes(WRITING) == {}
    with pytest.raises(NoStory, match="forgotten"):
        plans.finish(stories, HERE, KEY, note)


def test_continuing_again_from_a_place_gives_other_words(stories: Stories) -> None:
    first = write(stories, Plan(7, text="the cat"))
    again = [write(stories, Plan(7, serial=1, turn=first.turn)).text for _ in range(3)]
    assert len(set(again)) == 3
    seeded = [write(stories, Plan(7, serial=1, turn=first.turn, sampling={"seed": 4})).text for _ in range(2)]
    assert len(set(seeded)) == 1


def test_an_impossible_plan_moves_nothing(stories: Stories) -> None:
    first = write(stories, Plan(7, text="the cat"))
    with pytest.raises(NoStory, match="no turn 99"):
        plans.resolve(stories, HERE, Plan(7, serial=1, turn=99))
    with pytest.raises(NoStory, match="forgotten"):
        plans.resolve(stories, HERE, Plan(7, serial=8, turn=1))
    story, resolved = plans.resolve(stories, HERE, Plan(7, "retry", serial=1, turn=0))
    with pytest.raises(ValueError, match="nothing to retry"):
        plans.begin(story, resolved)
    assert stories.present(HERE).talk.present == first.turn


def test_after_new_training_a_story_keeps_its_turns_and_who_wrote_them(stories: Stories) -> None:
    first = write(stories, Plan(7, text="unmistakable"))
    second = write(stories, Plan(7, "retry", serial=1, turn=first.turn))
    before = engine.Texts.of(stories.present(HERE).talk)
    with tiny_engine(seed=9) as trained_anew:
        again = Stories(stories.store, {"tiny": trained_anew}, stories.writing)
        for _ in range(2):
            story = again.open(HERE, 1)
            assert engine.Texts.of(story.talk) == before
            assert again.channel(HERE).stories == {1: "tiny"}
            again.drop(HERE)
        assert write(again, Plan(8, serial=1, turn=first.turn)).turn == second.turn + 1
        assert again.forget_member(HERE, 7) == 1
        assert "unmistakable" not in story.talk.text or "unmistakable" not in again.present(HERE).talk.text
        assert {turn.id for turn in again.present(HERE).talk.tree} == {2, 3, 4}


def test_a_text_of_which_the_model_knows_nothing_is_nobodys(stories: Stories) -> None:
    write(stories, Plan(7, text="one"))
    begun = plans.begin(*plans.resolve(stories, HERE, Plan(8, text="two")))
    begun.reply.result()
    nothing = dataclasses.replace(begun, plan=dataclasses.replace(begun.plan, turn=99))  # no prompt follows that
    plans.keep(stories, nothing, KEY, [5], stories.present(HERE).talk.present)
    assert stories.authors(HERE, 1) == {1: 7}


def test_a_delete_that_fails_changes_nothing(stories: Stories, monkeypatch: pytest.MonkeyPatch) -> None:
    write(stories, Plan(7, text="unmistakable"))
    with monkeypatch.context() as broken:
        broken.setattr("engine.store._delete", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            stories.forget(HERE)
        with pytest.raises(ZeroDivisionError):
            stories.forget_member(HERE, 7)
    assert "unmistakable" in stories.present(HERE).talk.text
    assert stories.forget_member(HERE, 7) == 1
    assert stories.forget(HERE) == 1
    assert stories.store.names() == []


def test_a_forgotten_story_is_never_taken_for_a_later_one(stories: Stories) -> None:
    first = write(stories, Plan(7, text="one"))
    stories.choose(HERE, max_length=50)
    assert stories.forget(HERE) == 1
    assert write(stories, Plan(7, text="two")).story.serial == 2
    with pytest.raises(NoStory, match="forgotten"):
        plans.resolve(stories, HERE, Plan(7, serial=1, turn=first.turn))
    assert stories.choices(HERE).max_length == 50


def test_what_is_refused_leaves_the_story_where_it_was(stories: Stories) -> None:
    write(stories, Plan(7, text="one"))
    old = stories.present(HERE)
    here = old.talk.present
    with pytest.raises(NoStory, match="nothing to take back"):
        take_back(old.talk, 0)
    assert old.talk.present == here
    new = stories.begin(HERE, "tiny")
    story, resolved = plans.resolve(stories, HERE, Plan(7, "retry", serial=1, turn=0))
    with pytest.raises(ValueError, match="nothing to retry"):
        plans.begin(story, resolved)
    assert stories.present(HERE).serial == new.serial
    stories.make_present(story)
    assert stories.present(HERE).serial == 1


def test_a_model_that_is_gone_can_be_replaced(stories: Stories, tiny: Engine) -> None:
    write(stories, Plan(7, text="unmistakable"))
    left = Stories(stories.store, {"new": tiny}, stories.writing)
    with pytest.raises(NoStory, match="/model chooses another"):
        left.present(HERE)
    story = left.change_model(HERE, "new")
    assert "unmistakable" in story.talk.text
    assert left.present(HERE).serial == story.serial
    assert left.change_model(HERE, "new").serial == story.serial == 2
    assert left.forget_member(HERE, 7) == 2  # in the old story, too


def test_a_copy_knows_who_wrote_what(stories: Stories) -> None:
    written = write(stories, Plan(7, text="unmistakable"))
    authors = {**stories.authors(HERE, 1), 99: 7}
    stories.begin(THERE, "tiny", written.story.talk.fork(written.turn), authors)
    assert {place.channel for place in stories.places(1)} == {10, 11}
    assert [stories.forget_member(place, 7) for place in (HERE, THERE)] == [1, 1]


def test_another_process_may_have_gone_on(stories: Stories, tiny: Engine) -> None:
    write(stories, Plan(7, text="one"))
    other = Stories(stories.store, {"tiny": tiny}, stories.writing)
    write(other, Plan(7, text="two"))
    assert "two" in stories.present(HERE).talk.text
    assert write(stories, Plan(7, text="three")).turn == 6


def test_only_so_many_turns_are_kept_in_memory(stories: Stories, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.stories.MAX_OPEN_TURNS", 9)
    for channel in range(6):
        write(stories, Plan(7, text="one"), Place(1, channel))
    assert len(stories._open) == 3
    assert write(stories, Plan(7, text="two"), Place(1, 0)).turn == 4
