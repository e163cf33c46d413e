"""Walking over a turn token by token, and branching from a place in it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import engine
from engine.model.onnx_step import OnnxStep
from engine.serving.engine import Engine
from engine.text.byte_pairs import letters, train
from engine.text.vocabulary import Vocabulary
from tests.engine.conversations import LEVEL_SAMPLING, check, position
from tests.networks import tiny_network

TALE = "Once upon a time there was a tiger named Tim. It was the time of times, and time went on.\n"


def walked(model: Engine, memory: str = "off", seed: int = 5) -> engine.Conversation:
    talk = model.conversation(sampling=replace(LEVEL_SAMPLING, seed=seed, memory=memory))
    for text in ("\n", "the king", " and the sea"):
        talk.say(text).result()
    return talk


def test_a_walk_has_the_tokens_of_the_turn(model: Engine) -> None:
    talk = walked(model)
    opened = [turn.id for turn in talk.turns if turn.checkpoint.reopened]
    for turn in talk.turns:
        places = talk.walk(turn.id, 3)
        assert [place.token.id for place in places] == list(turn.tokens)
        assert "".join(place.text for place in places) == turn.text
        for place in places:
            assert place.surprisal_bits is None or place.surprisal_bits >= 0
            chances = [chance for _, chance in place.others]
            assert chances == sorted(chances, reverse=True)
            assert len(chances) == (0 if place.surprisal_bits is None else 3) or turn.parent in opened
            assert place.token.id not in [token.id for token, _ in place.others]
    first = talk.walk(talk.turns[0].id)[0]
    assert (first.surprisal_bits, first.others) == (None, ())


@pytest.mark.parametrize("memory", ["off", "mine", "all"])
def test_choices_are_what_the_story_expects_there(model: Engine, memory: str) -> None:
    """A branch that writes what the turn wrote, and no more, expects the same next."""
    talk = walked(model, memory)
    size, seen = len(model.vocabulary), 0
    for turn in [one for one in talk.turns if one.kind == "reply"]:
        places, before = talk.walk(turn.id, size), talk.fork(turn.id)
        for place in range(1, len(turn.tokens), 3):
            choices = talk.choices(turn.id, place, size)
            own = places[place]
            chances = [chance for _, chance in choices]
            assert chances == sorted(chances, reverse=True)
            assert {token.id for token, _ in choices} == {own.token.id, *(token.id for token, _ in own.others)}
            if not places[place - 1].text or not own.text:
                continue  # within a character
            there = before.fork()
            there.branch(turn.id, place - 1, turn.tokens[place - 1], length=0).result()
            expected = [chance for _, chance in there.next_tokens(size, replace(talk.sampling, memory=memory))]
            assert [chance / sum(chances) for chance in chances[:5]] == pytest.approx(expected[:5], rel=1e-4)
            seen += 1
    assert seen > 10


def test_a_branch_stands_beside_the_turn_and_begins_with_what_was_before(model: Engine) -> None:
    for seed in range(3):
        talk = walked(model, seed=seed)
        turn = talk.turns[-1]
        for place in (0, 1, 2, 5, 13, len(turn.tokens) - 1):
            others = talk.walk(turn.id, 2)[place].others
            token = others[-1][0] if others else talk.walk(turn.id)[place].token
            reply = talk.branch(turn.id, place, token, length=7)
            assert "".join(reply) == reply.text
            made = talk.turns[-1]
            assert (made.parent, made.kind, made.begun) == (turn.parent, "reply", place + 1)
            assert made.tokens[: place + 1] == (*turn.tokens[:place], token.id)
            assert made.drawn == len(made.tokens)
            assert len(made.tokens) == 8 + place or model.info.level == "bpe"
            check(model, talk)
            text = talk.text
            talk.undo()
            talk.redo()
            assert talk.text == text
            ends = talk.fork()
            assert ends.say(length=9).text == talk.say(length=9).text
            again = engine.replay(model, talk.export())
            assert [one.text for one in again.tree] == [one.text for one in talk.tree]
            assert again.say(length=9).text == talk.say(length=9).text


def test_a_branch_in_a_prompt_leaves_what_is_before_it_a_prompt(model: Engine) -> None:
    talk = walked(model, memory="mine")
    for turn in [turn for turn in talk.turns if turn.kind == "prompt"]:
        for place in range(len(turn.tokens)):
            if turn.id == 1 and not place:
                with pytest.raises(ValueError, match="place 0: nothing comes before"):
                    talk.branch(turn.id, place, 3)
                continue
            others = talk.walk(turn.id)[place].others
            token = others[0][0] if others else talk.walk(turn.id)[place].token
            path = talk.fork(turn.parent).text
            reply = talk.branch(turn.id, place, token, length=3)
            assert talk.text.startswith(path + "".join(one.text for one in talk.walk(turn.id)[:place]))
            assert talk.text.endswith(reply.text)
            *_, before, made = talk.turns
            head = (*(before.tokens if before.parent == turn.parent else ()), *made.tokens)
            assert head[: place + 1] == (*turn.tokens[:place], token.id)
            check(model, talk)


def test_a_branch_shares_its_random_numbers_with_no_retry(model: Engine) -> None:
    talk = model.conversation(sampling=LEVEL_SAMPLING)
    talk.say("\n").result()
    talk.say(length=9).result()
    turn = talk.turns[-1]
    for _ in range(3):
        talk.goto(turn.id)
        talk.branch(turn.id, 2, turn.tokens[2], length=9).result()
        talk.goto(turn.id)
        talk.retry().result()
    keys = [one.checkpoint.key for one in talk.snapshot().turns if one.parent == turn.parent]
    assert len(set(keys)) == len(keys) == 7
    talk.goto(turn.parent or 0)
    talk.say(" a", length=0).result()  # a child that is no reply moves the count of branches ahead of the retries'
    talk.goto(turn.id)
    talk.branch(turn.id, 2, turn.tokens[2], length=9).result()
    branch = talk.snapshot().turns[-1].checkpoint.key
    for _ in range(3):
        talk.goto(turn.id)
        talk.retry().result()
        assert talk.snapshot().turns[-1].checkpoint.key != branch
    again = engine.replay(model, talk.export())
    assert [(one.text, one.tokens) for one in again.tree] == [(one.text, one.tokens) for one in talk.tree]


@pytest.mark.parametrize("memory", ["off", "mine", "all"])
def test_a_branch_is_the_same_in_a_batch_after_undo_and_stored(model: Engine, tmp_path: Path, memory: str) -> None:
    talk = walked(model, memory)
    turn = talk.turns[-1].id
    forks = [talk.fork() for _ in range(7)]
    begun = [(fork, place, fork.choices(turn, place)[-1][0]) for place, fork in enumerate(forks)]
    replies = [fork.branch(turn, place, token) for fork, place, token in begun]
    with engine.Store(f"sqlite:///{tmp_path}/s.db") as store:
        for (fork, place, token), reply in zip(begun, replies, strict=True):
            alone = talk.fork()
            assert alone.branch(turn, place, token).text == reply.text
            assert position(alone)[:2] == position(fork)[:2] or model.info.level == "bpe"
            store.save(fork, f"{place}")
            opened = store.open(model, f"{place}")
            assert [(one.tokens, one.begun) for one in opened.turns] == [(one.tokens, one.begun) for one in fork.turns]
            assert opened.retry().text == fork.retry().text
            assert opened.say().text == fork.say().text


def test_a_stopped_branch_keeps_what_it_has_and_goes_on_to_the_same_words(model: Engine) -> None:
    talk = walked(model)
    turn = talk.turns[-1]
    whole = talk.fork().branch(turn.id, 9, turn.tokens[9], length=20_000).text  # more than is drawn before it stops
    for size in (1, 5, 60):
        fork = talk.fork()
        reply = fork.branch(turn.id, 9, turn.tokens[9], length=10**6)
        read = ""
        for piece in reply:
            read += piece
            if len(read) >= size:
                reply.stop()
        assert reply.text == read
        check(model, fork)
        if reply.result().begun == 10:
            assert whole.startswith(read + fork.say(length=20).text)


def test_what_a_branch_may_not_be(model: Engine) -> None:
    talk = walked(model)
    turn = talk.turns[-1]
    size = len(turn.tokens)
    for place in (-1, size, "a"):
        with pytest.raises(ValueError, match=f"place {place!r}: must be from 0 to {size - 1} in turn {turn.id}"):
            talk.choices(turn.id, place)  # type: ignore[arg-type]
    for token in (-1, len(model.vocabulary), "never seen", 1.5):
        with pytest.raises(ValueError, match=f"token {token!r}"):
            talk.branch(turn.id, 1, token)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="turn_id 0: must be a prompt or a reply"):
        talk.walk(0)
    with pytest.raises(ValueError, match="n 0"):
        talk.walk(turn.id, 0)
    if model.info.level == "word":
        with pytest.raises(ValueError, match="token '<unk>'"):
            talk.branch(turn.id, 1, model.vocabulary.unknown_id or 0)
    assert talk.present == turn.id
    as_text = str(talk.choices(turn.id, 3)[0][0])
    assert talk.branch(turn.id, 3, as_text, length=0).result().tokens[3] == talk.choices(turn.id, 3)[0][0].id


@contextlib.contextmanager
def open_words() -> Iterator[Engine]:
    """Byte pairs of English, whose prompts end within words."""
    tokens, merges = train([TALE], 320)
    words = Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))
    with Engine("words", OnnxStep(tiny_network(len(words))), words, "onnx", 8) as made:
        yield made


def test_a_prompts_open_word_is_written_again_in_a_branch() -> None:
    with open_words() as model:
        talk = model.conversation(sampling=LEVEL_SAMPLING)
        talk.say("Once upon a ti").result()
        prompt, turn = talk.turns
        assert prompt.checkpoint.reopened
        may = {*model.vocabulary.continuing(prompt.checkpoint.open)}
        place = talk.walk(turn.id, 99)[0]
        assert {token.id for token, _ in place.others} == may - {place.token.id}
        assert "".join(one.text for one in talk.walk(turn.id)) == turn.text
        for token, _ in place.others:
            talk.goto(turn.id)
            talk.branch(turn.id, 0, token, length=5).result()
            assert talk.text.startswith("Once upon a ti")
            check(model, talk)
            assert engine.replay(model, talk.export()).text == talk.text
        outside = next(one for one in range(len(model.vocabulary)) if one not in may)
        with pytest.raises(ValueError, match="cannot stand at place 0"):
            talk.branch(turn.id, 0, outside)
        for at in range(1, len(prompt.tokens)):
            token = talk.choices(prompt.id, at)[0][0]
            talk.branch(prompt.id, at, token, length=5).result()
            check(model, talk)


def test_a_branch_in_the_middle_of_the_first_character() -> None:
    words = Vocabulary(tuple(letters()), "bpe")
    with Engine("bytes", OnnxStep(tiny_network(len(words))), words, "onnx", 4) as model:
        talk = model.conversation(sampling=LEVEL_SAMPLING)
        talk.say("猫である", length=0)
        cat, dog = "猫".encode(), "狗".encode()
        assert cat[0] == dog[0]
        reply = talk.branch(1, 1, dog[1], length=0)
        assert reply.result().tokens[:2] == tuple(dog[:2])
        check(model, talk)
        ends = "\ufffd" + "".join(map(chr, range(0x32C0, 0x3300)))  # whatever the character becomes
        reply = talk.branch(1, 4, dog[1], sampling=engine.Sampling(stop=tuple(ends), seed=2, length=9))
        assert (reply.text, reply.finish_reason) == ("", "stop")
        assert reply.result().drawn == 0  # so that nothing is drawn in place of what was given
        assert engine.replay(model, talk.export()).text == talk.text
        talk.branch(1, 4, dog[1], length=3)
        assert talk.text.startswith("猫")
        assert [turn.kind for turn in talk.turns] == ["prompt", "reply"]
        check(model, talk)


def test_a_turn_is_walked_while_another_story_is_written(model: Engine) -> None:
    talk = walked(model)
    quiet = talk.walk(talk.turns[-1].id)
    other = model.conversation(sampling=LEVEL_SAMPLING)
    reply = other.say("\n", length=10**6)
    assert talk.walk(talk.turns[-1].id) == quiet
    reply.stop()


def test_random_branches_are_those_of_the_same_story_afresh(model: Engine) -> None:
    chosen = random.Random(3)
    done: list[tuple[int, int, int]] = []
    talk = walked(model, memory="all")
    for _ in range(12):
        turn = chosen.choice([one for one in talk.tree if one.id > 1])
        place = chosen.randrange(len(turn.tokens))
        token, _ = chosen.choice(talk.choices(turn.id, place))
        talk.branch(turn.id, place, token, length=6)
        done.append((turn.id, place, token.id))
        check(model, talk)
    afresh = walked(model, memory="all")
    for turn_id, place, number in done:
        afresh.branch(turn_id, place, number, length=6).result()
    assert [(one.text, one.tokens, one.parent) for one in afresh.tree] == [
        (one.text, one.tokens, one.parent) for one in talk.tree
    ]
    assert afresh.say().text == talk.say().text


def test_a_text_that_is_remembered_is_no_place_to_walk(model: Engine) -> None:
    talk = walked(model)
    talk.remember("the cat sat on the king")
    with pytest.raises(ValueError, match="must be a prompt or a reply"):
        talk.walk(talk.present)
    reply = talk.say(" a")
    assert "".join(place.text for place in talk.walk(talk.present)) == reply.text
