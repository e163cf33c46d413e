"""What replaces a character or a word that a model never saw."""

from __future__ import annotations

import pytest

from engine.text.vocabulary import Vocabulary

ASCII = Vocabulary(tuple(sorted(set("".join(map(chr, range(32, 127))) + "\n"))))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("“Don’t”", "\"Don't\""), ("a – b — c", "a - b -- c"), ("wait…", "wait..."), ("café", "cafe"),
        ("cafe\u0301", "cafe"), ("a\u00a0b\tc", "a b c"), ("x\r\ny\rz", "x\ny\nz"), ("straße", "strasse"),
        ("漢字!", "!"), ("ﬁn", "fin"), ("", ""),
    ],
)  # fmt: skip
def test_near_equivalents(text: str, read: str) -> None:
    assert ASCII.decode(ASCII.encode(text).ids) == read


def test_the_other_case_stands_in() -> None:
    lower = Vocabulary(tuple(sorted(set("abc '"))))
    assert lower.decode(lower.encode('ÀB"c').ids) == "ab'c"
