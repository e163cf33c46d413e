"""Stop strings end a reply in the state of its text."""

from __future__ import annotations

from dataclasses import replace

import engine
from engine.model.onnx_step import OnnxStep
from engine.serving.engine import Engine
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import LEVEL_SAMPLING, check
from tests.networks import tiny_network

SAMPLING = engine.Sampling(temperature=1.0, seed=5, length=12)


def test_a_stop_string_ends_a_reply_at_a_token(model: Engine) -> None:
    settings = replace(LEVEL_SAMPLING, length=80)
    found = 0
    for seed in range(10):
        free = model.conversation(sampling=replace(settings, seed=seed))
        whole = free.say("\n").text
        for begin, size in ((11, 1), (20, 2), (30, 5)):
            stop = whole[begin : begin + size]
            if len(stop) < size:
                continue
            talk = model.conversation(sampling=replace(settings, seed=seed, stop=(stop,)))
            reply = talk.say("\n")
            pieces = list(reply)
            assert "".join(pieces) == reply.text
            assert reply.finish_reason == "stop"
            assert stop not in reply.text
            place = whole.find(stop)
            assert whole.startswith(reply.text)
            kept = model.vocabulary.decode(
                free.tree[-1].tokens[: len(talk.turns[-1].tokens) + 4], free.turns[0].tokens[-1]
            )
            assert len(reply.text) <= place < max(len(kept), place + 1)
            check(model, talk)
            found += 1
    assert found >= 20


def test_a_stop_string_that_never_comes_changes_nothing(model: Engine) -> None:
    for seed in range(6):
        settings = replace(LEVEL_SAMPLING, seed=seed)
        free, watched = (
            model.conversation(sampling=s) for s in (settings, replace(settings, stop=("zz~zz", "\n\n\n\n")))
        )
        assert free.say("\n").text == "".join(watched.say("\n"))
        check(model, watched)
        assert free.say(" a").text == watched.say(" a").text


def test_stop_strings_end_a_reply_in_the_state_of_its_text(tiny: Engine) -> None:
    whole = tiny.conversation(sampling=SAMPLING).say("ab", length=400).text
    for stop in (whole[3:5], whole[40:43], whole[0], whole[:2]):
        talk = tiny.conversation(sampling=SAMPLING)
        reply = talk.say("ab", sampling=replace(SAMPLING, stop=(stop, "never!"), length=400))
        pieces = "".join(reply)
        assert reply.finish_reason == "stop"
        assert pieces == reply.text == whole[: whole.index(stop)]
        afresh = tiny.conversation(sampling=SAMPLING)
        afresh.say("ab" + reply.text, length=0)
        assert talk.next_tokens() == afresh.next_tokens()
        assert talk.say("", length=5).text  # and one can go on


def test_what_might_have_become_a_stop_string_is_given_out_at_the_end(tiny: Engine) -> None:
    whole = tiny.conversation(sampling=SAMPLING).say("ab", length=10).text
    reply = tiny.conversation(sampling=SAMPLING).say(
        "ab", sampling=replace(SAMPLING, stop=(whole[-2:] + "!",), length=10)
    )
    assert "".join(reply) == reply.text == whole


def test_a_model_that_writes_accents_apart_stops_there_too() -> None:
    letters = Vocabulary(("\n", "e", "\u0301", "x"))
    with Engine("apart", OnnxStep(tiny_network(len(letters))), letters, "onnx", 4) as model:
        text = model.conversation(sampling=engine.Sampling(seed=1, length=400, temperature=2)).say("e").text
        assert "e\u0301" in text
        reply = model.conversation(sampling=engine.Sampling(seed=1, length=400, temperature=2, stop=("é",))).say("e")
        assert reply.text == text[: text.index("e\u0301")]
        assert reply.finish_reason == "stop"
