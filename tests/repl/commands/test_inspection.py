from __future__ import annotations

from dataclasses import replace

from repl.commands.dispatch import enter, enter_taken
from repl.session.session import Session
from tests.repl.session.lines import Sessions, opened, said, write, write_kept


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


def test_a_walk_over_the_last_turn_or_another_changes_nothing_until_a_token_is_taken(session: Session) -> None:
    assert "nothing to walk over yet" in said(session, "/walk")
    reply = write(session, "the cat")
    tree = session.story.tree
    for line, text in (("/walk", reply), ("/walk 1", "the cat"), ("/walk 2", reply)):
        walk = enter(session, line).walk
        assert walk is not None
        assert "".join(place.text for place in walk.places) == text
    assert "walk 'x': give a turn's number" in said(session, "/walk x")
    assert session.story.tree == tree
    session.story.remember("the cat and the cat")
    assert "walk 3: this text is remembered, the network never read it" in said(session, "/walk 3")


def test_a_token_that_is_taken_begins_a_branch_as_asked_for_afresh(session: Session) -> None:
    write(session, "the cat")
    afresh = session.model.conversation(sampling=session.sampling)
    afresh.say("the cat").result()
    for argument, place in (("", 5), ("", 0), ("1", 4)):
        walk = enter(session, f"/walk {argument}").walk
        assert walk is not None
        token = walk.places[place].others[1][0]
        expected = afresh.branch(int(argument or 2), place, token, sampling=replace(session.sampling, seed=None)).text
        answer = enter_taken(session, walk, place, token)
        assert answer.reply is not None
        assert answer.reply.text == expected
        session.finish(answer)
        assert session.story.text == afresh.text
        said(session, "/goto 2")
        afresh.goto(2)


def test_a_branch_that_a_kill_cuts_off_is_written_again(sessions: Sessions) -> None:
    first = sessions.start("novel")
    write_kept(first, "the cat")
    walk = enter(first, "/walk").walk
    assert walk is not None
    answer = enter_taken(first, walk, 5, walk.places[5].others[0][0])
    assert answer.reply is not None
    text = answer.reply.text
    first.note_written(len(text))
    assert first.store is not None
    first.store.sessions()  # it waits for the note, as the thread does one thing after the other
    again = opened(sessions, "novel")
    assert again.story.turns[-1].text == text
    assert [turn.parent for turn in again.story.tree][1:] == [1, 1]
