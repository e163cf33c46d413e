"""Web pages: their paragraphs, their encodings, and what is written badly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.engine.train.common.texts import read_with_omissions as read
from tests.engine.train.common.texts import written

PAGE = """<!DOCTYPE html><html><head><title>Not this</title><style>p { color: red }</style>
<script>if (a < b) {}</script></head><body><nav><ul><li>Home</li></ul></nav><h1>A &amp; B</h1><p>One
  paragraph, <em>em</em>phasis&nbsp;&mdash; and <span class="pagenum">[12]</span>a soft&shy;hyphen.<p>Unclosed<br>broken
<pre>  kept
    as is</pre><table><tr><td>left</td><td>right</td></tr></table><ul><li>item</li></ul>
<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> &#8220;x&#x201d;<!-- no --></body></html>"""


TEXT = (
    "A & B\nOne paragraph, emphasis\xa0— and a softhyphen.\nUnclosed\nbroken\n"
    "  kept\n    as is\nleft right\nitem\n漢 “x”\n"
)


@pytest.mark.parametrize("suffix", [".html", ".HTM", ".xhtml"])
def test_a_page_is_its_paragraphs(tmp_path: Path, suffix: str) -> None:
    assert read(written(tmp_path / f"page{suffix}", PAGE)) == (TEXT, {})
    assert read(tmp_path)[0] == TEXT


@pytest.mark.parametrize(
    ("declared", "encoded"),
    [
        ('<meta charset="windows-1251">', "windows-1251"),
        ("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        ('<?xml version="1.0" encoding="iso-8859-5"?>', "iso-8859-5"),
        ("", "utf-8"),
        ("<meta charset=iso-8859-1>", "utf-8"),
        ("", "utf-16"),
        ("<meta charset=hex>", "utf-8-sig"),
    ],
)
def test_a_page_is_decoded_as_it_says(tmp_path: Path, declared: str, encoded: str) -> None:
    path = written(tmp_path / "x.html", f"{declared}<p>Привет, мир</p>".encode(encoded))
    assert read(path)[0] == "Привет, мир\n"


def test_pages_of_other_languages_and_without_a_word_on_it(tmp_path: Path) -> None:
    assert read(written(tmp_path / "a.html", "<p>“naïve”".encode("windows-1252")))[0] == "“naïve”\n"
    assert read(written(tmp_path / "b.html", "<meta charset=latin1><p>“é”".encode("windows-1252")))[0] == "“é”\n"
    assert read(written(tmp_path / "c.html", "<meta charset=Shift_JIS><p>日本".encode("shift_jis")))[0] == "日本\n"
    assert read(written(tmp_path / "d.html", "<meta charset=iso-2022-jp><p>日本".encode("iso-2022-jp")))[0] == "日本\n"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<![if !supportLists]>b<![endif]>c", "abc\n"),
        ("<p>a<![wrong [b>c", "ac\n"),
        ("<p><![CDATA[1 < 2]]></p>", "1 < 2\n"),
        ("<p>2 < 3 & 4 > 1</p", "2 < 3 & 4 > 1</p\n"),
        ("<p>a</b></p></p><o:p>&nbsp;</o:p><p>b", "a\nb\n"),
        ("<!-- one --><p>a<!-- never closed <p>b", "a never closed\nb\n"),
    ],
)
def test_pages_that_are_written_badly(tmp_path: Path, page: str, text: str) -> None:
    assert read(written(tmp_path / "x.html", page))[0] == text


@pytest.mark.parametrize("begun", ["<!--", "<a ", "<a b='", "</", "<", "<?", "<script>"])
def test_what_never_ends_in_a_page_takes_no_long_time(tmp_path: Path, begun: str) -> None:
    path = written(tmp_path / "x.html", "<p>a</p>" + begun * 20_000)
    start = time.monotonic()
    assert read(path)[0].startswith("a\n")
    assert time.monotonic() - start < 5
