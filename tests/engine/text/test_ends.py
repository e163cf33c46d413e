"""Where words, lines and sentences end."""

from __future__ import annotations

import pytest

from engine.text.ends import is_end


def ends(kind: str, text: str) -> list[str]:
    """The beginnings of a text that end there, however much of what follows is known."""
    found = []
    for place in range(1, len(text)):
        verdicts = [is_end(kind, text[:place], text[place:more]) for more in range(place, len(text) + 1)]
        known = [verdict for verdict in verdicts if verdict is not None]
        assert len(set(known)) <= 1, f"{text[:place]!r} changes its mind"
        assert known == verdicts[len(verdicts) - len(known) :], f"{text[:place]!r} forgets what it knew"
        if known and known[0]:
            found.append(text[:place])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He went. She stayed.", ["He went."]),
        ("“Go!” said he. “Now?” Yes", ["“Go!” said he.", "“Go!” said he. “Now?”"]),
        ("It cost 3.50 or so. Mr. Hyde paid. Then", ["It cost 3.50 or so.", "It cost 3.50 or so. Mr. Hyde paid."]),
        ("J. R. Smith of the U.S. Army, it was I. So", ["J. R. Smith of the U.S. Army, it was I."]),
        ("Well... no. Really", ["Well... no."]),
        ("(He left.) Then", ["(He left.)"]),
        ("He left.\nThen", ["He left.", "He left.\n"]),
        ("“Stop!”\nhe cried", []),
        ("a poem without an end\n\nand more", []),
        ("so it ends.\n\n", ["so it ends.", "so it ends.\n"]),
        ("i went home. then i slept. ok", ["i went home.", "i went home. then i slept."]),
        ("猫である。「無い。」と言う。x", ["猫である。", "猫である。「無い。」", "猫である。「無い。」と言う。"]),
        ("यह घर है। वह", ["यह घर है।"]),
        ("هل جئت؟ نعم", ["هل جئت؟"]),
        ("Он ушёл. Она", ["Он ушёл."]),
        ("ผมไป เขามา", ["ผมไป"]),
    ],
)  # fmt: skip
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert ends("sentence", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the king, and", ["the", "the king,"]),
        ("don't go\non", ["don't", "don't go", "don't go\n"]),
        ("吾輩は。x", ["吾", "吾輩", "吾輩は。"]),
        ("กิไป", ["กิ", "กิไ"]),
    ],
)
def test_where_words_end(text: str, expected: list[str]) -> None:
    assert ends("word", text) == expected


def test_lines_and_tokens_end_where_they_end() -> None:
    assert ends("line", "one\ntwo\n\nx") == ["one\n", "one\ntwo\n", "one\ntwo\n\n"]
    assert ends("any", "abc") == ["a", "ab"]
