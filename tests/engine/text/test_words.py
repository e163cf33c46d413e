from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.text.vocabulary import Vocabulary, normalize
from engine.text.words import APART, JOINED, UNKNOWN, tokenize
from tests.networks import WORDS

PTB = Path(__file__).parents[4] / "shared" / "data" / "ptb"
PIECES = st.sampled_from(
    ["a", "Bé", "don't", " ", "  ", "\n", "\t", ",", ".", '"', "'", "-", "(", ")", "—", "_", "7", "☃"]
)
TEXTS = st.lists(PIECES | st.characters(exclude_categories=["Cs"]), max_size=30).map("".join).map(normalize)


def made_of(text: str, split: str = "words") -> Vocabulary:
    return Vocabulary(
        (UNKNOWN, *dict.fromkeys(w for w in tokenize(text, split) if w != UNKNOWN)), "word", UNKNOWN, split
    )


@given(TEXTS)
def test_a_text_that_made_the_vocabulary_comes_back_to_the_letter(text: str) -> None:
    vocabulary = made_of(text)
    encoding = vocabulary.encode(text)
    read = vocabulary.decode(encoding.ids)
    assert read == encoding.text
    assert read in (text, text[:-1])  # a space at the very end belongs to the next word
    assert len(read) == len(text) or text.endswith(" ")
    assert not encoding.replaced
    assert encoding.characters == len(read)


@given(TEXTS, TEXTS, st.sampled_from(["words", "spaces"]))
@example(",a ", "a a", "words")
def test_what_is_read_is_what_is_told_and_token_by_token_the_same(known: str, text: str, split: str) -> None:
    """Also with unseen words, all of which are the unknown token here."""
    vocabulary = made_of(known + "x", split)
    before = vocabulary.encode("x").ids.tolist()[-1]
    encoding = vocabulary.encode(text, before)
    decoder = vocabulary.decoder(before)
    read = "".join(decoder.add([index]) for index in encoding.ids.tolist())
    assert read == vocabulary.decode(encoding.ids, before)
    if not encoding.replaced:
        assert read == encoding.text
    again = vocabulary.encode(encoding.text, before)
    assert again.ids.tolist() == encoding.ids.tolist()
    assert again.text == encoding.text


def test_spaces_stand_where_people_put_them() -> None:
    vocabulary = made_of(WORDS + "(so it was)\n")
    for text in ('the king, "go on"', "(or stop)!", "word/another", "don't go on -- stop", "3.50"):
        encoding = vocabulary.encode(text)
        assert vocabulary.decode(encoding.ids) == text
    ids = [vocabulary.tokens.index(token) for token in ("the", "king", ",", "on", JOINED + '"', "go", "\n", "the")]
    assert vocabulary.decode(ids) == 'the king, on" go\nthe'
    assert APART + '"' not in vocabulary.tokens  # the usual case has no mark


def test_a_turn_begins_with_the_space_that_the_model_reads() -> None:
    vocabulary = made_of("the king said: go on.")
    king, stop = (vocabulary.tokens.index(token) for token in ("king", "."))
    for text in ("said", " said"):
        assert vocabulary.encode(text, before=king).text == " said"
    assert vocabulary.encode("said", before=None).text == "said"
    assert vocabulary.encode(".", before=king).text == "."
    assert vocabulary.encode("the king ", before=stop).text == " the king"


def test_unseen_words_are_replaced_and_told() -> None:
    vocabulary = made_of("The king's men don't stop. go")
    encoding = vocabulary.encode("GO, the queen’s men don’t STOP ☃ queen’s")
    assert encoding.replaced == {
        "GO": "go", ",": UNKNOWN, "the": "The", "queen’s": UNKNOWN, "don’t": "don't", "STOP": "stop", "☃": UNKNOWN,
    }  # fmt: skip
    assert encoding.unseen == 8
    assert encoding.text == "GO , the queen’s men don’t STOP ☃ queen’s"
    assert vocabulary.decode(encoding.ids) == "go <unk> The <unk> men don't stop <unk> <unk>"
    closed = Vocabulary(("a", "b"), "word")
    assert closed.encode("a q b").text == "a b"
    assert closed.encode("a q b").replaced == {"q": ""}


def test_the_unknown_token_of_a_text_is_the_vocabularys() -> None:
    vocabulary = made_of("a <unk>b<unk>.")
    assert Counter(vocabulary.tokens)[UNKNOWN] == 1
    assert not [token for token in vocabulary.tokens if UNKNOWN in token and token != UNKNOWN]
    assert vocabulary.encode("<unk>").ids.tolist() == [0]
    assert not vocabulary.encode("<unk>").replaced


@pytest.mark.skipif(not PTB.is_dir(), reason="Penn Treebank is not here")
def test_penn_treebank_has_its_usual_counts() -> None:
    texts = {name: (PTB / f"ptb.{name}.txt").read_text(encoding="utf-8") for name in ("train", "valid", "test")}
    counts = Counter(tokenize(texts["train"], "spaces"))
    assert (len(counts), counts.total()) == (10_000, 929_589)
    vocabulary = Vocabulary(tuple(counts), "word", UNKNOWN, "spaces")
    valid, test = (vocabulary.encode(texts[name]) for name in ("valid", "test"))
    assert (len(valid.ids), len(test.ids)) == (73_760, 82_430)
    assert not valid.replaced
    assert valid.text.startswith("consumers may want to move their telephones a little closer")


def test_a_run_of_white_space_that_is_unseen_becomes_a_shorter_one() -> None:
    vocabulary = made_of("a  b\tc")
    encoding = vocabulary.encode("a" + " " * 9 + "b" + "\t\t" + "c")
    assert vocabulary.decode(encoding.ids) == "a  b\tc"
    assert encoding.replaced == {" " * 9: "  ", "\t\t": "\t"}
    assert made_of("a b").encode("a  b").replaced == {"  ": ""}
