"""Long random stories: stored, opened and replayed they are the same, and two in one batch are each as alone.

Their settings and what is done to them are drawn from those below.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.serving.engine import Engine
from engine.serving.scheduler import Scheduler
from tests.engine.conversations import LEVEL_SAMPLING, check

SETTINGS: dict[str, list[Any]] = {
    "end": ["any", "word", "line", "sentence"],
    "ban": [(), (), ("e", " a"), ("th", "s", "\n\n", "猫"), ("a", "b", "c.", "k")],
    "memory": ["off", "mine", "all"],
    "stop": [(), (), ("zz", "\n")],
    "temperature": [0.0, 0.7, 1.0, 2.0],
    "dry_multiplier": [0.0, 0.0, 0.8],
    "xtc_probability": [0.0, 0.0, 0.5],
    "bias": [(), (), ("the=+2", "e=-1")],
    "repetition_penalty": [1.0, 1.0, 1.2],
    "top_k": [0, 0, 5],
}
TEXTS = ["", "", "\n", "the king", " and the sea", "go on, "]


def chosen_settings(choose: random.Random) -> engine.Sampling:
    drawn = {name: choose.choice(values) for name, values in SETTINGS.items()}
    return replace(LEVEL_SAMPLING, seed=choose.randrange(5), length=choose.randrange(1, 25), **drawn)


def act(talk: engine.Conversation, choose: random.Random, *, stops: bool = True) -> None:
    """Do something to a story. What cannot be done now raises `ValueError`.

    Without `stops` it is the same whenever it is done: where a reply is stopped is a matter of time.
    """
    turns = [turn for turn in talk.tree if turn.kind != "memory" and turn.tokens]
    sampling = chosen_settings(choose)

    def branch() -> None:
        turn = choose.choice(turns)
        place = choose.randrange(len(turn.tokens))
        token, _ = choose.choice(talk.choices(turn.id, place))
        talk.branch(turn.id, place, token, sampling=replace(sampling, seed=choose.choice([None, 3])))

    def stopped() -> None:
        reply = talk.say(choose.choice(TEXTS), sampling=replace(sampling, length=300))
        size = choose.randrange(1, 20)
        read = 0
        for piece in reply:
            read += len(piece)
            if read >= size:
                reply.stop()

    acts: list[Callable[[], object]] = [
        lambda: talk.say(choose.choice(TEXTS), sampling=sampling),
        lambda: talk.say(choose.choice(TEXTS), sampling=replace(sampling, seed=None)),
        lambda: talk.retry(replace(sampling, seed=None)),
        lambda: talk.undo(choose.randrange(1, 3)),
        lambda: talk.redo(),
        lambda: talk.goto(choose.choice(talk.tree).id),
        lambda: talk.alternatives(2, replace(sampling, seed=None)),
        lambda: talk.remember("the king and the sea, and the king"),
        branch, branch, *([stopped] if stops else []),
    ]  # fmt: skip
    choose.choice(acts)()


def tell(model: Engine, actions: int, seed: int, folder: Path) -> None:
    """Act so many times, and look at every text afresh now and then."""
    choose, done = random.Random(seed), 0
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    talk.say("\n").result()
    with engine.Store(f"sqlite:///{folder}/{seed}.db") as store:
        store.save(talk, "story")
        for _ in range(actions):
            try:
                act(talk, choose)
                done += 1
            except (ValueError, IndexError):
                continue
            for turn in talk.tree:
                if turn.sampling is not None and not turn.begun:
                    assert not [one for one in turn.sampling.ban if one in turn.text]
            if choose.random() < 0.15:
                store.save(talk, "story")
                talk = store.open(model, "story")
        if all(turn.kind != "memory" for turn in talk.turns) and talk.turns and model.info.level != "word":
            check(model, talk)
        again = engine.replay(model, talk.export())
        assert [(one.text, one.parent) for one in again.tree] == [(one.text, one.parent) for one in talk.tree]
        talk.goto(again.present)
        assert again.say(sampling=LEVEL_SAMPLING).text == talk.say(sampling=LEVEL_SAMPLING).text
    assert done > actions / 2


def tell_together(model: Engine, actions: int, seeds: Sequence[int]) -> list[list[tuple[object, ...]]]:
    """The turns of some stories. After each action all their replies are written at the same time."""
    talks = [model.conversation(sampling=replace(LEVEL_SAMPLING, seed=seed)) for seed in seeds]
    choices = [random.Random(seed) for seed in seeds]
    for talk in talks:
        talk.say("\n").result()
    for _ in range(actions):
        for talk, choose in zip(talks, choices, strict=True):
            with contextlib.suppress(ValueError, IndexError):
                act(talk, choose, stops=False)
    return [
        [(one.kind, one.text, one.tokens, one.parent, one.checkpoint.key, one.finish_reason) for one in talk.tree]
        for talk in talks
    ]


@pytest.mark.parametrize("seed", [0, 2])
def test_two_random_stories_in_one_batch_are_each_as_alone(
    model: Engine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [tell_together(model, 40, [one])[0] for one in (seed, seed + 1)]
    sizes, admit = list[int](), Scheduler.admit

    def admitted(scheduler: Scheduler[Any]) -> list[Any]:
        joined = admit(scheduler)
        sizes.append(len({row.owner for row in scheduler.running}))
        return joined

    monkeypatch.setattr(Scheduler, "admit", admitted)
    assert tell_together(model, 40, [seed, seed + 1]) == alone
    assert sizes.count(2) > 20
    assert min(map(len, alone)) > 20


@pytest.mark.parametrize("seed", range(3))
def test_a_random_story_is_the_same_afresh(model: Engine, seed: int, tmp_path: Path) -> None:
    tell(model, 40, seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 105))
def test_a_long_random_story_is_the_same_afresh(model: Engine, seed: int, tmp_path: Path) -> None:
    tell(model, 1000, seed, tmp_path)
