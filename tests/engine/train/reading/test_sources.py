"""Where text comes from: files, folders, patterns, archives, addresses; what is refused of it."""

from __future__ import annotations

import bz2
import gzip
import http.server
import io
import lzma
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import evaluate
from engine.train.reading import sources
from tests.engine.train.common.texts import RAIN, corpus_refused, read, refused, zipped

TEXT = "Call me Ishmaël.\nSome years ago — never mind how long.\n"


PACK: dict[str, Any] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


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


@pytest.mark.parametrize("name", [RAIN, RAIN[:200], "Was it you? " * 30, "Was it you? No, it was the dog that came."])
def test_a_text_in_place_of_a_name_is_told(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = corpus_refused(tmp_path, name)
    assert "if that is the text itself, write it into a file and name that" in message
    assert "cache" not in message.removeprefix(f"cannot read {name}")
    assert len(message) < 250
    assert evaluate.main(["--data", name]) == 1
    assert "cannot keep" not in capsys.readouterr().err
