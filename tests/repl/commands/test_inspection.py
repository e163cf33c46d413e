from __future__ import annotations

from repl.commands.dispatch import enter
from repl.session.session import Session
from tests.repl.session.lines import said, write


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
    picture = enter(session, "/heat the cat sat").picture
    text = "".join(piece for style, piece in picture if style.startswith("heat"))
    assert text.startswith("the cat sat")
    score = session.model.score("the cat sat")
    assert f"{score.bits_per_character:.3f} bits a character" in "".join(piece for _, piece in picture)


def test_a_file_that_is_not_there_is_no_text(session: Session) -> None:
    for name in ("nowhere.txt", "/tmp", "./nowhere.json", "~/nowhere", "../no\udcff"):
        assert "there is no file" in enter(session, f"/heat {name}").message
    assert enter(session, "/heat the cat.").picture


def test_the_state_is_drawn_by_layer(session: Session) -> None:
    assert "nothing was read yet" in said(session, "/state")
    write(session, "ab")
    picture = "".join(text for _, text in enter(session, "/state").picture)
    assert "layer 1: 13 units" in picture
    assert "layer 2: 13 units" in picture
    session.has_color = False
    assert "\u2580" not in "".join(text for _, text in enter(session, "/state").picture)


def test_the_models_card(session: Session) -> None:
    session.source = "shakespeare"  # its papers
    shown = said(session, "/model")
    assert "2 x 13 GRU" in shown
    assert "1,003,854 characters" in shown
    assert "held out *" in shown
    assert "* tiny" in said(session, "/models")
