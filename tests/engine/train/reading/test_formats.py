"""All that may stand after --data: where text comes from, what it is packed in, what is made of it, what is refused."""

from __future__ import annotations

import bz2
import csv
import gzip
import http.server
import io
import json
import lzma
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TrainingError
from engine.text.vocabulary import normalize
from engine.train.reading import filters, formats, sources
from engine.train.reading.gutenberg import without_gutenberg
from engine.train.settings import TrainSettings

TEXT = "Call me Ishmaël.\nSome years ago — never mind how long.\n"
PACK: dict[str, Any] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def read(*names: str | Path, **settings: Any) -> str:
    made = TrainSettings(**settings)
    apply = filters.make_filter(is_ascii=made.ascii, is_lower=made.lower, keep=made.keep)
    return "".join(
        part
        for source in sources.open_all(names)
        for part in filters.normalized(formats.read(source, made.field, made.names, has_bots=made.bots), apply)
    )


def refused(*names: str | Path, **settings: Any) -> str:
    with pytest.raises(TrainingError) as caught:
        read(*names, **settings)
    message = str(caught.value)
    assert "\n" not in message
    return message


def zipped(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


@pytest.mark.parametrize("suffix", PACK)
def test_packed_files(tmp_path: Path, suffix: str) -> None:
    (path := tmp_path / f"x.txt.{suffix}").write_bytes(PACK[suffix](TEXT.encode()))
    assert read(path) == TEXT
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 6])
    assert "damaged" in refused(path)
    path.write_bytes(b"no archive at all")
    assert str(path) in refused(path)


def test_archives(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "x.zip", a_txt="one\n", below__b_md="two\n", picture_png=b"\0", c_jsonl='{"text": "three"}'
    )
    assert read(path) == "one\ntwo\nthree\n"
    assert "no text files" in refused(zipped(tmp_path / "y.zip", picture_png=b"\0"))
    (broken := tmp_path / "z.zip").write_bytes(b"PK")
    assert "damaged" in refused(broken)
    inner = (tmp_path / "x.zip").read_bytes()
    assert "unpack that first" in refused(zipped(tmp_path / "w.zip", in_zip=inner))


def test_what_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", 1 << 20)
    bomb = b"0" * (8 << 20)
    (packed := tmp_path / "bomb.gz").write_bytes(gzip.compress(bomb))
    assert "taken for a trap" in refused(packed)
    assert "taken for a trap" in refused(zipped(tmp_path / "bomb.zip", a_txt=bomb))
    half = bomb[: 1 << 19]  # each is allowed, all together are not
    assert "taken for a trap" in refused(zipped(tmp_path / "many.zip", **{f"n{n}_txt": half for n in range(8)}))
    packed_half = gzip.compress(half)
    assert "taken for a trap" in refused(
        zipped(tmp_path / "packed.zip", **{f"n{n}_txt_gz": packed_half for n in range(8)})
    )


def test_folders_patterns_and_order(tmp_path: Path) -> None:
    for name, text in (
        ("b.txt", "b\n"),
        ("a.txt", "a\n"),
        ("below/c.txt.gz", ""),
        (".hidden.txt", "h\n"),
        ("x.png", "p"),
    ):
        (path := tmp_path / name).parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(b"c\n") if path.suffix == ".gz" else text.encode())
    assert read(tmp_path) == "a\nb\nc\n"
    assert read(tmp_path / "*.txt") == "a\nb\n"
    assert read(tmp_path / "**/*.gz") == "c\n"
    assert read(tmp_path / "b.txt", tmp_path / "a.txt") == "b\na\n"
    assert "nothing matches" in refused(tmp_path / "*.doc")
    (tmp_path / "empty").mkdir()
    assert "folder without text files" in refused(tmp_path / "empty")
    assert "No such file" in refused(tmp_path / "none.txt")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert read("-") == TEXT


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        data = gzip.compress(TEXT.encode()) if self.path.endswith(".gz") else TEXT.encode()
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/book.txt.gz")
            self.end_headers()
            return
        if self.path == "/reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        if self.path == "/none":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/broken":
            self.send_header("Content-Length", str(len(data) + 100))
        self.end_headers()
        try:
            for _ in range(100_000 if self.path == "/endless" else 1):
                self.wfile.write(data)
            if self.path == "/silent":
                threading.Event().wait(1.5)
        except OSError:
            pass  # the reader has had enough

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_addresses(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(f"{address}/book.txt") == TEXT
    assert read(f"{address}/moved") == TEXT
    assert read(f"{address}/book.txt?version=2") == TEXT
    assert "HTTP 404" in refused(f"{address}/none")
    assert "broke off" in refused(f"{address}/broken")
    monkeypatch.setattr(sources, "MAX_DOWNLOAD", 1 << 20)
    assert "taken for a trap" in refused(f"{address}/endless")
    monkeypatch.setattr(sources, "SECONDS", 0.3)
    assert "gave nothing for" in refused(f"{address}/silent")
    assert "cannot be fetched" in refused("http://127.0.0.1:1/x")
    assert "cannot be fetched" in refused("http://")
    assert "cannot be fetched" in refused(f"{address}/reset")


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


def test_line_ends_of_three_characters_are_two_wherever_they_stand(tmp_path: Path) -> None:
    """As a program leaves them that writes \\r\\n for the \\n of \\r\\n: the model reads them so, too."""
    (path := tmp_path / "x.txt").write_text("one\r\r\n" * 30_000, newline="")
    assert read(path) == "one\n\n" * 30_000


def export(messages: list[dict[str, Any]]) -> str:
    return json.dumps(
        {"guild": {"name": "g"}, "channel": {"messages": "no"}, "messages": messages, "messageCount": 9}, indent=2
    )


def message(content: str, name: str = "ada", **more: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "type": "Default",
        "content": content,
        "author": {"name": name, "nickname": name.upper()},
        **more,
    }


def test_discord_exports_as_json(tmp_path: Path) -> None:
    said = [
        message('hello ]}\n"there"'),
        message("Ada joined.", type="GuildMemberJoin"),
        message("", type="Reply"),
        message("bye", "bob"),
    ]
    (path := tmp_path / "chat.json").write_text(export(said))
    assert read(path) == 'hello ]}\n"there"\nbye\n'
    assert read(path, names=True) == 'ADA: hello ]}\n"there"\nBOB: bye\n'
    many = [message(f"message {n} " + "x" * (n % 3000)) for n in range(3000)]
    path.write_text(export(many))
    assert read(path) == "".join(f"{m['content']}\n" for m in many)
    path.write_text(export(many)[:-2_000_000])
    assert "breaks off" in refused(path)
    for wrong in ("[]", "{}", '{"messages": [1]}', "", '{"messages": [' + "[" * 100_000):
        path.write_text(wrong)
        assert str(path) in refused(path)


def test_discord_exports_as_csv(tmp_path: Path) -> None:
    with (path := tmp_path / "chat.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [["AuthorID", "Author", "Date", "Content"], [1, "ada", "x", 'two\nlines, "so"'], [2, "bob", "y", ""]]
        )
    assert read(path) == 'two\nlines, "so"\n'
    assert read(path, names=True) == 'ada: two\nlines, "so"\n'
    assert read(path, field="Author") == "ada\nbob\n"
    assert "no column 'text'" in refused(path, field="text")


def test_json_lines(tmp_path: Path) -> None:
    (path := tmp_path / "x.jsonl").write_text('{"text": "one"}\n\n{"text": "t\\u00e9", "by": "x"}')
    assert read(path) == "one\nté\n"
    assert "line 1: has no field 'by'" in refused(path, field="by")
    path.write_text('{"text": "one"}\n{"text": 3}\n')
    assert "line 2: its 'text' is no text" in refused(path)
    path.write_text('{"text": "one"}\nhello\n')
    assert "line 2: is no JSON" in refused(path)


def test_what_is_no_text_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"abc\n" * 600_000 + "é".encode() + "é".encode("latin-1") + b"\n")
    assert f"{path} is UTF-8 up to byte 2,400,002, and is broken there" in refused(path)
    path.write_bytes(b"a" * (1 << 20) + b"\0")
    assert "NUL bytes, the first at 1,048,576" in refused(path)
    path.write_bytes(b"abc\xc3\xc3\xc3\n")
    assert "byte 3" in refused(path)


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


def test_an_account_tells_how_much_was_read_and_left_out() -> None:
    account = sources.Account(files=1, characters=1_204_331)
    assert account.describe() == "read 1 file, 1,204,331 characters"
    account.leave_out("pictures")
    account.leave_out("pictures", 2)
    account.leave_out("messages of bots")
    account.leave_out("forms", 0)
    account.leave_out("a licence", 19_000, "characters")
    assert account.describe() == (
        "read 1 file, 1,204,331 characters; left out: 3 pictures, 1 message of bots, 19,000 characters of a licence"
    )
