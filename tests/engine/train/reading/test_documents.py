"""E-books, web pages, word processors' documents and subtitles: what is read, refused and bounded."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from engine.train.reading import documents, sources
from tests.engine.train.common.texts import read_with_omissions as read
from tests.engine.train.common.texts import refused, written


def packed(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_chat_as_a_web_page_is_no_text(tmp_path: Path) -> None:
    page = written(tmp_path / "chat.html", '<div class="chatlog"><div class="chatlog__message">x</div></div>')
    assert "export it as JSON" in refused(page)
    assert read(tmp_path) == ("", {"chats as web pages (export them as JSON)": 1})


def book(path: Path, chapters: dict[str, str], *, spine: str = "", **more: str) -> Path:
    """An e-book whose chapters lie in OEBPS."""
    items = "".join(
        f'<item id="i{n}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    order = spine or "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>'
        f'<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>{items}</manifest>'
        f'<spine><itemref idref="nav"/>{order}</spine>'
        '<guide><reference type="toc" href="toc.html#a"/></guide></package>'
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    return packed(
        path,
        {
            "mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package,
            "OEBPS/nav.xhtml": "<p>Contents</p>", **{f"OEBPS/{name}": text for name, text in chapters.items()},
            **{name.replace("__", "/"): text for name, text in more.items()},
        },
    )  # fmt: skip


def chapter(text: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>'
        f'<script src="x.js"/></head><body><a id="top"/>{text}</body></html>'
    )


def test_an_e_book_is_its_spine(tmp_path: Path) -> None:
    chapters = {
        "toc.html": chapter("<p>I II</p>"),
        "b c.xhtml": chapter("<p>Two&hellip;</p>"),
        "a.xhtml": chapter("<h2>One</h2>"),
    }
    path = book(tmp_path / "x.epub", chapters, spine='<itemref idref="i2"/><itemref idref="i1"/><itemref idref="i0"/>')
    assert read(path) == ("One\nTwo…\n", {})
    assert read(tmp_path)[0] == "One\nTwo…\n"
    packed(tmp_path / "books.zip", {"x.epub": path.read_bytes()})
    assert read(tmp_path / "books.zip")[0] == "One\nTwo…\n"
    missing = '<itemref idref="i0"/><itemref idref="none"/>'
    assert read(book(path, {"a.xhtml": chapter("<p>One</p>")}, spine=missing))[0] == "One\n"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "OEBPS/a.xhtml"}
    assert read(packed(path, {**members})) == ("", {"chapters that are missing in an e-book": 1})


def test_gutenbergs_licence_is_taken_from_documents_too(tmp_path: Path) -> None:
    parts = ("The Project Gutenberg eBook of X", "*** START OF THE PROJECT GUTENBERG EBOOK X ***", "Mine.",
             "*** END OF THE PROJECT GUTENBERG EBOOK X ***", "Section 1. Licence")  # fmt: skip
    text = chapter("".join(f"<p>{part}</p>" for part in parts))
    assert read(book(tmp_path / "x.epub", {"a.html": text}))[0] == "Mine.\n"
    assert read(written(tmp_path / "x.html", text))[0] == "Mine.\n"


def encryption(uri: str, algorithm: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
        f'<e:EncryptedData><e:EncryptionMethod Algorithm="{algorithm}"/><e:CipherData><e:CipherReference URI="{uri}"/>'
        "</e:CipherData></e:EncryptedData></encryption>"
    )


def test_an_e_book_with_drm_is_refused_but_not_one_with_locked_fonts(tmp_path: Path) -> None:
    one = {"a.xhtml": chapter("<p>One</p>")}
    locked = encryption("OEBPS/a.xhtml", "http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    path = book(tmp_path / "x.epub", one, **{"META-INF__encryption.xml": locked})
    assert "DRM" in refused(path)
    fonts = encryption("OEBPS/font.otf", documents.FONTS[0])
    assert read(book(path, one, **{"META-INF__encryption.xml": fonts}))[0] == "One\n"


def test_damaged_and_foreign_documents_are_told_in_one_line(tmp_path: Path) -> None:
    path = book(tmp_path / "x.epub", {"a.xhtml": chapter("<p>One</p>" * 200)})
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole[:200], b"", b"plain text", whole.replace(b"OEBPS/a.xhtml", b"OEBPS/a.xhtmk", 1)):
        assert str(path) in refused(written(path, damaged))
    assert "is no .epub" in refused(packed(path, {"a.txt": "x"}))
    assert "damaged" in refused(packed(path, {"META-INF/container.xml": "<a>"}))
    assert "is no .docx" in refused(packed(tmp_path / "x.docx", {"a.txt": "x"}))
    assert "has a password, or is of an old format" in refused(
        written(tmp_path / "y.docx", documents.OLD_OFFICE + b"\0" * 99)
    )
    for name, mend in (("x.doc", "save it as .docx"), ("x.rtf", "--convert-to docx"), ("x.mobi", "save it as .epub")):
        assert mend in refused(written(tmp_path / name, b"x"))
    mine = str(written(tmp_path / "my book.mobi", b"x"))
    assert f"'ebook-convert '{mine}' '{mine}.epub''" in refused(mine)
    assert f"docx '{tmp_path}/my book.doc''" in refused(written(tmp_path / "my book.doc", b"x"))


def test_what_unpacks_without_end_or_expands_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_UNPACKED", 1 << 20)
    chapters = {f"{n}.xhtml": "0" * (1 << 19) for n in range(4)}
    assert "taken for a trap" in refused(book(tmp_path / "x.epub", chapters))
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 1 << 18)
    assert "has more than" in refused(book(tmp_path / "x.epub", {"a.xhtml": "0" * (1 << 19)}))
    assert "has more than" in refused(written(tmp_path / "x.html", "0" * (1 << 19)))
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "laugh" * 10}">' for n in range(12))
    for declared, used in ((entities, "&e11;"), ('<!ENTITY x SYSTEM "file:///etc/hostname">', "&x;")):
        body = f"<!DOCTYPE d [{declared}]>{document(f'<w:p><w:r><w:t>{used}</w:t></w:r></w:p>')}"
        assert "damaged" in refused(docx(tmp_path / "x.docx", body))


def test_documents_in_an_archive_share_what_it_may_unpack_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", 1 << 20)
    one = book(tmp_path / "x.epub", {"a.xhtml": "0" * (1 << 19)})
    assert len(read(one)[0]) > 1 << 19
    many = packed(tmp_path / "many.zip", {f"{n}.epub": one.read_bytes() for n in range(4)})
    assert "taken for a trap" in refused(many)


@pytest.mark.parametrize("name", ["x.html", "x.docx", "x.epub"])
def test_what_is_no_document_is_called_what_it_is(tmp_path: Path, name: str) -> None:
    for content, told in (
        (b"%PDF-1.4\n\xe2\xe3", "is a PDF: take the text out with 'pdftotext "),
        (b"{\\rtf1 hello}", "is rich text (RTF): save it as plain text"),
        (b"\x89PNG\r\n\x1a\n\0", "is a picture: leave it out"),
    ):
        assert told in refused(written(tmp_path / name, content))


def test_a_page_in_utf_16_without_a_mark_is_read(tmp_path: Path) -> None:
    assert read(written(tmp_path / "x.html", "<p>Été.</p>\n".encode("utf-16-le")))[0] == "Été.\n"
    assert read(written(tmp_path / "y.html", "<p>Été.</p>\n".encode("utf-32")))[0] == "Été.\n"


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def document(body: str) -> str:
    return f"<w:document {W} {MC}><w:body>{body}</w:body></w:document>"


def docx(path: Path, body: str, part: str = "word/document.xml") -> Path:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    relations = f'<Relationships xmlns="x"><Relationship Id="r" Type="{kind}" Target="{part}"/></Relationships>'
    return packed(path, {"_rels/.rels": relations, part: body, "word/media/a.png": b"\0" * 99})


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_a_word_document_is_its_paragraphs(tmp_path: Path) -> None:
    body = document(
        f"<w:p>{run('One ')}<w:hyperlink>{run('link')}</w:hyperlink>{run(' &amp; more')}</w:p><w:p/>"
        f"<w:p><w:ins>{run('new ')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        f"<w:moveFrom>{run('gone')}</w:moveFrom>{run('words')}<w:r><w:footnoteReference/></w:r></w:p>"
        f"<w:p>{run('a')}<w:r><w:br/></w:r>{run('b')}<w:r><w:tab/></w:r>{run('c')}</w:p>"
        f"<w:sdt><w:sdtContent><w:p>{run('framed')}</w:p></w:sdtContent></w:sdt>"
        f"<w:tbl><w:tr><w:tc><w:p>{run('cell')}</w:p></w:tc></w:tr></w:tbl>"
        f"<w:p><mc:AlternateContent><mc:Choice><w:p>{run('box')}</w:p></mc:Choice>"
        f"<mc:Fallback><w:p>{run('box')}</w:p></mc:Fallback></mc:AlternateContent></w:p>"
    )
    told = {"footnotes": 1}
    text = "One link & more\nnew words\na\nb c\nframed\ncell\nbox\n"
    assert read(docx(tmp_path / "x.docx", body)) == (text, told)
    assert read(docx(tmp_path / "x.docx", body, "word/document2.xml")) == (text, told)


def test_an_open_document_is_its_paragraphs(tmp_path: Path) -> None:
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "text", "draw")
    )
    body = (
        f"<office:document-content {spaces}><office:body><office:text><text:tracked-changes><text:p>deleted</text:p>"
        "</text:tracked-changes><text:h>Title</text:h><text:p>One<text:s/><text:span>span</text:span><text:note>"
        "<text:note-body><text:p>note</text:p></text:note-body></text:note> end.</text:p><text:p>a<text:line-break/>b"
        "<office:annotation><text:p>comment</text:p></office:annotation></text:p></office:text></office:body>"
        "</office:document-content>"
    )
    path = packed(tmp_path / "x.odt", {"content.xml": body})
    assert read(path) == ("Title\nOne span end.\na\nb\n", {"footnotes": 1})
    locked = "<manifest><encryption-data/></manifest>"
    assert "password" in refused(packed(path, {"content.xml": b"\x01", "META-INF/manifest.xml": locked}))


SRT = """1
00:00:01,000 --> 00:00:02,000
<i>Hello</i>,
there & you.

2
00:00:03,000 --> 00:00:04,000
- Who?
- Me. {\\an8}42

3
00:00:04,500 --> 00:00:05,000
- Me. 42
"""
VTT = """WEBVTT - Title
Kind: captions

STYLE
::cue { color: red }

NOTE not this

00:01.000 --> 00:02.500 align:start
<v Ann>Hello <i>there</i> &amp; you

intro
00:00:03.000 --> 00:00:04.000
Roll<00:00:03.500><c> on</c>

00:00:04.000 --> 00:00:05.000
Roll on
and on
"""


def test_subtitles_are_what_is_said(tmp_path: Path) -> None:
    assert read(written(tmp_path / "x.srt", SRT))[0] == "Hello, there & you.\n- Who?\n- Me. 42\n"
    assert read(written(tmp_path / "x.srt", "\ufeff" + SRT.replace("\n", "\r\n")))[0].startswith("Hello, there")
    assert read(written(tmp_path / "x.vtt", VTT))[0] == "Hello there & you\nRoll on\nand on\n"
    assert "has no subtitles" in refused(written(tmp_path / "y.srt", "only words\n"))


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysubs2", None)
    assert "pip install pysubs2" in refused(written(tmp_path / "x.srt", SRT))
