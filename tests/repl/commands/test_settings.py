from __future__ import annotations

import engine
from engine.serving.engine import Engine
from repl.session.session import Session
from tests.repl.session.lines import said, write


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


def test_a_seed_set_in_the_middle_begins_its_numbers_anew(session: Session, tiny: Engine) -> None:
    write(session, "ab")
    said(session, "/undo 2")
    said(session, "/set seed 9")
    text = write(session, "ab")
    assert text == tiny.conversation(sampling=engine.Sampling(seed=9, length=20, temperature=1.0)).say("ab").text


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


def test_a_theme_is_shown_and_chosen(session: Session) -> None:
    assert "theme = terminal (terminal, dark-blue, dark-green, light-red, light-blue)" in said(session, "/set")
    assert "theme = dark-blue" in said(session, "/set theme dark-blue")
    assert session.theme == "dark-blue"
    assert "theme 'pink': must be one of terminal, dark-blue" in said(session, "/set theme pink")
    assert session.theme == "dark-blue"
    assert "did you mean 'theme'" in said(session, "/set thme x")


def test_texts_are_banned_and_allowed_again(session: Session) -> None:
    assert said(session, "/ban").startswith("nothing is banned; ")
    assert "'e'" in said(session, "/ban e")
    said(session, '/ban " the "')
    said(session, r"/ban \n")
    assert said(session, "/ban e") == said(session, "/ban")
    for line in ('/ban ""', '/set ban ""', '/set stop ""'):
        assert "none of them empty" in said(session, line)
    assert session.sampling.ban == ("e", " the ", "\n")
    assert not {"e", "\n"} & {*write(session, "ab")}
    assert said(session, "/unban the") == "unban 'the': is not banned; there is 'e' ' the ' '\\n'"
    assert said(session, '/unban " the "') == "never written: 'e' '\\n'"
    assert said(session, "/unban all") == "never written: none"
    assert said(session, "/unban") == "unban '': is not banned; nothing is banned"
    assert said(session, "/set ban king").startswith("ban = 'king': ")
    said(session, "/set ban none")
    assert not session.sampling.ban


def test_biases_are_set_one_by_one(session: Session) -> None:
    said(session, '/set bias "the cat=+2"')
    said(session, "/set bias dog=-1.5")
    said(session, "/set bias the cat=+3")
    assert session.sampling.bias == ("the cat=+3", "dog=-1.5")
    assert said(session, "/set bias dog=0").startswith("bias = 'the cat=+3': ")
    assert said(session, "/set bias dog").startswith("bias 'dog': must be a text, =, and a number")
    said(session, "/set bias none")
    assert not session.sampling.bias
