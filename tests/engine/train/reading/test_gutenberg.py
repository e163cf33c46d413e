"""What Project Gutenberg puts around books, in the forms that it had over the years; and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.train.reading.account import Account
from engine.train.reading.gutenberg import LEFT_OUT, WINDOW, without_gutenberg
from tests.engine.train.common.texts import read

BODY = "CHAPTER I\n\n" + "It rained on the harbor all night.\n" * 40 + "\nTHE END\n"
STORY = "MY OWN STORY\n\nNobody had seen the dog since noon.\nIt came back.\n"
LICENCE = """
Updated editions will replace the previous one--the old editions will be renamed.

START: FULL LICENSE

Section 1. General Terms of Use and Redistributing Project Gutenberg-tm electronic works

1.F.5. Some states do not allow disclaimers of certain implied warranties or the exclusion or limitation
of certain types of damages.

This website includes information about Project Gutenberg-tm, including how to help produce our new eBooks,
and how to subscribe to our email newsletter to hear about new eBooks.
"""
MODERN_HEAD = """The Project Gutenberg eBook of The Harbor

This ebook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost.

Title: The Harbor

Release date: May 1, 2020 [eBook #99999]

"""
SMALL_PRINT = """**The Project Gutenberg Etext of Rain, by A. Nobody**
#1 in our series by A. Nobody

Copyright laws are changing all over the world.

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
By using or reading any part of this PROJECT GUTENBERG-tm etext, you indicate that you understand.
"""
BOOKS = {
    "now": (
        MODERN_HEAD + "*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\n\n",
        "\n\n*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\n" + LICENCE,
    ),
    "a title of two lines": (
        MODERN_HEAD + "*** START OF THE PROJECT GUTENBERG EBOOK RAIN, OR\nTHE SEA, VOLUME 1 ***\n\n",
        "\n*** END OF THE PROJECT GUTENBERG EBOOK RAIN, OR\nTHE SEA, VOLUME 1 ***\n" + LICENCE,
    ),
    "2005": (
        "Project Gutenberg's Rain, by A. Nobody\n\nThis eBook is for the use of anyone.\n\n"
        "*** START OF THIS PROJECT GUTENBERG EBOOK RAIN ***\n\n",
        "\n\nEnd of Project Gutenberg's Rain, by A. Nobody\n\n*** END OF THIS PROJECT GUTENBERG EBOOK RAIN ***\n"
        "\n***** This file should be named 9.txt or 9.zip *****\n" + LICENCE + "\n\n*** END: FULL LICENSE ***\n\n",
    ),
    "2002": (
        "The Project Gutenberg EBook of Rain, by A. Nobody\n\n***START OF THE PROJECT GUTENBERG EBOOK RAIN***\n",
        "\n***END OF THE PROJECT GUTENBERG EBOOK RAIN***\n\nThis and all associated files are in the public domain.\n"
        "\nWHAT IF YOU *WANT* TO SEND MONEY? [Portions of this header are copyright laws.]\n"
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*\n",
    ),
    "small print": (
        SMALL_PRINT + "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n\n",
        "\n\nEnd of the Project Gutenberg Etext of The Harbor\n\n",
    ),
    "1994": (
        "***This is the Project Gutenberg Etext of The Harbor***\n\nWe need your donations more than ever!\n\n"
        'Special rules apply if you distribute this etext under the Project\'s "PROJECT GUTENBERG" trademark.\n'
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.03/14/94*END*\n",
        "\nEnd of this Project Gutenberg Etext of The Harbor, or The Rain over the Sea, by\nA. Nobody\n\n",
    ),
    "with copyright": (
        "This is a COPYRIGHTED Project Gutenberg eBook, Details Below\n\n"
        "*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK RAIN ***\n",
        "\n*** END OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK RAIN ***\n" + LICENCE,
    ),
    "a licence that was cut": (
        MODERN_HEAD + "*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***\n",
        "\n*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\nUpdated editions will replace the previous one.\n\n"
        "You may copy it under the terms of the Project Gutenberg\nLicense, online at www.gutenberg.org\n\n",
    ),
}


def clean(text: str, account: Account | None = None) -> str:
    return "".join(without_gutenberg([text], account))


@pytest.mark.parametrize("name", BOOKS)
def test_headers_and_licences_of_all_years_are_taken_away(name: str) -> None:
    head, tail = BOOKS[name]
    account = Account()
    whole = head + BODY + tail
    assert clean(whole, account) == BODY
    assert account.left_out == {f"characters of {LEFT_OUT}": len(whole) - len(BODY)}
    assert clean(whole.replace("\n", "\r\n")).replace("\r\n", "\n") == BODY


@pytest.mark.parametrize("name", BOOKS)
def test_ones_own_words_before_between_and_after_books_stay(name: str) -> None:
    head, tail = BOOKS[name]
    book = head + BODY + tail
    assert clean(STORY + book) == STORY + BODY
    assert clean(book + head + BODY + tail) == BODY + BODY
    for after in (STORY, STORY * 3000):
        kept = clean(book + after)
        assert kept.startswith(BODY)
        assert kept.endswith(after)
        assert clean(book + after + book).endswith(after + BODY)


@pytest.mark.parametrize(
    "line",
    [
        "End of the Project Gutenberg EBook of The Harbor, Part I", "End of Project Gutenberg's The Harbor, Volume One",
        "End of this Project Gutenberg Etext",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", BOOKS)
def test_an_inner_end_is_text_where_the_book_goes_on(name: str, line: str) -> None:
    head, tail = BOOKS[name]
    body = f"{BODY}\n{line}\n\nPART II\n\n{BODY}"
    assert clean(head + body + tail) == body


def test_an_unknown_licence_is_kept_rather_than_ones_own_words() -> None:
    head, _ = BOOKS["now"]
    end = "\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n"
    assert clean(f"{head}{BODY}{end}a license, a license\n\n\n{STORY}") == BODY + STORY
    assert clean(f"{head}{BODY}{end}a license of an unknown kind\n{STORY}") == BODY + STORY
    assert clean(f"{head}{BODY}{end}{STORY}") == BODY + STORY


@pytest.mark.parametrize(
    "text",
    [
        "I read it at Project Gutenberg.\n*** END OF THE PROJECT GUTENBERG EBOOK ***\nand went on.\n",
        "They sent me:\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*\nI laughed.\n",
        "End of the Project Gutenberg EBook of my dreams\n",
        "The Project Gutenberg eBook of which I dreamed\nwas never made.\n",
    ],
)
def test_a_text_that_only_speaks_of_it_stays_whole(text: str) -> None:
    assert clean(text) == text
    assert clean(text * 9000) == text * 9000


def test_a_book_far_into_a_text_is_found() -> None:
    head, tail = BOOKS["now"]
    before = STORY * (3 * WINDOW // len(STORY))
    for extra in range(0, 4000, 371):
        story = before + "x" * extra + "\n"
        assert clean(story + head + BODY + tail + STORY) == story + BODY + STORY


@given(st.sampled_from(sorted(BOOKS)), st.integers(1, 5000))
def test_where_the_parts_are_cut_does_not_matter(name: str, size: int) -> None:
    head, tail = BOOKS[name]
    text = STORY + head + BODY + tail + STORY + head + BODY + tail
    parts = [text[n : n + size] for n in range(0, len(text), size)]
    assert "".join(without_gutenberg(parts)) == clean(text)


BOOK = (
    "\ufeffThe Project Gutenberg eBook of Nothing\r\n\r\nThis eBook is for anyone.\r\n\r\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK NOTHING ***\r\n\r\n\r\nChapter 1\r\n\r\n{}The end.\r\n\r\n\r\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK NOTHING ***\r\n\r\nSection 1. Licence and so on\r\n"
)


@pytest.mark.parametrize("lines", [0, 10, 200_000])
def test_gutenbergs_header_and_footer_are_removed(tmp_path: Path, lines: int) -> None:
    (path := tmp_path / "book.txt").write_text(BOOK.format("One line.\r\n" * lines), newline="")
    assert read(path) == "Chapter 1\n\n" + "One line.\n" * lines + "The end.\n"


def test_books_may_follow_one_another(tmp_path: Path) -> None:
    other = BOOK.replace("Nothing", "Else").replace("NOTHING", "ELSE")
    last = "Please subscribe to our email newsletter to hear about new eBooks.\r\n"
    one, two = "Chapter 1\n\nOne.\nThe end.\n", "Chapter 1\n\nTwo.\nThe end.\n"
    path = tmp_path / "books.txt"
    for middle, text in (("", one + two), (last, one + two), (last + "My own.\r\n", one + "My own.\n" + two)):
        path.write_text(
            BOOK.format("One.\r\n") + middle + other.removeprefix("\ufeff").format("Two.\r\n") + last, newline=""
        )
        assert read(path) == text
    path.write_text(BOOK.format("One.\r\n") + last + "My own.\r\n" * 100_000, newline="")
    assert read(path) == one + "My own.\n" * 100_000


@given(st.integers(1, 2000))
def test_where_a_books_parts_are_cut_does_not_matter(size: int) -> None:
    text = BOOK.format("One line.\r\n" * 90) * 2
    parts = [text[n : n + size] for n in range(0, len(text), size)]
    assert "".join(without_gutenberg(parts)) == "".join(without_gutenberg([text]))


def test_what_stands_before_a_header_stays(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_text("Mine.\n" + BOOK.removeprefix("\ufeff").format(""), newline="")
    assert read(path) == "Mine.\nChapter 1\n\nThe end.\n"


def test_a_text_that_only_speaks_of_gutenberg_stays_whole(tmp_path: Path) -> None:
    text = "I say:\n*** END OF THE PROJECT GUTENBERG EBOOK ***\nand go on.\n"
    (path := tmp_path / "x.txt").write_text(text)
    assert read(path) == text


@pytest.mark.parametrize(
    "words",
    [
        "My afterword: donations to the poor are welcome.\n\nThe rest is mine, too.\n",
        "This story is in the public domain now.\n\nIt rained.\n",
        "The trademark of our town is fog.\n",
        "A full refund was all that she wanted.\n\nHe gave her a song.\n",
    ],
)
def test_one_word_of_a_license_makes_none(words: str) -> None:
    for name in ("a licence that was cut", "with copyright"):
        head, tail = BOOKS[name]
        assert clean(f"{head}{BODY}{tail}\n{words}") == BODY + words
    head, _ = BOOKS["now"]
    assert clean(f"{head}{BODY}*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\n{words}") == BODY + words
