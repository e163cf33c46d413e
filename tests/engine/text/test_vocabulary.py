from __future__ import annotations

import dataclasses
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.vocabulary import Vocabulary, normalize

ASCII = Vocabulary(tuple(sorted(set("".join(map(chr, range(32, 127))) + "\n"))))


@given(st.text())
def test_a_text_that_made_the_vocabulary_comes_back(text: str) -> None:
    text = normalize(text + "x")
    vocabulary = Vocabulary(tuple(sorted(set(text))))
    encoding = vocabulary.encode(text)
    assert vocabulary.decode(encoding.ids) == text
    assert not encoding.replaced


@given(st.text())
def test_any_text_can_be_encoded_and_what_is_read_is_stable(text: str) -> None:
    read = ASCII.decode(ASCII.encode(text).ids)
    assert set(read) <= set(ASCII.tokens)
    assert ASCII.decode(ASCII.encode(read).ids) == read


@given(st.text())
def test_nothing_is_lost_in_silence(text: str) -> None:
    unseen = {c for c in normalize(text) if c not in ASCII.tokens}
    assert ASCII.encode(text).replaced.keys() == unseen


def test_the_unknown_token_stands_for_the_rest() -> None:
    vocabulary = Vocabulary(("[UNK]", "a"), unknown="[UNK]")
    encoding = vocabulary.encode("a漢é")
    assert encoding.ids.tolist() == [1, 0, 0]
    assert encoding.replaced == {"漢": "[UNK]", "é": "[UNK]"}


@given(st.sets(st.text(min_size=1, max_size=3), min_size=1))
def test_json_round_trip(tokens: set[str]) -> None:
    vocabulary = Vocabulary(tuple(tokens))
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ([], "object"), ({}, "version"), ({"version": 2, "tokens": ["a"]}, "version 2"), ({"version": 1}, "tokens"),
        ({"version": 1, "tokens": []}, "tokens"), ({"version": 1, "tokens": ["a", "a"]}, "'a' stands twice"),
        ({"version": 1, "tokens": [1]}, "tokens"), ({"version": 1, "tokens": ["a"], "level": "verse"}, "verse"),
        ({"version": 1, "tokens": ["a"], "unknown": "b"}, "unknown 'b'"),
    ],
)  # fmt: skip
def test_what_is_no_vocabulary_is_refused(data: object, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Vocabulary.from_json(data)


def test_normalization_is_nfc() -> None:
    assert normalize("e\u0301") == unicodedata.normalize("NFC", "é")


def test_an_unwritten_token_is_read_from_no_text_and_shows_none() -> None:
    vocabulary = Vocabulary(("[none]", "\n", "a", "x"), unwritten=(0, 3))
    assert vocabulary.never_written == (0, 3)
    assert vocabulary.encode("ax[none]a").ids.tolist() == [2, 2]
    assert vocabulary.decode([0, 2, 3, 1]) == "a\n"
    assert vocabulary.start_id == 1
    assert Vocabulary(("[none]", "b"), unwritten=(0,)).start_id == 1
    assert Vocabulary(("[none]", "?", "b"), unknown="?", unwritten=(0,)).never_written == (1, 0)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert "unwritten" not in Vocabulary(("a",)).to_json()  # what was stored with such a model stays readable


@pytest.mark.parametrize("unwritten", [[4], [-1], [True], ["0"], [0, 0], [1], [0, 2, 3], 0, None, {}])
def test_ids_that_cannot_be_unwritten_are_refused(unwritten: object) -> None:
    data = {"version": 1, "tokens": ["[none]", "?", "a", "b"], "unknown": "?", "unwritten": unwritten}
    with pytest.raises(ValueError, match="unwritten"):
        Vocabulary.from_json(data)


def test_byte_pairs_that_know_their_characters_replace_others() -> None:
    """As characters do; without `characters`, any text is read as it is."""
    from engine.text import byte_pairs

    tokens, merges = byte_pairs.train(['it\'s the cat -- "the" cat\n' * 9], 280)
    plain = Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))
    knowing = dataclasses.replace(plain, characters="it's the cat-\"\n")
    assert "characters" not in plain.to_json()
    assert Vocabulary.from_json(knowing.to_json()) == knowing
    text = "it’s “thé” cat—😀"
    encoding = knowing.encode(text)
    assert knowing.decode(encoding.ids) == 'it\'s "the" cat--'
    assert encoding.replaced == {"’": "'", "“": '"', "”": '"', "é": "e", "—": "--", "😀": ""}
    assert (encoding.text, encoding.unseen, encoding.characters) == (text, 6, 16)
    assert plain.decode(plain.encode(text).ids) == text
    assert not plain.encode(text).replaced
    for wrong in ({"characters": 5}, {"level": "char", "tokens": ["a"], "characters": "a"}):
        with pytest.raises(ValueError, match="characters: "):
            Vocabulary.from_json({**knowing.to_json(), **wrong})
