"""The story's memory over a real engine: whatever is done to a story, its memory is what its path alone would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

import engine
from engine.conversation import conversation as module
from engine.conversation.conversation import Conversation
from engine.conversation.tree import closed_tokens
from engine.memory import memory as memory_module
from engine.serving.engine import Engine
from tests.networks import level_engine, tiny_engine

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12, memory="all")
MINE = replace(SAMPLING, memory="mine")
STORY = "the cat sat on the mat. the cat sat on the log. "


def test_off_is_the_network_alone(tiny: Engine) -> None:
    off = replace(SAMPLING, memory="off")
    talk, plain = (tiny.conversation(sampling=off) for _ in range(2))
    talk.remember(STORY)
    assert talk.say("the cat").text == plain.say("the cat").text
    assert talk.tree[-1].checkpoint.weights == b""


def test_what_the_story_said_becomes_likelier(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say(STORY + "the c", length=0)
    alone, mixed = dict(talk.next_tokens(40)), dict(talk.next_tokens(40, SAMPLING))
    assert mixed["a"] > 2 * alone["a"]
    assert sum(mixed.values()) == pytest.approx(1)
    assert talk.tree[-1].checkpoint.weights


def test_the_training_text_is_known_from_the_first_word_on() -> None:
    with tiny_engine(training=STORY * 9) as taught:
        talk = taught.conversation(sampling=MINE)
        talk.say("the ca", length=0)
        alone, mixed = dict(talk.next_tokens(40)), dict(talk.next_tokens(40, MINE))
        assert mixed["t"] > 2 * alone["t"]
        off = replace(MINE, memory="off")
        with tiny_engine() as plain:
            same = plain.conversation(sampling=off).say("the cat").text
        assert taught.conversation(sampling=off).say("the cat").text == same


def test_mine_takes_up_what_was_typed_and_no_reply(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=MINE)
    talk.say("x", length=0)
    before = dict(talk.next_tokens(40, MINE))
    talk.say(length=400)
    assert before.keys() == dict(talk.next_tokens(40, MINE)).keys()
    totals = {}
    for kind in ("mine", "all"):
        memory = talk._recall.at(talk.turns, kind)
        assert memory is not None
        totals[kind] = memory._counts.total
    assert totals == {"mine": 1, "all": 401}
    assert talk._recall.at(talk.turns, "off") is None


def test_a_remembered_text_is_a_turn_that_is_no_part_of_the_story(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    assert talk.remember(STORY + "É漢") == {"É": "e", "漢": ""}
    talk.say("the c")
    assert [turn.kind for turn in talk.turns] == ["memory", "prompt", "reply"]
    assert talk.text.startswith("the c")
    assert STORY not in talk.text
    with_it = dict(talk.next_tokens(40, SAMPLING))
    talk.undo(3)
    assert talk.text == ""
    talk.redo(3)
    assert dict(talk.next_tokens(40, SAMPLING)) == with_it


@pytest.mark.parametrize("wrong", [1, "", "漢字", "a" * 11, "a漢漢漢"])
def test_what_cannot_be_remembered_is_told_and_changes_nothing(
    tiny: Engine, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    talk = tiny.conversation(sampling=SAMPLING)
    with pytest.raises(ValueError, match=r"must be a str|hardly anything|at most 10 are remembered"):
        talk.remember(wrong)
    assert not talk.tree


def test_counting_that_is_ended_changes_nothing(tiny: Engine) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    talk = tiny.conversation(sampling=SAMPLING)
    with pytest.raises(KeyboardInterrupt):
        talk.remember(STORY, stop)
    assert not talk.tree


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
@pytest.mark.parametrize("kind", ["mine", "all"])
def test_a_reply_stopped_and_continued_is_the_reply_unstopped(level: str, kind: str) -> None:
    sampling = replace(SAMPLING, memory=kind)
    with level_engine(level) as model:
        whole = model.conversation(sampling=sampling)
        whole.remember("the king and the cat")
        text = whole.say("the king's cat", length=300).text
        talk = model.conversation(sampling=sampling)
        talk.remember("the king and the cat")
        talk.say("the king's cat", length=7)
        written = "".join(turn.text for turn in talk.turns[2:])
        while len(written) < len(text):
            talk.say(length=1 + len(written) % 13)
            written += talk.turns[-1].text
        assert written[: len(text)] == text


def test_an_interrupted_prompt_is_read_to_its_end(tiny: Engine) -> None:
    prompt = "the quick brown fox. " * 300
    talk, straight = (tiny.conversation(sampling=SAMPLING) for _ in range(2))
    talk.say(prompt).stop()
    assert talk.say("").text == straight.say(prompt).text
    assert talk.turns[-1].checkpoint.weights == straight.turns[-1].checkpoint.weights


@pytest.mark.parametrize("kind", ["mine", "all"])
def test_alternatives_are_what_say_and_retry_would_write(tiny: Engine, kind: str) -> None:
    sampling = replace(SAMPLING, memory=kind)
    talk, other = (tiny.conversation(sampling=sampling) for _ in range(2))
    for one in (talk, other):
        one.say(STORY, length=0)
    side_by_side = [reply.text for reply in talk.alternatives(4)]
    assert side_by_side == [other.say("").text, *(other.retry().text for _ in range(3))]


@pytest.mark.parametrize("level", ["char", "word", "bpe"])
def test_an_export_is_written_again_byte_for_byte(level: str) -> None:
    with level_engine(level) as model:
        talk = model.conversation(sampling=SAMPLING)
        talk.say("the king's cat")
        talk.remember("the king and the sea, and the cat")
        talk.say("and the k")
        talk.retry(replace(MINE, seed=3))
        talk.undo(2)
        talk.say("go on")
        again = engine.replay(model, talk.export())
        assert again.export() == talk.export()
        assert again.say("the").text == talk.say("the").text


@pytest.mark.parametrize("then", ["", "so"])
def test_an_export_of_a_prompt_that_was_stopped_is_written_again(tiny: Engine, then: str) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the quick brown fox. " * 300).stop()
    again = engine.replay(tiny, talk.export())
    assert again.say(then).text == talk.say(then).text
    assert engine.replay(tiny, talk.export()).export() == talk.export()


def test_a_store_that_fails_meanwhile_leaves_no_wrong_memory(tiny: Engine) -> None:
    def fail() -> tuple[int, ...]:
        raise engine.StoreError("away")

    talk = tiny.conversation(sampling=SAMPLING)
    for text in (STORY, "the dog ", "the log "):
        talk.say(text, length=0)
    expected = talk.next_tokens(40, SAMPLING)
    snapshot = talk.snapshot()
    again = Conversation.restored(tiny, snapshot)
    whole = again._tree.turns[2]
    again._tree.turns[2] = replace(whole, written=fail)
    with pytest.raises(engine.StoreError):
        again.next_tokens(40, SAMPLING)
    again._tree.turns[2] = whole
    assert again.next_tokens(40, SAMPLING) == expected


def test_the_likeliest_tokens_count_no_reply_either_where_several_of_its_tokens_are_pending() -> None:
    several = 0
    with level_engine("bpe") as model:
        for seed in range(20):
            talk = model.conversation(sampling=replace(MINE, seed=seed))
            talk.say("吾輩は cat", length=7)
            several += len(talk.settle().checkpoint.settled) > 1
            talk.next_tokens(1, MINE)
            memory = talk._recall._memory
            assert memory is not None
            assert memory._counts.total == len(closed_tokens(talk.turns[0]))
    assert several


def test_an_export_with_damaged_weights_is_refused(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the cat")
    exported = talk.export()
    begin = exported.index('"weights": "') + len('"weights": "')
    with pytest.raises(ValueError, match="damaged"):
        engine.replay(tiny, exported[:begin] + "AAAA" + exported[begin + 4 :])


def test_another_model_remembers_what_was_remembered(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("ab", length=3)
    talk.remember(STORY)
    talk.say("cd", length=3)
    with tiny_engine(seed=3) as other:
        read = engine.read_again(other, engine.Texts.of(talk))
    assert [(turn.id, turn.text) for turn in read.tree] == [(turn.id, turn.text) for turn in talk.tree]
    assert read.tree[2].kind == "memory"
    assert read.text == talk.text


def test_a_fork_remembers_and_goes_its_own_way(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.remember(STORY)
    talk.say("the cat")
    branch = talk.fork()
    branch.say(" abc " * 5)
    assert talk.say("x").text == talk.fork(talk.turns[-3].id).say("x").text
    assert talk.fork(1).say("the cat").text == talk.turns[2].text


def test_going_to_another_reply_takes_back_what_the_last_one_said(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("abcab")
    before = talk.next_tokens(40, SAMPLING)
    talk.retry()
    talk.goto(2)
    assert talk.next_tokens(40, SAMPLING) == before


class AnySequence(RuleBasedStateMachine):
    """No sequence of operations gives another memory than one that is made afresh from the path."""

    def __init__(self) -> None:
        super().__init__()
        self.talks: list[Conversation] = []

    @initialize(text=st.text("abc. 漢", max_size=9), seed=st.integers(0, 3))
    def begin(self, text: str, seed: int) -> None:
        self.talks = [ENGINES[0].conversation(sampling=replace(SAMPLING, seed=seed, length=4))]
        self.talk.say(text)

    @property
    def talk(self) -> Conversation:
        return self.talks[-1]

    @rule(
        text=st.text("abc. é漢", max_size=4), length=st.integers(0, 6), kind=st.sampled_from(["off", "mine", "all"]),
        stop=st.sampled_from([(), ("a",), ("bc", "e")]),
    )  # fmt: skip
    def say(self, text: str, length: int, kind: str, stop: tuple[str, ...]) -> None:
        self.talk.say(text, sampling=engine.Sampling(length=length, temperature=1.0, memory=kind, stop=stop))

    @rule(kind=st.sampled_from(["mine", "all"]))
    def retry(self, kind: str) -> None:
        if self.talk.turns:
            self.talk.retry(engine.Sampling(length=5, temperature=1.0, memory=kind))

    @rule(n=st.integers(1, 3))
    def undo(self, n: int) -> None:
        if len(self.talk.turns) >= n:
            self.talk.undo(n)

    @rule(data=st.data())
    def goto(self, data: st.DataObject) -> None:
        self.talk.goto(data.draw(st.sampled_from([0, *(turn.id for turn in self.talk.tree)])))
        self.equals_one_made_afresh()

    @rule(text=st.text("abc", min_size=1, max_size=5))
    def remember(self, text: str) -> None:
        self.talk.remember(text)

    @rule()
    def alternatives(self) -> None:
        if self.talk.settle().checkpoint.pending:
            self.talk.alternatives(2, replace(SAMPLING, seed=None, length=3))

    @precondition(lambda self: len(self.talks) < 3)
    @rule()
    def fork(self) -> None:
        self.talks.append(self.talk.fork())

    @rule()
    def other(self) -> None:
        self.talks.insert(0, self.talks.pop())

    @rule()
    def stop_at_once(self) -> None:
        self.talk.say("abcab", length=50).stop()

    @rule()
    def equals_one_made_afresh(self) -> None:  # no invariant, which would have the memory move after every step
        afresh = Conversation.restored(ENGINES[0], self.talk.snapshot())
        for kind in ("mine", "all"):
            sampling = engine.Sampling(temperature=1.0, memory=kind)
            assert afresh.next_tokens(40, sampling) == self.talk.next_tokens(40, sampling)


ENGINES: list[Engine] = []


@pytest.mark.parametrize(("fold", "training"), [(2, "abcab abcac cabab"), (1024, "")])
def test_no_sequence_of_operations_gives_another_memory(
    fold: int, training: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "FOLD_TOKENS", fold)
    with tiny_engine(training=training) as tiny:
        ENGINES[:] = [tiny]
        run_state_machine_as_test(
            AnySequence,
            settings=settings(
                max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
