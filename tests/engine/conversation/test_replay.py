"""Exports that are written again, and texts that another model reads."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from tests.engine.conversations import LEVEL_SAMPLING, PROMPT
from tests.networks import level_engine, tiny_engine

SAMPLING = engine.Sampling(temperature=1.0, seed=3, length=10)


def written(tiny: Engine) -> engine.Conversation:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the cat é漢")
    talk.retry()
    talk.retry(replace(SAMPLING, seed=3))  # the seed's first numbers again
    whole = talk.text
    talk.say("", sampling=replace(SAMPLING, stop=(whole[-3:],), length=500, repetition_penalty=1.2, top_k=9))
    talk.say("and", length=10**6).stop()
    talk.goto(1)
    talk.say("then", sampling=replace(SAMPLING, seed=77, temperature=0))
    talk.say("漢", length=0)
    talk.undo()
    return talk


@pytest.mark.parametrize("begins_with_nothing", [False, True])
def test_an_export_is_written_again_byte_for_byte(tiny: Engine, begins_with_nothing: bool) -> None:
    talk = tiny.conversation(sampling=SAMPLING) if begins_with_nothing else written(tiny)
    talk.say("")
    again = engine.replay(tiny, talk.export())
    assert again.export() == talk.export()
    for one, other in zip(talk.tree, again.tree, strict=True):
        assert one.text == other.text
        a, b = one.checkpoint, other.checkpoint
        assert (a.seed, a.key, a.offset) == (b.seed, b.key, b.offset)
        if one.finish_reason != "cancelled" and one.kind == "reply":
            assert one.checkpoint.state.tobytes() == other.checkpoint.state.tobytes()
    assert again.say("go on").text == talk.say("go on").text
    assert again.retry().text == talk.retry().text


def test_a_fork_is_replayed_too(tiny: Engine) -> None:
    branch = written(tiny).fork()
    branch.say("x")
    assert engine.replay(tiny, branch.export()).text == branch.text


def test_another_model_says_at_which_turn_it_differs(tiny: Engine) -> None:
    exported = written(tiny).export()
    with (
        tiny_engine(seed=5) as other,
        pytest.raises(engine.EngineError, match=r"turn 2 would be .* other weights \(tiny\)"),
    ):
        engine.replay(other, exported)
    changed = json.loads(exported)
    changed["turns"][2]["text"] = changed["turns"][2]["text"][:4] + "#"
    with pytest.raises(engine.EngineError, match=r"turn 3 would be another text after its first 4 characters$"):
        engine.replay(tiny, json.dumps(changed))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 9}', '{"version": 1, "seed": 1, "turns": [{}]}', "[" * 10**5]
)
def test_what_is_no_export_is_refused(tiny: Engine, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        engine.replay(tiny, text)


@pytest.mark.parametrize(
    ("name", "value"), [("key", "x"), ("key", 1.5), ("key", 1 << 64), ("place", None), ("drawn", -1), ("seed", "1")]
)
def test_numbers_that_are_none_are_refused_before_the_engine_has_them(tiny: Engine, name: str, value: object) -> None:
    exported = json.loads(written(tiny).export())
    exported["turns"][1][name] = value
    with pytest.raises(ValueError, match=f"{name} .* is no whole number"):
        engine.replay(tiny, json.dumps(exported))
    assert tiny.conversation().say("on", length=2).text


@pytest.mark.parametrize("ids", [(0,), (1, 1), (2, 1), (1, 2, 2)])
def test_a_turn_that_could_be_before_itself_is_refused(tiny: Engine, ids: tuple[int, ...]) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    for _ in ids:
        talk.say("ab", length=0).result()
    exported = json.loads(talk.export()) | {"present": ids[-1]}
    for turn, new in zip(exported["turns"], ids, strict=True):
        turn |= {"id": new, "parent": 0 if new == ids[0] else ids[0]}
    exported["turns"][-1]["parent"] = ids[-1]
    with pytest.raises(ValueError, match=f"turn {ids[-1]} stands after turn"):
        engine.replay(tiny, json.dumps(exported))


def test_another_precision_is_named(tiny: Engine) -> None:
    exported = json.loads(written(tiny).export())
    exported["precision"] = "int8"
    exported["turns"][1]["text"] = "#"
    with pytest.raises(engine.EngineError, match=r"written with --precision int8$"):
        engine.replay(tiny, json.dumps(exported))


def test_saved_exported_replayed_and_fed_again(model: Engine, tmp_path: Path) -> None:
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    talk.say(PROMPT[model.info.level], length=23)
    talk.retry()
    talk.say("the", sampling=replace(LEVEL_SAMPLING, stop=(talk.text[-1],)))
    stopped = talk.say(length=10**6)
    time.sleep(0.05)
    stopped.stop()
    again = engine.replay(model, talk.export())
    assert again.text == talk.text
    assert json.loads(again.export()) == json.loads(talk.export())
    with engine.Store(f"sqlite:///{tmp_path / 'stories.db'}") as store, level_engine(model.info.level, seed=3) as other:
        store.save(talk, "one")
        opened = store.open(model, "one")
        assert opened.text == talk.text
        assert engine.outline(opened.tree, opened.present, 60) == engine.outline(talk.tree, talk.present, 60)
        assert store.open(other, "one", feed_again=True).turns
        assert opened.say("and", length=30).text == talk.say("and", length=30).text == again.say("and", length=30).text


def test_texts_without_some_turns_hang_on_what_stood_before_them() -> None:
    texts = engine.Texts(((1, 0, "a"), (2, 1, "b"), (3, 2, "c"), (4, 1, "d"), (5, 4, "e")), 3)
    assert texts.without({2, 1}) == engine.Texts(((3, 0, "c"), (4, 0, "d"), (5, 4, "e")), 3)
    assert texts.without({3, 2}) == engine.Texts(((1, 0, "a"), (4, 1, "d"), (5, 4, "e")), 1)
    assert texts.without({1, 2, 3, 4, 5}) == engine.Texts((), 0)
