from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import engine
from engine.serving.engine import Engine
from repl.pipe.plain_prompt import marked
from repl.session.session import COMMANDS, Quit, Session
from tests.networks import level_engine, tiny_engine


@pytest.fixture
def session(tiny: Engine) -> Session:
    return Session(tiny, engine.Sampling(seed=4, length=20, temperature=1.0))


def write(session: Session, line: str) -> str:
    """What the model writes after a line."""
    reply = session.enter(line).reply
    assert reply is not None
    return reply.text


def said(session: Session, line: str) -> str:
    answer = session.enter(line)
    assert answer.reply is None
    return answer.message


def test_a_line_is_added_to_the_letter_and_enter_goes_on(session: Session) -> None:
    first, second = write(session, "the cat"), write(session, "")
    assert session.story.text == "the cat" + first + second
    third = write(session, "//slash")
    assert session.story.text.endswith("/slash" + third)


def test_every_command_of_the_table_is_in_the_help(session: Session) -> None:
    text = said(session, "/help")
    assert all(f"/{name}" in text for name in COMMANDS)


def test_retry_undo_redo_and_goto(session: Session) -> None:
    first = write(session, "ab")
    second = write(session, "/retry")
    assert first != second
    assert said(session, "/undo") == "ab"
    assert said(session, "/redo") == "ab" + second
    assert said(session, "/goto 2") == "ab" + first
    assert said(session, "/undo 2") == "(the story is empty)"
    assert "there are 0 turns to take back" in said(session, "/undo")
    assert "bring back" in said(session, "/redo 9")
    assert "give a number" in said(session, "/undo x")
    assert "give a number" in said(session, "/undo \u00b2")
    assert "no such turn" in said(session, "/goto 99")
    assert "give a turn's number" in said(session, "/goto nowhere")


def test_a_fork_leaves_the_story_alone(session: Session) -> None:
    write(session, "ab")
    before = session.story.text
    assert "'fork2'" in said(session, "/fork")
    write(session, "cd")
    assert "[fork2]" in said(session, "/tree")
    assert said(session, "/goto main") == before
    assert "is taken" in said(session, "/fork main")
    assert "is taken" in said(session, "/fork 12")
    said(session, "/fork other")
    assert session.name == "other"


def test_settings_are_shown_and_changed(session: Session) -> None:
    shown = said(session, "/set")
    assert all(
        name in shown for name in ("temperature = 1.0 (0 to 100)", "top_k = 0 (0 or more)", "seed = 4", "stop = none")
    )
    assert said(session, "/set temperature 0").startswith("temperature = 0.0")
    assert session.sampling.temperature == 0
    said(session, "/set top-k 5")
    assert session.sampling.top_k == 5
    said(session, r"/set stop \n\n")
    assert session.sampling.stop == ("\n\n",)
    said(session, "/set stop \u00e9\u2014\\")
    assert session.sampling.stop == ("\u00e9\u2014\\",)
    said(session, "/set stop none")
    said(session, "/set seed none")
    assert not session.sampling.stop
    assert session.sampling.seed is None
    said(session, "/set length 3")
    assert len(write(session, "ab")) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/set temperatur 1", ["temperatur", "did you mean 'temperature'"]),
        ("/set top_p 3", ["top_p 3", "0.0 to 1.0"]),
        ("/set top_k much", ["top_k 'much'", "number"]), ("/set zzz 1", ["no setting 'zzz'"]),
        ("/udno", ["/udno", "did you mean /undo?"]), ("/xyzzy", ["/xyzzy", "/help"]), ("/", ["/help"]),
        ("/retry", ["nothing to retry"]),
        ("/set stop ", ["stop = none"]),
    ],
)  # fmt: skip
def test_mistakes_are_answered_and_change_nothing(session: Session, line: str, words: list[str]) -> None:
    before = session.sampling
    message = said(session, line)
    assert all(word in message for word in words), message
    assert session.sampling == before


def test_unseen_characters_are_told_once(session: Session) -> None:
    assert "'é' as 'e'" in session.enter("é").message
    assert session.enter("é").message == ""
    message = session.enter("é漢").message
    assert "漢" in message
    assert "é" not in message


def test_words_that_a_model_of_words_never_saw_are_told_as_words() -> None:
    with level_engine("word") as model:
        message = Session(model, engine.Sampling(length=2)).enter("the zebra said stop").message
    assert "never saw some of these words" in message
    assert "'zebra' as '<unk>'" in message
    told = engine.tell_unseen({f"word{number}": "" for number in range(2000)}, "word")
    assert "'word11' and 1,988 more" in told


def test_a_seed_set_in_the_middle_begins_its_numbers_anew(session: Session, tiny: Engine) -> None:
    write(session, "ab")
    said(session, "/undo 2")
    said(session, "/set seed 9")
    text = write(session, "ab")
    assert text == tiny.conversation(sampling=engine.Sampling(seed=9, length=20, temperature=1.0)).say("ab").text


def test_quitting(session: Session) -> None:
    with pytest.raises(Quit):
        session.enter("/quit")


def test_a_closed_engine_is_a_message_and_not_the_end() -> None:
    model = tiny_engine()
    session = Session(model, engine.Sampling())
    model.close()
    assert "closed" in session.enter("ab").message


def test_alternatives_are_chosen_by_number(session: Session) -> None:
    write(session, "ab")
    before = session.story.text
    answer = session.enter("/alt 3")
    texts = [reply.text for reply in answer.replies]
    shown = session.finish(answer).message
    assert "1 to 3 chooses" in shown
    assert all(f"--- {number}" in shown for number in (1, 2, 3))
    assert session.story.text == before
    session.enter("2")
    assert session.story.text == before + texts[1]
    assert "'2'" in session.enter("2").message  # a text again, with a character that this model never saw


def test_a_line_after_alternatives_that_is_no_number_is_a_text(session: Session) -> None:
    write(session, "ab")
    session.finish(session.enter("/alt"))
    assert write(session, "cd")
    assert session.story.turns[-2].text == "cd"
    assert "at most 16" in said(session, "/alt 99")
    assert "nothing to go on from" in Session(session.model, session.sampling).enter("/alt").message


@pytest.mark.parametrize("number", [1, 5, 20, 21, 24])
def test_cut_takes_back_characters_and_the_state_is_that_of_the_text(session: Session, number: int) -> None:
    write(session, "the cat")
    whole = session.story.text
    said(session, f"/cut {number}")
    assert session.story.text == whole[:-number]
    afresh = session.model.conversation()
    afresh.say(whole[:-number], length=0).result()
    assert session.story.next_tokens(5) == afresh.next_tokens(5)
    session.story.goto(2)
    assert session.story.text == whole


def test_cut_to_nothing_and_beyond(session: Session) -> None:
    write(session, "ab")
    assert "the story has 22 characters" in said(session, "/cut 23")
    assert said(session, "/cut 22") == "(the story is empty)"
    assert "give a number" in said(session, "/cut x")


def test_editing_changes_the_last_turn_and_goes_on(session: Session) -> None:
    assert "nothing to edit" in said(session, "/edit")
    write(session, "ab")
    reply = session.story.turns[-1].text
    edit = session.enter("/edit").edit
    assert edit is not None
    assert edit.text == reply
    assert "nothing was changed" in session.edited(edit, reply).message
    answer = session.edited(edit, "changed")
    assert answer.reply is not None
    assert session.story.text == "abchanged" + answer.reply.text
    edit = session.enter("/edit prompt").edit
    assert edit is not None
    assert edit.text == "changed"
    assert "edit 'x'" in said(session, "/edit x")


def test_presets_and_the_typewriters_speed(session: Session) -> None:
    assert "wild" in said(session, "/preset")
    assert "temperature 0.5" in said(session, "/preset careful")
    assert (session.sampling.temperature, session.sampling.top_p) == (0.5, 0.9)
    assert session.sampling.seed == 4
    assert "did you mean 'balanced'" in said(session, "/preset balance")
    assert "speed = 40" in said(session, "/set speed 40")
    assert session.speed == 40
    assert "speed -1" in said(session, "/set speed -1")
    assert "must be a number" in said(session, "/set speed fast")
    assert "speed = 40" in said(session, "/set")


def test_why_shows_probabilities_before_and_after_the_settings(session: Session) -> None:
    said(session, "/set top_k 2")
    write(session, "ab")
    (first, share), *_ = session.story.next_tokens(1)
    lines = said(session, "/why 5").splitlines()
    assert len(lines) == 6
    assert f"{share:.3f}" in lines[1]
    assert first.strip() in lines[1] or "space" in lines[1]
    assert lines[3].endswith("-")  # ruled out by top-k
    assert "from 1 to 50" in said(session, "/why 0")


def test_heat_is_the_text_and_its_bits(session: Session) -> None:
    assert "there is no text yet" in said(session, "/heat")
    picture = session.enter("/heat the cat sat").picture
    text = "".join(piece for style, piece in picture if style.startswith("heat"))
    assert text.startswith("the cat sat")
    score = session.model.score("the cat sat")
    assert f"{score.bits_per_character:.3f} bits a character" in "".join(piece for _, piece in picture)


def test_a_terminal_without_colours_has_marks_below_what_is_hot() -> None:
    picture = (("heat0", "ab"), ("heat2", "c\nd"), ("heat4", "ef"), ("note", "g"))
    assert marked(picture, 80) == "abc\n  .\ndefg\n.##"
    assert marked(picture, 2) == "ab\nc\n.\nde\n.#\nfg\n#"
    assert marked((("", "a\n\nb\n"),), 80) == "a\n\nb\n"


def test_a_file_that_is_not_there_is_no_text(session: Session) -> None:
    assert "there is no file" in session.enter("/heat nowhere.txt").message
    assert session.enter("/heat the cat.").picture


def test_the_state_is_drawn_by_layer(session: Session) -> None:
    assert "nothing was read yet" in said(session, "/state")
    write(session, "ab")
    picture = "".join(text for _, text in session.enter("/state").picture)
    assert "layer 1: 13 units" in picture
    assert "layer 2: 13 units" in picture
    session.has_color = False
    assert "\u2580" not in "".join(text for _, text in session.enter("/state").picture)


def test_the_models_card(session: Session) -> None:
    session.source = None  # the bundled one's papers
    shown = said(session, "/model")
    assert "2 x 13 GRU" in shown
    assert "1,003,854 characters" in shown
    assert "held out *" in shown
    assert "* tiny" in said(session, "/models")


def test_another_model_reads_the_story() -> None:
    made = {"a": tiny_engine(), "b": tiny_engine(seed=5)}
    session = Session(made["a"], engine.Sampling(seed=4, length=20), source="a", load=made.__getitem__)
    write(session, "the cat")
    said(session, "/fork other")
    text = session.story.text
    said(session, "/model b")
    assert (session.story.text, session.name) == (text, "other")
    assert session.model is made["b"]
    afresh = made["b"].conversation()
    afresh.say(text, length=0).result()
    assert session.story.next_tokens(5) == afresh.next_tokens(5)
    assert "closed" in Session(made["a"], engine.Sampling()).enter("x").message
    made["b"].close()


@pytest.mark.parametrize(
    "line", ["/import {tmp}/long.txt", "/import {tmp}/long.json", "/heat {tmp}/long.txt", "/model x", "/cut 1"]
)
def test_what_takes_long_can_be_stopped_and_has_changed_nothing(session: Session, tmp_path: Path, line: str) -> None:
    write(session, "the cat")
    said(session, f"/export {tmp_path}/long.json")
    session.story.say("the cat sat. " * 50_000, length=0).stop()
    (tmp_path / "long.txt").write_text("the cat sat. " * 50_000, encoding="utf-8")
    exported = json.loads((tmp_path / "long.json").read_text(encoding="utf-8"))
    exported["turns"][0]["text"] = "the cat sat. " * 50_000
    (tmp_path / "long.json").write_text(json.dumps(exported), encoding="utf-8")
    before, present, model, heard = session.story.text, session.story.present, session.model, list[str]()

    def listen(words: str) -> None:
        heard.append(words)
        session.patience.stop()

    session.patience.listen = listen
    session._load = lambda source: tiny_engine(seed=5)
    assert said(session, line.format(tmp=tmp_path)) == "(stopped; nothing has changed)"
    assert (session.story.text, session.story.present, session.model) == (before, present, model)
    assert re.search(r": \d+ %$", heard[0])
    assert not session.patience.is_on
    assert said(session, "/undo")  # the engine is free again


def test_a_suggestion_leaves_the_story_alone(session: Session) -> None:
    write(session, "the cat")
    before = session.story.export()
    ghost = session.ghost(" sat").text
    assert session.story.export() == before
    assert "\n" not in ghost
    greedy = session.story.fork().say(" sat", sampling=engine.Sampling(temperature=0, length=len(ghost))).text
    assert greedy == ghost
    assert write(session, "x")


def test_the_help_fits_one_screen_and_tells_of_each_command(session: Session) -> None:
    import textwrap

    lines = [row for line in said(session, "/help").splitlines() for row in textwrap.wrap(line, 80)]
    assert len(lines) <= 22
    for name, command in COMMANDS.items():
        assert command.help in said(session, f"/help {name}")
    assert "did you mean /retry" in said(session, "/help rety")
