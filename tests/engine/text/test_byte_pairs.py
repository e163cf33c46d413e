from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.byte_pairs import letters
from engine.text.vocabulary import Vocabulary, normalize
from tests.networks import KANA, level_vocabulary

PAIRS = level_vocabulary("bpe")


def test_some_tokens_are_longer_than_a_byte() -> None:
    assert len(PAIRS) == 300
    assert len(PAIRS.merges) == 44
    assert len(PAIRS.encode(KANA).ids) < 0.8 * len(KANA.encode())


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    encoding = PAIRS.encode(text)
    assert PAIRS.decode(encoding.ids) == encoding.text == normalize(text)
    assert encoding.characters == len(normalize(text))
    assert not encoding.replaced


@given(st.text() | st.sampled_from([KANA, KANA * 40]))
def test_token_by_token_whole_characters_come_out_and_none_is_lost(text: str) -> None:
    decoder, read = PAIRS.decoder(), ""
    text = normalize(text)
    for index in PAIRS.encode(text).ids.tolist():
        piece = decoder.add([index])
        read += piece
        assert text.startswith(read)
        assert decoder.tail == 0 or not piece or len(piece) < len(text)
    assert read == text
    assert decoder.tail == 0


@given(st.lists(st.integers(0, 299)))
def test_bytes_that_are_no_text_do_no_harm(ids: list[int]) -> None:
    decoder = PAIRS.decoder()
    pieces = [decoder.add([index]) for index in ids]
    whole = ids[: len(ids) - decoder.tail]
    assert "".join(pieces) == PAIRS.decode(whole)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs", "Mn"])), max_size=5))
def test_a_text_may_be_cut_at_any_line_end(lines: list[str]) -> None:
    whole = PAIRS.encode("".join(line + "\n" for line in lines)).ids.tolist()
    assert whole == [index for line in lines for index in PAIRS.encode(line + "\n").ids.tolist()]


def test_half_a_surrogate_pair_is_read_as_a_question_mark() -> None:
    assert PAIRS.decode(PAIRS.encode("a\ud800b").ids) == "a?b"


def test_a_token_is_shown_by_its_characters_or_bytes() -> None:
    ids = [PAIRS.tokens.index(letter) for letter in (letters()[0xC3], letters()[0xA9])]
    assert [PAIRS.shown(index) for index in ids] == ["\\xc3", "\\xa9"]
    assert PAIRS.shown(PAIRS.start_id) == "\n"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tokens": ["a", "b"]}, "all 256 bytes"), ({"tokens": [*letters(), "日本"]}, "stands for no byte"),
        ({"merges": ["a b"]}, "'a' and 'b'"), ({"merges": ["ab"]}, "two tokens"), ({"merges": [1]}, "two tokens"),
        ({"merges": 3}, "merges"),
    ],
)  # fmt: skip
def test_what_is_no_vocabulary_of_byte_pairs_is_refused(change: dict[str, Any], word: str) -> None:
    data = Vocabulary(tuple(letters()), "bpe").to_json()
    assert Vocabulary.from_json(data).to_json() == data
    with pytest.raises(ValueError, match=word):
        Vocabulary.from_json(data | change)
