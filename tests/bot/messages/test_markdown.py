"""Stories as messages: nothing of a text is lost, nothing of it is markup, and full pages stay as they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.markdown import BLANK, MAX_PAGE, escape, pages

texts = st.text(st.sampled_from("ab *_~`|<>@#[]()-+1.:/\\\n\t.!?é漢🙂\x00\u202e"), max_size=6000)


def plain(shown: str) -> str:
    """What a reader sees of an escaped text."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", shown).replace(BLANK, "")


@given(texts)
def test_a_reader_sees_every_character(text: str) -> None:
    expected = text.replace("\x00", " ").replace("\u202e", " ")
    assert plain(escape(text)) == expected
    seen = "".join(plain(page) for page in pages(text))
    assert seen.replace("\N{HORIZONTAL ELLIPSIS}", "").split() == expected.split()


@given(texts, st.integers(0, 3000))
def test_pages_fit_and_are_never_empty(text: str, num_bold: int) -> None:
    for page in pages(text, min(num_bold, len(text))):
        assert len(page) <= MAX_PAGE + 4  # the marks of bold
        assert page.strip()


@given(texts, texts)
def test_full_pages_stay_when_the_text_grows(text: str, more: str) -> None:
    before, after = pages(text), pages(text + more)
    assert after[: len(before) - 1] == before[:-1]


@pytest.mark.parametrize(
    "text",
    [
        "**bold** __under__ ~~gone~~ ||spoiler|| `code`", "```\nblock\n```", "# Head\n## Head\n-# small", "> quote",
        "- item\n* item\n1. item\n2) item", "[words](https://example.org)", "<@123> <#1> <@&5> <:smile:9> <t:1>",
    ],
)  # fmt: skip
def test_no_markup_survives(text: str) -> None:
    shown = escape(text)
    assert "://" not in shown
    assert not re.search(r"(?<!\\)[*_~`|<>\[\]]", shown)
    assert not re.search(r"^\s*(#|-#|>|[-+*] |\d+[.)])", shown, re.MULTILINE)


def test_nobody_is_named() -> None:
    shown = escape("@everyone @here <@12345> <@&777>")
    assert not re.search(r"@(everyone|here|\d|&)", shown)


def test_a_page_ends_after_a_sentence_or_paragraph() -> None:
    words = "The sun rose over the hill. " * 120
    first, second = pages(words)[:2]
    assert first.endswith("hill. ")
    assert second.startswith("The sun")
    paragraphs = ("word " * 150 + "\n\n") * 5
    assert pages(paragraphs)[0].endswith("\n\n")


def test_a_members_text_stands_in_bold() -> None:
    assert pages("Once upon a time there", 9) == ["**Once upon** a time there"]
    assert pages("  Once\nthere", 7) == ["  **Once**\nthere"]
    assert pages("a*b c", 3) == [r"**a\*b** c"]
    assert pages("   x", 3) == ["   x"]


def test_a_reply_of_blanks_can_be_sent() -> None:
    assert pages("\n\n \n") == [BLANK + "\N{HORIZONTAL ELLIPSIS}"]
    assert pages("") == [BLANK + "\N{HORIZONTAL ELLIPSIS}"]
