"""Guesses which of the older encodings a text is in; None if that is not certain. Knows no file.

For Latin letters, the right encoding is the one in which all letters beyond ASCII are those of one language. For others
`charset_normalizer` guesses by what is frequent in each language, and the guess is checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ALPHABETS = (  # the frequent letters beyond ASCII of languages, by encodings; those that are seldom met today, last
    (
        (("cp1252", "cp850", "mac_roman", "cp437"), (
            "àâçéèêëîïôùûüÿñö", "äöüßéà", "áéíóúüñçàèòï", "áâãàçéêíóôõúüèò", "àèéìíîòóù", "åäöéüà", "æøåéóòôüäö",
            "áðéíóúýþæö", "áéëíïóöúüèê", "éèêëïöñçàâô",
        )),
        (("cp1250", "iso8859_2", "cp852"), (
            "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíľňóôšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ",
        )),
        (("cp1254",), ("çğıöşüâîûi\u0307",)),
        (("cp1257",), ("āčēģīķļņšūž", "ąčęėįšųūž", "äöõüšž")),
    )
)  # fmt: skip
OLD = {"cp850", "mac_roman", "cp437", "cp852"}
NAMES = {
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp1257": "Windows-1257",
    "iso8859_2": "ISO-8859-2", "iso8859_5": "ISO-8859-5", "iso8859_7": "ISO-8859-7", "mac_roman": "Mac Roman",
    "cp437": "CP437", "cp850": "CP850", "cp852": "CP852", "cp866": "CP866", "koi8_r": "KOI8-R", "koi8_u": "KOI8-U",
    "cp932": "Shift-JIS", "euc_jp": "EUC-JP", "iso2022_jp": "ISO-2022-JP", "gb18030": "GB18030", "big5": "Big5",
    "big5hkscs": "Big5", "cp950": "Big5", "cp949": "EUC-KR",
    "utf_16_le": "UTF-16", "utf_16_be": "UTF-16", "utf_32_le": "UTF-32", "utf_32_be": "UTF-32",
}  # fmt: skip
_ICONV = {
    "mac_roman": "MACINTOSH", "cp932": "CP932", "cp949": "CP949", "cp950": "CP950", "utf_16_le": "UTF-16LE",
    "utf_16_be": "UTF-16BE", "utf_32_le": "UTF-32LE", "utf_32_be": "UTF-32BE",
}  # fmt: skip
_AS = {  # what is detected, and the encoding with more letters, or the better known one, that it is read as
    "shift_jis": "cp932", "shift_jis_2004": "cp932", "shift_jisx0213": "cp932", "euc_jis_2004": "euc_jp",
    "euc_jisx0213": "euc_jp", "gb2312": "gb18030", "gbk": "gb18030", "hz": "gb18030", "euc_kr": "cp949",
    "johab": "cp949", "cp1125": "cp866", "big5": "cp950", "kz1048": "cp1251", "iso8859_7": "cp1253", "koi8_t": "koi8_r",
}  # fmt: skip
_KANA, _HANGUL, _HAN = r"[\u3041-\u30ff]", r"[\uac00-\ud7a3]", r"[\u4e00-\u9fff]"
_WIDE = {  # encodings of several bytes a letter, and the least share of letters that such a text has
    "cp932": (_KANA, 0.1), "euc_jp": (_KANA, 0.1), "cp949": (_HANGUL, 0.5),
    "gb18030": (_HAN, 0.5), "cp950": (_HAN, 0.5), "big5hkscs": (_HAN, 0.5),
}  # fmt: skip
FEW, FEW_LATIN = 24, 8  # letters that are too few to tell a language by
SAMPLE = 1 << 15  # bytes that are looked at
SURE = 0.97  # share of the letters that must be right
RARE = 0.05  # share of letters beyond ASCII that is less than in the languages of Central Europe
COHERENCE = 0.3  # how much a text must be like one of a language
MOSTLY_LATIN = 0.3  # share of bytes beyond ASCII, up to which a text is in Latin letters
_NOT_AFTER_LETTERS = "‚„¡¿¶±"
_OPENING = "¡¿"  # are before a word, and after no number: there, one is another encoding's "°"
_PUNCTUATION = frozenset("“”‘’‚„«»‹›–—…•·†‡§¶°£€¥¢©®™½¼¾¡¿\u00a0\u00ad´¨ºª×²³±")
_HIGH = re.compile(rb"[\x80-\xff]")


def charset_of(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8, as Python calls it, or None."""
    sample = _lines_with_others(data)
    letters = len(re.findall(rb"[A-Za-z]", sample))
    others = len(_HIGH.findall(sample))
    if not others or len(re.findall(rb"[\x00-\x08\x0e-\x1f]", sample)) > others:
        return None
    if others < MOSTLY_LATIN * (letters + others):
        return _latin(sample)
    return _by_language(sample)


def name_of(encoding: str) -> str:
    """What people call an encoding."""
    return NAMES.get(encoding, encoding.upper().replace("_", "-"))


def iconv_name(encoding: str) -> str:
    """What `iconv` calls an encoding."""
    return _ICONV.get(encoding, name_of(encoding))


def _lines_with_others(data: bytes) -> bytes:
    """The lines that are not ASCII, up to the size of a sample."""
    lines, size = [], 0
    for line in data.split(b"\n"):
        if line.isascii():
            continue
        lines.append(line[:SAMPLE])
        size += len(lines[-1])
        if size >= SAMPLE:
            break
    return b"\n".join(lines)


def _latin(sample: bytes) -> str | None:
    """An encoding in which the text is of one language, if all such encodings agree on the text."""
    recent: dict[str, str] = {}  # encodings by what the text is in them
    old: dict[str, str] = {}
    for encodings, alphabets in ALPHABETS:
        for encoding in encodings:
            text = _decoded(sample, encoding)
            if text is not None and any(_fit(text, alphabet) >= SURE for alphabet in alphabets):
                (old if encoding in OLD else recent).setdefault(text, encoding)
    candidates = recent or old
    others = [letter for text in candidates for _, letter, _ in _others(text) if letter not in _PUNCTUATION]
    if "cp1252" in candidates.values() and len(others) < RARE * len(candidates) * len(sample):
        return "cp1252"  # elsewhere such letters are more frequent
    if len(candidates) != 1:
        return None
    encoding = next(iter(candidates.values()))
    return encoding if encoding == "cp1252" or len(others) >= FEW_LATIN else None


def _decoded(sample: bytes, encoding: str) -> str | None:
    """A sample in an encoding, or None. Its last letter may be cut."""
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError as error:
        is_cut = encoding in _WIDE and error.start > len(sample) - 4
        return sample[: error.start].decode(encoding) if is_cut else None


def _fit(text: str, alphabet: str) -> float:
    """The share of the characters beyond ASCII that make sense there in a language with these letters."""
    if ("‚" in text or "„" in text) and not any(closing in text for closing in "‘’“”"):
        return 0.0
    fits = [_can_stand(*around, alphabet) for around in _others(text)]
    return sum(fits) / len(fits)


def _others(text: str) -> Iterator[tuple[str, str, str]]:
    """Each character beyond ASCII between its neighbors."""
    padded = f" {text} "
    for match in re.finditer(r"[^\x00-\x7f]", padded):
        yield padded[match.start() - 1], match[0], padded[match.end()]


def _can_stand(before: str, letter: str, after: str, alphabet: str) -> bool:
    if letter in _PUNCTUATION:
        if letter in _NOT_AFTER_LETTERS and before.isalpha():
            return False
        if letter in _OPENING and (before.isdigit() or after.isspace()):
            return False
        return letter in "’‘´·\u00ad" or not (before.isalpha() and after.isalpha()) or letter in "—–…"
    is_odd = (before.islower() and letter.isupper()) or (letter.islower() and after.isupper())
    return letter.lower() in alphabet and not is_odd and not before.isdigit() and not after.isdigit()


def _by_language(sample: bytes) -> str | None:
    for encoding in ("euc_jp", "cp932"):  # which others are taken for; no others have kana
        text = _decoded(sample, encoding)
        if text is not None and _is_right(text, encoding):
            return encoding
    from charset_normalizer import from_bytes  # takes a while, and is seldom needed

    for cut in range(4):  # the last letter may not be whole
        best = from_bytes(sample[: len(sample) - cut]).best()
        names = (_AS.get(best.encoding, best.encoding), best.encoding) if best else ()
        for encoding in names:
            text = _decoded(sample, encoding)
            is_like = encoding in _WIDE or (best is not None and best.coherence >= COHERENCE)
            if text is not None and encoding in NAMES and is_like and _is_right(text, encoding):
                return encoding
    return None


def _is_right(text: str, encoding: str) -> bool:
    """Whether a text has the letters of its encoding's languages, and nothing that no text has."""
    others = list(_others(text))
    if len(others) < FEW:
        return False
    if encoding in _WIDE:
        letters, share = _WIDE[encoding]
        if len(re.findall(letters, text)) < share * len(others):
            return False
    good = sum(
        unicodedata.category(letter)[0] in "LMPNSZ" and not (before.islower() and letter.isupper())
        for before, letter, _ in others
    )
    return good >= SURE * len(others)
