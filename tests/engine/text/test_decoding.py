"""What bytes are read as: UTF-8, what marks and NUL bytes tell, older encodings; and what is refused, with a remedy."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.text import decoding
from engine.text.charsets import charset_of
from engine.text.decoding import decode, looks_like_text
from engine.text.file_kinds import kind_of

TEXTS = {
    "English": "“It’s raining,” she said — and it was. The café wouldn’t open… “Naïve,” he said.\n",
    "French": "Elle était la plus jolie fille qu'on eût su voir ; sa mère en était folle. Où étais-tu ? À l'hôtel.\n",
    "German": "Die Großmutter wußte gar nicht, was sie dem süßen Mädchen geben sollte. Über den Fluß gingen Männer.\n",
    "Spanish": "¿Qué quieres? ¡Mañana será otro día, señor! El hidalgo tenía un rocín flaco y una adarga antigua.\n",
    "Swedish": "Hon såg en älg på ängen, och älgen såg henne. Ån rann förbi, och på ön låg en båt.\n",
    "Polish": "Ten tylko się dowie, kto cię stracił. Dziś piękność twą widzę, bo tęsknię. Żółć, gęś, źrebię, łąka.\n",
    "Czech": "Byl pozdní večer, první máj. Hrdliččin zval ku lásce hlas, kde borový zaváněl háj, šeptal tichý mech.\n",
    "Russian": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n",
    "Greek": "Σα βγεις στον πηγαιμό για την Ιθάκη, να εύχεσαι νάναι μακρύς ο δρόμος, γεμάτος περιπέτειες.\n",
    "Japanese": "昔々、あるところにおじいさんとおばあさんが住んでいました。おじいさんは山へ柴刈りに行きました。\n",
    "Chinese": "从前有一座山，山上有一座庙，庙里有一个老和尚在讲故事。讲的是什么故事呢？没有人知道他讲的是什么。\n",
    "Taiwanese": "從前有一座山，山上有一座廟，廟裡有一個老和尚在講故事。講的是什麼故事呢？沒有人知道他講的是什麼。\n",
    "Korean": "옛날 옛적에 호랑이가 담배를 피우던 시절에 한 할머니가 살고 있었습니다. 할머니는 떡을 팔러 갔습니다.\n",
}
ENCODED = [
    ("English", "cp1252"), ("French", "cp1252"), ("German", "cp1252"), ("Spanish", "latin-1"), ("Swedish", "cp1252"),
    ("French", "mac_roman"), ("German", "cp850"), ("Polish", "cp1250"), ("Polish", "iso8859_2"), ("Czech", "cp1250"),
    ("Russian", "cp1251"), ("Russian", "koi8_r"), ("Russian", "cp866"), ("Greek", "cp1253"), ("Japanese", "cp932"),
    ("Japanese", "euc_jp"), ("Japanese", "iso2022_jp"), ("Chinese", "gb18030"), ("Chinese", "gb2312"),
    ("Taiwanese", "big5"), ("Korean", "cp949"),
]  # fmt: skip


def read(data: bytes, told: list[str] | None = None, file: str = "FILE") -> str:
    return "".join(decode(io.BytesIO(data).read, "x", (told if told is not None else []).append, file))


def refused(data: bytes, file: str = "FILE") -> str:
    with pytest.raises(EngineError) as caught:
        read(data, file=file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("language", "encoding"), ENCODED)
@pytest.mark.parametrize("times", [1, 3000])
def test_older_encodings_are_read_and_told(language: str, encoding: str, times: int) -> None:
    told: list[str] = []
    text = TEXTS[language] * times
    assert read(text.encode(encoding), told) == text
    assert len(told) == 1
    assert told[0].startswith("x was read as ")


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf_16_le", "utf_16_be", "utf_32_le", "utf_32_be"])
def test_wide_encodings_with_and_without_a_mark(language: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "READ", 1000)
    for mark in ("", "" if encoding in ("utf-16", "utf-32") else "\ufeff"):
        told: list[str] = []
        text = TEXTS[language] * 30
        assert read((mark + text).encode(encoding), told) == text
        assert told == [f"x was read as UTF-{encoding[4:6]}"]


def test_utf_8_is_read_without_a_word() -> None:
    told: list[str] = []
    for text in (*TEXTS.values(), "", "plain\n", "x" * 3_000_000):
        assert read(text.encode(), told) == text
        assert read(b"\xef\xbb\xbf" + text.encode(), told) == text
    assert not told


@pytest.mark.parametrize(
    ("encoding", "letter"), [("utf-8", "漢"), ("utf-16", "a"), ("utf-32", "a"), ("gb18030", "语"), ("cp932", "語")]
)
def test_what_breaks_off_within_a_letter_is_read_up_to_it(encoding: str, letter: str) -> None:
    told: list[str] = []
    text = TEXTS["Japanese" if encoding == "cp932" else "Chinese"]
    assert read((text + letter).encode(encoding)[:-1], told) == text
    assert "breaks off within a letter" in told[-1]


def test_broken_utf_8_is_said_to_be_utf_8_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "it's mine.txt"
    good = TEXTS["French"].encode() * 20
    for data in (good + b"\xff" + good, good + "é".encode("latin-1") + b" x\n" + good, good * 900 + b"\x80\n"):
        path.write_bytes(data)
        message = refused(data, str(path))
        place = message.split("UTF-8 up to byte ")[1].split(", and")[0].replace(",", "")
        assert data[: int(place)].decode()
        command = message.split("is broken with '", 1)[1].removesuffix("'")
        subprocess.run(command, shell=True, cwd=tmp_path, check=False)
        assert (
            read((tmp_path / "utf8.txt").read_bytes())
            .replace(" x\n", "")
            .replace("\n", "")
            .startswith(TEXTS["French"].strip())
        )


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\n", "is a PDF: take the text out with 'pdftotext "),
        (b"{\\rtf1\\ansi hello}", "rich text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an office file"),
        (b"PK\x03\x04\x14\0\0\0word/document.xml", ".docx"),
        (b"PK\x03\x04\x0a\0mimetypeapplication/epub+zip", ".epub"), (b"PK\x03\x04\x0a\0a.txtPK", "ends in .zip"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.text", "an office file"),
        (b"\x1f\x8b\x08\0", "packed with gzip: give it a name that ends in .gz"), (b"\xfd7zXZ\0\0", "ends in .xz"),
        (b"7z\xbc\xaf\x27\x1c\0", "an archive"), (b"a" + b"\0" * 256 + b"ustar\0", "tar -xf"),
        (b"\x89PNG\r\n\x1a\n\0", "a picture"), (b"\xff\xd8\xff\xe0\0", "a picture"), (b"RIFF\0\0\0\0WEBP", "a picture"),
        (b"\x7fELF\x02\x01\0", "a program"), (b"MZ\x90\0\x03\0", "a program"), (b"ID3\x03\0", "a recording"),
        (b"SQLite format 3\0\x10", "a database"), (b"\x89HDF\r\n\x1a\n\0", "numbers"),
        (b"\0" * 60 + b"BOOKMOBI", "Kindle"),
        (b"%!PS-Adobe-3.0\n", "ps2ascii"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_named(data: bytes, what: str) -> None:
    assert what in refused(data, "my file")
    assert "iconv" not in refused(data, "my file")
    assert "pdftotext 'my file'" in refused(data, "my file") or "pdftotext" not in what
    assert not looks_like_text(data)


def test_words_that_begin_like_a_file_of_another_kind_are_words() -> None:
    for text in ("MZ is how it begins\n", "BM\n", "ID3 tags\n", "BZh!\n", "PK\n", "PAR1S\n", "{\\r}", "II* \n"):
        assert read(text.encode()) == text


def test_nul_bytes_within_text_can_be_taken_out_as_told(tmp_path: Path) -> None:
    (path := tmp_path / "x.txt").write_bytes(data := b"some words\n" * 10 + b"\0\0\0" + b"and more\n")
    message = refused(data, str(path))
    assert "NUL bytes, the first at 110" in message
    subprocess.run(message.split("with '", 1)[1].split("',")[0], shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "text.txt").read_bytes() == data.replace(b"\0", b"")
    assert "tr -d" not in refused(bytes(range(256)) * 40)


def test_where_the_encoding_is_not_sure_none_is_named() -> None:
    for data in (b"abc \xff\xfe\xfd\xfc\n", "été".encode("cp437") + b" x", "Ёж".encode("koi8_r"), b"a\x81\x8d\x90b\n"):
        assert charset_of(data) is None
        assert "cannot be told" in refused(data + b"\n")
        assert "WINDOWS" not in refused(data + b"\n").upper()


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_refused_in_a_line(data: bytes) -> None:
    try:
        read(data)
    except EngineError as error:
        is_line = "\n" not in str(error)
    else:
        is_line = True
    assert is_line
    looks_like_text(data)
    kind_of(data)


@given(st.sampled_from(ENCODED), st.integers(1, 300))
def test_where_the_parts_are_cut_does_not_matter(chosen: tuple[str, str], size: int) -> None:
    language, encoding = chosen
    data = (b"plain\n" * 20) + TEXTS[language].encode(encoding) * 8
    whole = data.decode(encoding)
    source = io.BytesIO(data)
    sizes = iter([max(size, len(data) - len(TEXTS[language].encode(encoding)))])
    assert "".join(decode(lambda _: source.read(next(sizes, size)), "x", lambda line: None)) == whole
