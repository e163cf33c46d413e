from __future__ import annotations

import pytest

from repl.spelling import did_you_mean


@pytest.mark.parametrize(("word", "known"), [("temprature", "temperature"), ("top-k", "top_k"), ("secnd", "second")])
def test_a_slip_is_recognized(word: str, known: str) -> None:
    assert did_you_mean(word, ["seed", "length", known]) == f"did you mean {known!r}?"


def test_where_nothing_is_like_it_something_else_is_said() -> None:
    assert did_you_mean("xyzzy", ["seed", "length"], "see /set") == "see /set"
    assert did_you_mean("xyzzy", []) == ""


def test_a_word_is_shown_as_it_is_typed() -> None:
    assert did_you_mean("rety", ["retry", "undo"], "", "/{}".format) == "did you mean /retry?"
