"""The text of a web page, or of an e-book's chapter. Nothing that a page names is fetched."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hr", "html", "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead",
    "tr", "ul",
))  # fmt: skip
CELLS = frozenset(("td", "th"))
UNREAD = frozenset((
    "audio", "button", "canvas", "iframe", "nav", "noscript", "object", "rp", "rt", "script", "select", "style", "svg",
    "template", "textarea", "title", "video",
))  # fmt: skip
NUMBERED = frozenset(("div", "small", "span", "sup"))  # what may hold the number of a printed page
PAGE_NUMBER = re.compile(r"\b(?:pagenum|pageno|pagebreak|doc-pagebreak)\b")
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
KNOWN_CHARSETS = re.compile(r"(?:windows-|cp|iso-|latin|koi8|shift|sjis|euc-|gb|big5|mac|ks_c|tis)[\w.:-]*")
AS_BROWSERS = {  # the larger sets that are meant by these names
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1"), "windows-1252"), **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis"), "cp932"), "euc-kr": "cp949", "macintosh": "mac_roman",
}  # fmt: skip
_SPACE = re.compile(r"[ \t\r\n\f]+")


def decoded(data: bytes) -> str:
    """A page's characters: by its mark, else as UTF-8 if they are, else as it says itself, else as browsers take it."""
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    declared = [match.group(1).decode().lower() for match in _CHARSET.finditer(data[:4096])]
    declared = [name for name in declared if KNOWN_CHARSETS.fullmatch(name)]
    first = [name for name in declared if name.startswith("iso-2022")]  # looks like ASCII
    for name in (*marked, *first, "utf-8", *declared):
        try:
            return data.decode(AS_BROWSERS.get(name, name))
        except (LookupError, UnicodeError):
            continue
    return data.decode("windows-1252", "replace")


class Lines:
    """Text that is gathered to lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._held: list[str] = []

    def add(self, text: str) -> None:
        """Go on with the line."""
        self._held.append(text)

    def end(self, *, is_kept: bool = False) -> None:
        """End the line, with its spaces as they are or as a browser shows them."""
        line = "".join(self._held).replace("\xad", "")  # a hyphen that is seen at a line's end alone
        self._held.clear()
        line = line.strip("\r\n") if is_kept else _SPACE.sub(" ", line).strip()
        if line.strip():
            self.lines.append(f"{line}\n")


class _Page(HTMLParser):
    """The text of a web page without scripts, styles, navigation and page numbers. Each block is a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = Lines()
        self._unread, self._depth = "", 0  # the element that is passed over, and how deep in others of its name
        self._is_kept = False  # whether spaces are

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._unread:
            self._depth += tag == self._unread
            return
        marks = " ".join(value or "" for name, value in attrs if name in ("class", "epub:type", "role"))
        if tag in UNREAD or (tag in NUMBERED and PAGE_NUMBER.search(marks)):
            self._unread, self._depth = tag, 1
        self._block(tag)
        self._is_kept = self._is_kept or tag == "pre"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._unread:
            self._block(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._unread:
            self._depth -= tag == self._unread
            if self._depth <= 0 or (tag == "ruby" and self._unread in ("rt", "rp")):
                self._unread = ""
            return
        self._block(tag)
        self._is_kept = self._is_kept and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._unread:
            return
        if not self._is_kept:
            self.text.add(data)
            return
        first, *others = data.split("\n")
        self.text.add(first)
        for line in others:
            self.text.end(is_kept=True)
            self.text.add(line)

    def parse_html_declaration(self, i: int) -> int:
        """Take what Word writes, and what is damaged, for a comment, as browsers do: the library would stop there."""
        if self.rawdata.startswith("<![", i) and not self.rawdata.startswith("<![CDATA[", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)

    def unknown_decl(self, data: str) -> None:
        """XHTML's way of writing text as it is."""
        if data.startswith("CDATA["):
            self.handle_data(data.removeprefix("CDATA["))

    def _block(self, tag: str) -> None:
        if tag in BLOCKS:
            self.text.end(is_kept=self._is_kept)
        elif tag in CELLS:
            self.text.add(" ")


def lines_of(text: str) -> list[str]:
    """A page's text, a line each paragraph, with its end."""
    comment, tag = (
        text.rfind("-->") + 1,
        text.rfind(">") + 1,
    )  # what has no end is text: the parser looks for it too long
    page = _Page()
    page.feed(text[:comment] + text[comment:tag].replace("<!--", "") + text[tag:].replace("<", "&lt;"))
    page.close()
    page.text.end()
    return page.text.lines
