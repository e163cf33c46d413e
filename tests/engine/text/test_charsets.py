"""Which older encoding a text is in, where that is certain."""

from __future__ import annotations

import pytest

from engine.text.charsets import charset_of, iconv_name, name_of
from tests.engine.text.test_decoding import ENCODED, TEXTS


@pytest.mark.parametrize(("language", "encoding"), [pair for pair in ENCODED if pair[1] != "iso2022_jp"])
def test_the_encoding_reads_the_text_as_it_was(language: str, encoding: str) -> None:
    data = TEXTS[language].encode(encoding)
    charset = charset_of(data)
    assert charset is not None
    assert data.decode(charset) == TEXTS[language]


@pytest.mark.parametrize("data", [b"", b"plain words\n", bytes(range(256)), b"\xff\xfe\xfd", "é".encode("cp437")])
def test_nothing_is_guessed_of_too_little(data: bytes) -> None:
    assert charset_of(data) is None


def test_lines_in_ascii_do_not_count() -> None:
    data = b"plain\n" * 10_000 + TEXTS["Russian"].encode("koi8_r")
    assert charset_of(data) == "koi8_r"


def test_encodings_have_names_for_people_and_for_iconv() -> None:
    assert (name_of("cp1252"), iconv_name("cp1252")) == ("Windows-1252", "Windows-1252")
    assert (name_of("mac_roman"), iconv_name("mac_roman")) == ("Mac Roman", "MACINTOSH")
    assert (name_of("utf_8"), iconv_name("utf_8")) == ("UTF-8", "UTF-8")


def test_a_degree_sign_of_the_mac_is_not_taken_for_an_exclamation_mark() -> None:
    for text in ("It is 20° outside. ", "Turn it by 90°\n", "From 5° to 10°, no more. "):
        assert charset_of((text * 8).encode("mac_roman")) is None
        assert charset_of((text * 8).encode("cp1252")) == "cp1252"
    assert charset_of("«¡Ay!», dijo el capitán. ¿Qué pasa en la casa? En 1990 ¡nada!\n".encode("cp1252")) == "cp1252"
