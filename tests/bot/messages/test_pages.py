"""Stories as pages: nothing of a text is lost, every page fits into a message, and full pages stay as they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.markdown import BLANK
from bot.messages.pages import CONTENT, FORMATS, LAYOUT, Format, Page, Passage, Token, num_units, pages
from tests.bot.messages.test_markdown import plain, texts

formats = st.sampled_from(list(FORMATS.values()))


def shown(text: str, num_bold: int = 0, format: Format = CONTENT) -> list[tuple[str, ...]]:
    return [page.parts for page in pages(Passage(text, num_bold), format)]


@given(texts, formats)
def test_a_reader_sees_every_character(text: str, format: Format) -> None:
    seen = "".join(plain(part) for parts in shown(text, 0, format) for part in parts)
    expected = text.replace("\x00", " ").replace("\u202e", " ")
    assert seen.replace("\N{HORIZONTAL ELLIPSIS}", "").split() == expected.split()


@given(texts, st.integers(0, 3000), texts, formats)
def test_pages_fit_and_are_never_empty(text: str, num_bold: int, footer: str, format: Format) -> None:
    limit = 2000 if format is CONTENT else 4000
    for page in pages(Passage(text, min(num_bold, len(text)), footer=footer), format):
        assert num_units("".join(page.parts) + f"\n-# {page.footer}") <= limit
        assert "".join(page.parts).strip() or page.footer


@given(texts, texts, formats)
def test_full_pages_stay_when_the_text_grows(text: str, more: str, format: Format) -> None:
    before, after = shown(text, 0, format), shown(text + more, 0, format)
    assert after[: len(before) - 1] == before[:-1]


def test_what_has_two_units_counts_twice() -> None:
    assert num_units("a\N{SMILING FACE WITH OPEN MOUTH}\u6f22") == 4
    faces = "\N{SMILING FACE WITH OPEN MOUTH}" * 3800
    assert [len(part) for (part,) in shown(faces, 0, LAYOUT)] == [1900, 1900]


def test_a_layout_holds_twice_as_much() -> None:
    words = "The sun rose over the hill. " * 130
    assert len(pages(Passage(words), LAYOUT)) == 1
    assert len(pages(Passage(words), CONTENT)) == 2


def test_a_page_ends_after_a_sentence_or_paragraph() -> None:
    (first,), (second,) = shown("The sun rose over the hill. " * 120)[:2]
    assert first.endswith("hill. ")
    assert second.startswith("The sun")
    paragraphs = ("word " * 150 + "\n\n") * 5
    assert shown(paragraphs)[0][0].endswith("\n\n")


@pytest.mark.parametrize(
    ("text", "num_bold", "parts"),
    [
        ("Once upon a time there", 9, ("**Once upon**", " a time there")),
        ("  Once\nthere", 7, ("  **Once**\n", "there")),
        ("a*b c", 3, (r"**a\*b**", " c")),
        ("Once upon a time", 14, ("**Once upon a ti**me",)),  # within a word
        ("Once, he said", 4, ("**Once**, he said",)),
        ("   x", 3, ("   x",)),
        ("ROMEO:", 6, ("**ROMEO:**",)),
    ],
)
def test_a_members_text_is_bold_and_a_part_of_its_own(text: str, num_bold: int, parts: tuple[str, ...]) -> None:
    assert shown(text, num_bold) == [parts]


@given(st.lists(texts, min_size=1, max_size=5), formats)
def test_texts_to_choose_from_share_a_page(options: list[str], format: Format) -> None:
    (page,) = pages(Passage(options=tuple(options), footer="vote"), format)
    assert len(page.parts) == len(options)
    assert num_units("".join(page.parts)) <= format.page
    for number, part in enumerate(page.parts, 1):
        assert part.startswith(f"**{number}** ")
    (short,) = pages(Passage(options=("a*", "b")), format)
    assert short.parts == ("**1** a\\*\n\n", "**2** b\n\n")


def test_small_print_stands_on_the_last_page_and_is_cut_where_it_is_too_long() -> None:
    made = pages(Passage("word " * 500, footer="a\nrestart " * 90), CONTENT)
    assert [bool(page.footer) for page in made] == [False, True]
    assert made[1].footer.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert pages(Passage(footer="in line"), LAYOUT) == [Page((), "in line")]
    assert pages(Passage(said="**hi**", footer="there"), LAYOUT) == [Page(("**hi**",), "there")]


def test_a_token_lives_for_less_than_a_quarter_of_an_hour_and_is_not_shown() -> None:
    token = Token(5, "secret", time.time())
    assert 800 < token.seconds_left < 900
    assert "secret" not in repr(token)


def test_a_reply_of_blanks_can_be_sent() -> None:
    assert shown("\n\n \n") == shown("") == [(BLANK + "\N{HORIZONTAL ELLIPSIS}",)]
