"""Names and texts as they come from outside."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.names import decoded, did_you_mean, quoted, typed, visible


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("plain", "plain"), ("\udcc3\udca9t\udcc3\udca9", "été"), ("caf\udce9", "caf\ufffd"), ("\ud83d!", "\ufffd!"),
        ("é\udcc3\udca9", "éé"), ("\ufeffOnce", "Once"), ("\udcef\udcbb\udcbfOnce", "Once"), ("", ""),
    ],
)  # fmt: skip
def test_what_was_typed_is_read_as_utf_8_in_any_locale(text: str, read: str) -> None:
    assert decoded(text) == read


def test_names_that_must_differ_stay_different() -> None:
    assert decoded("q\udce9", "backslashreplace") == "q\\xe9"
    assert decoded("q\udce9", "backslashreplace") != decoded("q\udce8", "backslashreplace")


@pytest.mark.parametrize(
    ("text", "read"), [("e\u0301", "é"), ("A\r\nB\rC", "A\nB\nC"), ("\u1100\u1161", "가"), ("\udcc3\udca9", "é")]
)
def test_a_text_in_a_flag_is_normalized_as_texts_are(text: str, read: str) -> None:
    assert typed(text) == read


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\ufffd[31mb"), ("a\x9b31mb", "a\ufffd31mb"), ("a\x07\x08\x00\x7f", "a" + "\ufffd" * 4),
        ("gpj\u202eexe", "gpjexe"), ("\u2067x\u2069", "x"), ("a\nb\tc", "a\nb\tc"), ("ab\rc", "ab\ufffdc"),
        ("q\udce9", "q\ufffd"), ("שלום\u200f, é漢👩‍🚀", "שלום\u200f, é漢👩‍🚀"),
    ],
)  # fmt: skip
def test_nothing_that_is_shown_acts_on_a_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.binary(min_size=1, max_size=20).filter(lambda data: b"\0" not in data))
def test_a_shell_reads_a_quoted_name_back(data: bytes) -> None:
    word = quoted(os.fsdecode(data))
    assert word.isprintable()
    read = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout
    assert read == data


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("temprature", "did you mean temperature?"), ("lenth", "did you mean length?"), ("top", "did you mean top_p?"),
        ("token", "see the list"), ("", "see the list"), ("xyzzy", "see the list"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_answered_by_the_most_similar_one(name: str, hint: str) -> None:
    assert did_you_mean(name, {"temperature": 0, "length": 0, "top_p": 0, "store": 0}, "see the list") == hint
