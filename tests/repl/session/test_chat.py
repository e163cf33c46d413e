"""Who speaks in a chat, and what becomes of a line that is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.conversation.tree import Turn
from engine.serving.engine import Engine
from repl.session.chat import Chat, read_chat, speaker_of, usual_chat

SPEAKERS = ("Bob: the 2nd", "Ann", "דנה", "👩\u200d🚀 Zoë")
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).map(str.strip).filter(bool)


def turns(engine: Engine, *texts: str) -> list[Turn]:
    story = engine.conversation()
    for text in texts:
        story.say(text, length=0).result()
    return story.turns


@pytest.mark.parametrize(
    ("text", "me", "other"),
    [
        ("Ann:Bob", "Ann", "Bob"),
        (" two words : x ", "two words", "x"),
        ("", "Ann", "Bob: the 2nd"),
        (":", "Ann", "Bob: the 2nd"),
        ("Eve:", "Eve", "Bob: the 2nd"),
        (":Ann", "Bob: the 2nd", "Ann"),
        ("Bob: the 2nd:", "Bob: the 2nd", "Ann"),
        ("Ann:Bob: the 2nd", "Ann", "Bob: the 2nd"),
        ("Bob: the 2nd:Ann", "Bob: the 2nd", "Ann"),
        (r"a\:b:c\:", "a:b", "c:"),
        ("דנה:👩\u200d🚀 Zoë", "דנה", "👩\u200d🚀 Zoë"),
    ],
)
def test_a_pair_of_names_as_people_type_it(text: str, me: str, other: str) -> None:
    assert read_chat(text, SPEAKERS) == Chat(me, other)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models/mine", "give your name and the other's, as in Ann:Bob: the 2nd"),
        ("x:y:z", "several colons"),
        ("a:a", "two different names"),
        ("\x1b[31mred:b", "in one line"),
        ("a\nb:c", "in one line"),
        ("a:" + "z" * 101, "1 to 100 characters"),
    ],
)
def test_a_pair_that_is_none_is_told_with_a_mend(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="chat '") as caught:
        read_chat(text, SPEAKERS)
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_without_speakers_there_are_usual_names() -> None:
    assert usual_chat(()) == Chat("Me", "You")
    assert usual_chat(("Me",)) == Chat("You", "Me") or usual_chat(("Me",)) == Chat("Me", "You")
    assert usual_chat(("You",)) == Chat("Me", "You")
    assert usual_chat(("bad\nname", "x" * 200, "Bob")) == Chat("Me", "Bob")


@given(NAMES, NAMES)
def test_names_with_their_colons_marked_are_read_back(me: str, other: str) -> None:
    if me == other or "\\" in me + other:
        return
    assert read_chat(f"{me.replace(':', chr(92) + ':')}:{other.replace(':', chr(92) + ':')}") == Chat(me, other)


def test_lines_of_the_story(tiny: Engine) -> None:
    chat = Chat("ann: x", "bob")
    assert chat.text_of("hi", []) == "ann: x: hi\nbob: "
    assert chat.text_of("hi", turns(tiny, "once")) == "\nann: x: hi\nbob: "
    assert chat.text_of("hi\n\nyou", turns(tiny, "once\n")) == "ann: x: hi\nann: x: you\nbob: "
    assert chat.text_of("", turns(tiny, "once")) == "\nbob: "
    assert chat.text_of("", []) == "bob: "
    assert chat.begun("hi", turns(tiny, "once")) == "\nann: x: hi"


def test_a_line_that_was_stopped_goes_on_and_one_that_ended_does_not(tiny: Engine) -> None:
    chat, story = Chat("ann", "bob"), tiny.conversation(sampling=engine.Sampling(seed=1))
    story.say("bob: ", length=3).result()
    assert story.turns[-1].finish_reason == "length"
    assert chat.text_of("", story.turns) == ""
    assert chat.text_of("well", story.turns) == "\nann: well\nbob: "
    reply = story.say("", sampling=engine.Sampling(temperature=2, length=2000, stop=("\n",)))
    assert reply.result().finish_reason == "stop"
    assert chat.text_of("", story.turns) == "\nbob: "


def test_a_line_without_a_word_yet_is_not_begun_twice(tiny: Engine) -> None:
    chat = Chat("ann", "bob")
    begun = turns(tiny, "ann: hi\nbob: ")
    assert chat.text_of("", begun) == ""
    story = tiny.conversation(sampling=engine.Sampling(seed=1, stop=("\n",)))
    story.say("bob: ", length=3).result()
    story.undo()
    assert chat.text_of("", story.turns) == ""
    story.remember("the king and the sea")
    assert chat.text_of("", story.turns) == ""
    assert chat.text_of("", turns(tiny, "bob: ", "well")) == "\nbob: "


def test_a_reply_that_is_no_line_of_a_chat_is_followed_by_one(tiny: Engine) -> None:
    chat, story = Chat("ann", "bob"), tiny.conversation(sampling=engine.Sampling(seed=1))
    story.say("once", length=3).result()
    assert chat.text_of("", story.turns).endswith("bob: ")


def test_a_chat_ends_with_the_line_beside_other_stops() -> None:
    chat = Chat("a", "b")
    assert chat.sampling(engine.Sampling(stop=("x",))).stop == ("x", "\n")
    assert chat.sampling(chat.sampling(engine.Sampling())).stop == ("\n",)


def test_who_takes_the_others_name_changes_places() -> None:
    assert Chat("a", "b").with_me("c") == Chat("c", "b")
    assert Chat("a", "b").with_me("b") == Chat("b", "a")
    with pytest.raises(ValueError, match="one line"):
        Chat("a", "b").with_me(" ")


def test_what_a_store_notes_is_read_and_anything_else_is_no_chat() -> None:
    assert Chat.of(["a", "b"]) == Chat("a", "b")
    for noted in (None, [], ["a"], ["a", "a"], ["a", 7], 7, {"x": 1}, ["a", "b\n"]):
        assert Chat.of(noted) is None


def test_who_speaks_next() -> None:
    assert speaker_of("hi\nbob: the 2nd: ") == "bob: the 2nd"
    assert speaker_of("bob:") == "bob"
    assert speaker_of("bob: hi") == ""
    assert speaker_of("") == ""
