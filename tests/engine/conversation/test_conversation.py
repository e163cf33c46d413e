"""The tree of turns, over a real engine: whatever is done to it, it ends where its text alone would have led."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import engine
from engine.conversation.checkpoint import Result
from engine.conversation.conversation import Conversation
from engine.conversation.reply import Reply
from engine.serving.engine import Engine
from tests.engine.conversations import position
from tests.networks import tiny_engine

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12)


def test_a_conversation_in_its_plainest_form(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    reply = talk.say("the cat")
    assert len(reply.text) == 12
    assert reply.finish_reason == "length"
    assert talk.text == "the cat" + reply.text
    assert [(turn.id, turn.kind, turn.text) for turn in talk.turns] == [
        (1, "prompt", "the cat"),
        (2, "reply", reply.text),
    ]


def test_a_retry_draws_fresh_numbers_and_the_same_ones_in_another_sitting(tiny: Engine) -> None:
    texts = []
    for _ in range(2):
        talk = tiny.conversation(sampling=SAMPLING)
        texts.append([talk.say("ab").text, talk.retry().text, talk.retry().text, talk.say("c").text, talk.retry().text])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 5
    assert [turn.parent for turn in talk.tree] == [None or 0, 1, 1, 1, 4, 5, 5]


def test_a_retry_with_a_seed_is_that_seeds_text(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("ab")
    assert talk.retry(replace(SAMPLING, seed=9)).text == talk.retry(replace(SAMPLING, seed=9)).text
    fresh = tiny.conversation(sampling=replace(SAMPLING, seed=9)).say("ab").text
    assert talk.retry(replace(SAMPLING, seed=9)).text == fresh


def test_the_same_seed_given_again_goes_on_and_another_begins_anew(tiny: Engine) -> None:
    def write(*parts: engine.Sampling | None) -> list[str]:
        talk = tiny.conversation(sampling=SAMPLING)
        return [talk.say("a", sampling=part).text for part in parts]

    assert write(None, None) == write(SAMPLING, SAMPLING)
    assert write(None, replace(SAMPLING, seed=6))[1] != write(None, None)[1]


def test_a_reply_stopped_and_continued_is_the_reply_unstopped(tiny: Engine) -> None:
    whole = tiny.conversation(sampling=SAMPLING).say("ab", length=3000).text
    talk = tiny.conversation(sampling=SAMPLING)
    reply = talk.say("ab", length=3000)
    for _ in reply:
        reply.stop()
    assert reply.finish_reason == "cancelled"
    assert 0 < len(reply.text) < 3000
    rest = talk.say(length=3000 - len(reply.text))
    assert reply.text + rest.text == whole


def test_stopping_while_the_prompt_is_read_keeps_what_was_read(tiny: Engine) -> None:
    prompt = "the quick brown fox. " * 500
    talk = tiny.conversation(sampling=SAMPLING)
    reply = talk.say(prompt)
    reply.stop()
    assert reply.text == ""
    assert talk.text == prompt
    straight = tiny.conversation(sampling=SAMPLING)
    assert talk.say("").text == straight.say(prompt).text


def test_no_length_only_feeds(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    assert talk.say("the cat", length=0).text == ""
    assert [turn.kind for turn in talk.turns] == ["prompt"]
    assert talk.say("").text == tiny.conversation(sampling=SAMPLING).say("the cat").text


def test_a_story_may_begin_with_nothing(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    reply = talk.say().text
    assert reply == tiny.conversation(sampling=SAMPLING).say("\n").text
    assert talk.text == "\n" + reply  # what was read is part of the text
    nothing = tiny.conversation(sampling=SAMPLING)
    nothing.say("漢")
    assert nothing.text == "漢\n" + reply


def test_the_text_is_the_text_that_was_read(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("a\r", length=0)
    talk.say("\nb e\u0301", length=0)
    assert talk.text == "a\n\nb \u00e9"


def test_unseen_characters_are_told(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    assert talk.say("Élan 漢").unseen == {"É": "e", "漢": ""}
    assert talk.text.startswith("Élan 漢")


def test_the_repetition_penalty_looks_back_over_turns(tiny: Engine) -> None:
    penalized = replace(SAMPLING, repetition_penalty=5.0, temperature=0.0, length=8)
    at_once = tiny.conversation(sampling=penalized).say("ab", length=16).text
    talk = tiny.conversation(sampling=penalized)
    assert talk.say("ab").text + talk.say().text == at_once
    assert at_once != tiny.conversation(sampling=replace(penalized, repetition_penalty=1.0)).say("ab", length=16).text


def test_the_likeliest_next_tokens(tiny: Engine) -> None:
    talk = tiny.conversation(sampling=replace(SAMPLING, temperature=0))
    talk.say("ab", length=0)
    tokens = talk.next_tokens(1000)
    assert sum(p for _, p in tokens) == pytest.approx(1)
    assert [p for _, p in tokens] == sorted((p for _, p in tokens), reverse=True)
    assert len(tokens) == len(tiny.vocabulary)
    assert talk.say(length=1).text == tokens[0][0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda talk: talk.undo(), lambda talk: talk.undo(0), lambda talk: talk.redo(), lambda talk: talk.redo(0),
        lambda talk: talk.goto(7), lambda talk: talk.retry(), lambda talk: talk.next_tokens(0),
        lambda talk: talk.say("x", length=-1), lambda talk: talk.say(5), lambda talk: talk.say("x", sampling={}),
        lambda talk: talk.undo("1"), lambda talk: talk.goto([]), lambda talk: talk.next_tokens(2.5),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_so_and_changes_nothing(tiny: Engine, wrong: Any) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    before = position(talk)
    with pytest.raises(ValueError, match=r"\w"):
        wrong(talk)
    assert position(talk) == before
    assert talk.turns == []


def test_a_conversation_without_a_seed_is_another_each_time(tiny: Engine) -> None:
    texts = {tiny.conversation(sampling=replace(SAMPLING, seed=None, length=30)).say("ab").text for _ in range(3)}
    assert len(texts) == 3


class AnySequence(RuleBasedStateMachine):
    """No sequence of operations differs from feeding the text afresh, and every turn stays what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = ENGINES[0]
        self.talks: list[Conversation] = []

    @initialize(text=st.text("abc. 漢", max_size=4), seed=st.integers(0, 3))
    def begin(self, text: str, seed: int) -> None:
        self.talks = [self.engine.conversation(sampling=engine.Sampling(seed=seed, length=4, temperature=1.0))]
        self.seen: dict[tuple[int, int], tuple[str, Any]] = {}
        self.talks[0].say(text)

    @property
    def talk(self) -> Conversation:
        return self.talks[-1]

    @rule(
        text=st.text("abc. é漢", max_size=4), length=st.integers(0, 6), stop=st.sampled_from([(), ("a",), ("bc", "e")])
    )
    def say(self, text: str, length: int, stop: tuple[str, ...]) -> None:
        self.talk.say(text, sampling=engine.Sampling(length=length, temperature=1.0, stop=stop))

    @rule(seed=st.one_of(st.none(), st.integers(0, 3)))
    def retry(self, seed: int | None) -> None:
        if self.talk.turns:
            self.talk.retry(engine.Sampling(length=5, temperature=1.0, seed=seed))

    @rule(n=st.integers(1, 3))
    def undo(self, n: int) -> None:
        if len(self.talk.turns) >= n:
            self.talk.undo(n)

    @rule()
    def redo(self) -> None:
        if self.talk.present in self.talk._tree.forward:
            self.talk.redo()

    @rule(data=st.data())
    def goto(self, data: st.DataObject) -> None:
        self.talk.goto(data.draw(st.sampled_from([0, *(turn.id for turn in self.talk.tree)])))

    @precondition(lambda self: len(self.talks) < 3)
    @rule()
    def fork(self) -> None:
        self.talks.append(self.talk.fork())

    @rule()
    def other(self) -> None:
        self.talks.insert(0, self.talks.pop())

    @rule()
    def stop_at_once(self) -> None:
        self.talk.say("a", length=50).stop()

    @invariant()
    def equals_its_text_fed_afresh(self) -> None:
        if not self.talks or not self.talk.turns:
            return
        afresh = self.engine.conversation(sampling=engine.Sampling(seed=1))
        afresh.say(self.talk.text, length=0)
        assert afresh.next_tokens(5) == self.talk.next_tokens(5)

    @invariant()
    def turns_never_change(self) -> None:
        for talk in self.talks:
            for turn in talk.tree:
                now = (turn.text, turn.checkpoint.state.tobytes())
                assert self.seen.setdefault((id(talk), turn.id), now) == now


ENGINES: list[Engine] = []


def test_no_sequence_of_operations_differs_from_its_text_fed_afresh() -> None:
    with tiny_engine() as tiny:
        ENGINES[:] = [tiny]
        run_state_machine_as_test(
            AnySequence,
            settings=settings(
                max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )


def test_alternatives_are_what_say_and_retry_would_write(tiny: Engine) -> None:
    sampling = engine.Sampling(seed=5, length=12, temperature=1.0)
    talk, straight = tiny.conversation(sampling=sampling), tiny.conversation(sampling=sampling)
    for each in (talk, straight):
        each.say("the cat", length=0).result()
    texts = [reply.text for reply in talk.alternatives(3)]
    assert texts == [straight.say().text, straight.retry().text, straight.retry().text]
    assert talk.present == 1
    assert [turn.parent for turn in talk.tree] == [0, 1, 1, 1]
    talk.goto(3)
    assert talk.text == "the cat" + texts[1]
    assert talk.say().text == straight_after(straight, 3)
    more = talk.alternatives(1, engine.Sampling(seed=9, length=4))[0].text
    assert len(more) == 4


def test_a_wait_that_was_interrupted_loses_no_turn(tiny: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = tiny.conversation(sampling=SAMPLING)
    talk.say("the cat", length=0)
    assert talk.present == 1
    replies = [talk.say(), *talk.alternatives(2)]
    with monkeypatch.context() as patch:
        patch.setattr(Reply, "result", interrupted)
        for ask in (talk.settle, talk.export, lambda: talk.say("more")):
            with pytest.raises(KeyboardInterrupt):
                ask()
    assert [turn.text for turn in talk.tree] == ["the cat", *(reply.text for reply in replies)]
    assert talk.present == 2


def interrupted(reply: Reply) -> Result:
    raise KeyboardInterrupt


def test_alternatives_that_find_no_room_leave_nothing() -> None:
    with tiny_engine(max_batch=1) as model:
        model.max_waiting = 2
        talk = model.conversation(sampling=replace(SAMPLING, length=10**6))
        talk.say("the cat", length=0)
        before = position(talk)
        with pytest.raises(engine.EngineBusy):
            talk.alternatives(9)
        assert position(talk) == before
        while model.activity().running or model.activity().waiting:
            time.sleep(0.001)
        assert len(talk.say("so", length=3).text) == 3


def straight_after(talk: Conversation, turn: int) -> str:
    talk.goto(turn)
    return talk.say().text


def test_alternatives_need_a_turn_and_a_number(tiny: Engine) -> None:
    talk = tiny.conversation()
    with pytest.raises(ValueError, match="nothing to go on from"):
        talk.alternatives(2)
    talk.say("ab", length=0)
    with pytest.raises(ValueError, match="n 0"):
        talk.alternatives(0)


def test_next_tokens_with_settings_are_what_is_drawn_from(tiny: Engine) -> None:
    talk = tiny.conversation()
    talk.say("the cat", length=0)
    plain = talk.next_tokens(len(tiny.vocabulary))
    cold = talk.next_tokens(99, engine.Sampling(temperature=0.5, top_k=3))
    weights = [probability**2 for _, probability in plain[:3]]
    assert [token for token, _ in cold] == [token for token, _ in plain[:3]]
    assert [probability for _, probability in cold] == pytest.approx([w / sum(weights) for w in weights], rel=1e-4)
    assert talk.next_tokens(5, engine.Sampling(temperature=0)) == [(plain[0][0], 1.0)]
    penalized = dict(talk.next_tokens(99, engine.Sampling(temperature=1, repetition_penalty=100)))
    assert penalized != dict(talk.next_tokens(99, engine.Sampling(temperature=1)))
