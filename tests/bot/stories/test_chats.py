"""Chats as texts: what is added to a story, what ends a reply, and what is shown of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replies.requests import Note, Request, finish_reply, resolve_request
from bot.stories.chats import (
    MAX_NAME,
    chat_stops,
    chat_text,
    name_of,
    names_in,
    other_than,
    said_lines,
    shown_lines,
    speakers_of,
)
from bot.stories.stories import WRITING, Stories
from tests.bot.stories.writing import HERE, POST, note_on, write


@given(st.text(max_size=300))
def test_any_name_can_stand_before_a_line(shown: str) -> None:
    name = name_of(shown)
    assert 0 < len(name) <= MAX_NAME
    assert not set(name) & set(":\n\r\0")
    assert name_of(name) == name


def test_speakers_are_read_from_what_the_model_was_trained_with() -> None:
    assert speakers_of({"speakers": ["Bea", "Anna", 7, " ", "a:b"]}) == ("Bea", "Anna")
    assert speakers_of({}) == speakers_of({"speakers": "Bea"}) == ()


@pytest.mark.parametrize(
    ("me", "chosen", "other"),
    [("Anna", "", "Bea"), ("Bea", "", "Carl"), ("Anna", "Zoe", "Zoe"), ("Zoe", "Zoe", "Bea")],
)
def test_nobody_answers_themselves(me: str, chosen: str, other: str) -> None:
    assert other_than(me, chosen, ("Bea", "Carl")) == other
    assert other_than("You", "", ()) == "Me"


def test_lines_are_added_with_their_names() -> None:
    assert chat_text("hi\n\nthere", "Anna", "Bea", "", False) == ("Anna: hi\nAnna: there\n", "Bea: ")
    assert chat_text("hi", "Anna", "Bea", "Bea: yes", True) == ("\nAnna: hi\n", "Bea: ")
    assert chat_text("", "Anna", "Bea", "Bea: yes", False) == ("", "\nBea: ")
    assert chat_text("", "Anna", "Bea", "Bea: ye", True) == ("", "")
    assert said_lines("\nAnna: hi\nBea: ", "Bea") == "Anna: hi"
    assert names_in("\nAnna: hi\nBea: ") == ("Anna", "Bea")
    assert names_in("\nBea: ") == ("", "Bea")
    assert names_in("once upon") == ("", "")


def test_a_reply_ends_where_somebody_else_speaks() -> None:
    assert chat_stops("Anna", "Bea", ("Bea", "Carl", "Anna")) == ["\nCarl:", "\nAnna:", "\n\n"]
    assert chat_stops("Anna", "Bea", ()) == ["\n"]
    assert shown_lines(" well\nBea: and then\n\nBea:so", "Bea") == "well\nand then\nso"


def test_in_a_chat_the_story_underneath_is_one_like_all_others(stories: Stories) -> None:
    stories.speakers = {"tiny": ("the", "cat")}
    stories.choose(HERE, style="chat", length=6)
    written = write(stories, Request(7, text="sat on", name="Anna", is_said=True, is_mention=True))
    story = written.story.conversation
    assert story.turns[0].text == "Anna: sat on\nthe: "
    assert written.text == shown_lines(story.turns[1].text, "the")
    assert (written.num_bold, written.is_bare) == (0, True)
    shown = write(stories, Request(8, text="mat", name="Bea: B"))
    assert shown.text.startswith("Bea B: mat")
    assert shown.text[: shown.num_bold] == "Bea B: mat"
    assert not shown.is_bare
    assert story.turns[2].text.endswith("Bea B: mat\nthe: ")


def test_a_chats_reply_that_was_cut_is_the_very_same(stories: Stories) -> None:
    stories.choose(HERE, style="chat", length=6)
    write(stories, Request(7, text="the cat", name="Anna", is_said=True, is_mention=True))
    _, resolved = resolve_request(stories, HERE, Request(7, text="sat", name="Anna", is_said=True, is_mention=True))
    stories.drop(HERE)
    note_on(stories).ask(resolved)
    key = WRITING, f"{HERE.key}/{POST}"
    finished = finish_reply(stories, Note.read(stories.store, HERE, POST, stories.store.note(*key)))
    assert finished.is_bare
    again = finish_reply(stories, Note.read(stories.store, HERE, POST, stories.store.note(*key)))
    assert (again.text, again.is_bare) == (finished.text, True)
    text = stories.open(HERE, 1).conversation.text
    assert (
        write(stories, Request(7, text="sat", name="Anna", is_said=True, is_mention=True, serial=1, turn=2)).text
        == finished.text
    )
    assert "Anna: sat\nYou: " in text


def test_in_a_chat_going_on_again_gives_other_words_and_nobody_is_said_to_have_asked(stories: Stories) -> None:
    stories.speakers = {"tiny": ("the", "cat")}
    stories.choose(HERE, style="chat", length=12, temperature=1.0)
    first = write(stories, Request(7, text="sat on", name="Anna"))
    again = [write(stories, Request(8, serial=1, turn=first.turn, name="Bea")) for _ in range(3)]
    assert len({one.text for one in again}) == 3
    assert not any(one.is_bare for one in again)
    assert set(stories.authors(HERE, 1).values()) == {7}


def test_who_presses_retry_does_not_change_who_speaks(stories: Stories) -> None:
    stories.speakers = {"tiny": ("the", "cat")}
    stories.choose(HERE, style="chat", length=6)
    first = write(stories, Request(7, text="sat on", name="Anna", is_said=True, is_mention=True))
    _, resolved = resolve_request(stories, HERE, Request(8, "retry", serial=1, turn=first.turn, name="the"))
    assert resolved.speaker == "the"
    assert resolved.sampling["stop"] == chat_stops("Anna", "the", ("the", "cat"))
    assert not write(stories, resolved).is_bare
