"""What is done to text before it is learned from, and where it is cut on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.vocabulary import normalize
from engine.train.reading import filters
from tests.engine.train.common.texts import read


@given(st.lists(st.text(max_size=40), max_size=20), st.integers(1, 50), st.integers(2, 60))
def test_where_a_text_is_cut_does_not_matter(parts: list[str], size: int, held: int) -> None:
    whole = "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "PART", size)
        patch.setattr(filters, "MAX_HELD", held)
        cut = list(filters.whole_lines(parts))
    assert "".join(cut) == whole
    assert all(cut)


def test_letters_and_their_accents_are_not_torn_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "PART", 4)
    monkeypatch.setattr(filters, "MAX_HELD", 8)
    for text in ("e\u0301" * 50, "가" * 20, "\u1100\u1161" * 40, "a\r\n" * 9, "word e\u0301nd " * 9):
        parts = [text[place : place + 3] for place in range(0, len(text), 3)]
        assert "".join(map(normalize, filters.whole_lines(parts))) == normalize(text)


def test_filters(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("“Naïve” Ångström—漢 ΑΒΓ 1,5!\n")
    assert read(path, ascii=True) == '"Naive" Angstrom--  1,5!\n'
    assert read(path, lower=True) == "“naïve” ångström—漢 αβγ 1,5!\n"
    assert read(path, lower=True, ascii=True, keep="a-z '") == "naive angstrom  \n"
    assert read(path, keep="Na-z") == "Nave ngstrm\n".replace(" ", "")
    assert filters.kept_characters("a-c-") == {"a", "b", "c", "-", "\n"}


def test_line_ends_of_three_characters_are_two_wherever_they_stand(tmp_path: Path) -> None:
    """As a program leaves them that writes \\r\\n for the \\n of \\r\\n: the model reads them so, too."""
    (path := tmp_path / "x.txt").write_text("one\r\r\n" * 30_000, newline="")
    assert read(path) == "one\n\n" * 30_000
