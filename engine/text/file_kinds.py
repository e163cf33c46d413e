"""Tells by the first bytes what a file is that is no plain text, and what its owner can do. Reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass

SAVE_AS_TEXT = "save it as plain text (.txt) in a program that opens it"
LEAVE_OUT = "leave it out"
UNPACK = "unpack it, and give the files in it"


@dataclass(frozen=True, slots=True)
class Kind:
    """What one such file and many are called, and the remedy, in which {file} stands for the file's name."""

    one: str
    many: str
    remedy: str


PDF = Kind("a PDF", "PDF files", "take the text out with 'pdftotext {file} text.txt', and give that")
RICH_TEXT = Kind("rich text (RTF)", "files of rich text", SAVE_AS_TEXT)
OFFICE = Kind("an office file", "office files", SAVE_AS_TEXT)
WORD = Kind("a Word document", "Word documents", "give it a name that ends in .docx")
EPUB = Kind("an e-book", "e-books", "give it a name that ends in .epub")
KINDLE = Kind("a Kindle e-book", "e-books", "make an .epub of it, as Calibre does, and give that")
POSTSCRIPT = Kind(
    "PostScript", "PostScript files", "take the text out with 'ps2ascii {file} > text.txt', and give that"
)
ZIP = Kind("a zip archive", "archives", "give it a name that ends in .zip")
TAR = Kind("a tar archive", "archives", "unpack it with 'tar -xf {file}', and give the files in it")
ARCHIVE = Kind("an archive", "archives", UNPACK)
PICTURE = Kind("a picture", "pictures", LEAVE_OUT)
SOUND = Kind("a recording", "recordings", LEAVE_OUT)
PROGRAM = Kind("a program", "programs", LEAVE_OUT)
DATA = Kind("a file of numbers", "files of numbers", LEAVE_OUT)
DATABASE = Kind("a database", "databases", "export its text, and give that")


def _packed(by: str, suffix: str) -> Kind:
    return Kind(f"packed with {by}", "packed files", f"give it a name that ends in {suffix}")


_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", PDF), (b"{\\rtf", RICH_TEXT), (b"%!PS", POSTSCRIPT), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
    (b"\x1f\x8b", _packed("gzip", ".gz")), (b"BZh", _packed("bzip2", ".bz2")), (b"\xfd7zXZ\0", _packed("xz", ".xz")),
    (b"\x28\xb5\x2f\xfd", ARCHIVE), (b"7z\xbc\xaf\x27\x1c", ARCHIVE), (b"Rar!\x1a\x07", ARCHIVE),
    (b"PK\x05\x06", ZIP), (b"\x89PNG\r\n", PICTURE), (b"\xff\xd8\xff", PICTURE), (b"GIF87a", PICTURE),
    (b"GIF89a", PICTURE), (b"II*\0", PICTURE), (b"MM\0*", PICTURE), (b"AT&TFORM", PICTURE), (b"ID3", SOUND),
    (b"OggS", SOUND), (b"fLaC", SOUND), (b"\xff\xfb", SOUND), (b"\x1aE\xdf\xa3", SOUND), (b"\x7fELF", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM), (b"\xcf\xfa\xed\xfe", PROGRAM), (b"MZ", PROGRAM), (b"BM", PICTURE),
    (b"SQLite format 3\0", DATABASE), (b"\x89HDF\r\n", DATA), (b"\x93NUMPY", DATA), (b"PAR1", DATA),
)  # fmt: skip
_WITH_NUL = {b"MZ", b"BM", b"ID3", b"OggS", b"PAR1", b"BZh"}  # words may begin so, too: only before a NUL byte
_INSIDE: tuple[tuple[int, bytes, Kind], ...] = (
    (257, b"ustar", TAR), (60, b"BOOKMOBI", KINDLE), (4, b"ftyp", SOUND), (8, b"WEBP", PICTURE), (8, b"WAVE", SOUND),
    (8, b"AVI ", SOUND),
)  # fmt: skip
_ZIPPED: tuple[tuple[bytes, Kind], ...] = (
    (b"application/epub+zip", EPUB), (b"word/", WORD), (b"xl/", OFFICE), (b"ppt/", OFFICE),
    (b"application/vnd.oasis.opendocument", OFFICE),
)  # fmt: skip
_SUFFIXES = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tiff", ".svg", ".heic"), PICTURE),
    **dict.fromkeys((".mp3", ".mp4", ".ogg", ".wav", ".flac", ".m4a", ".mov", ".avi", ".mkv", ".webm"), SOUND),
    **dict.fromkeys((".pdf",), PDF),
    **dict.fromkeys((".doc", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".odp", ".pages"), OFFICE),
    **dict.fromkeys((".mobi", ".azw", ".azw3"), KINDLE),
    **dict.fromkeys((".exe", ".dll", ".so", ".bin"), PROGRAM),
    **dict.fromkeys((".tar", ".tgz", ".7z", ".rar", ".zst"), ARCHIVE),
    ".rtf": RICH_TEXT,
}  # fmt: skip


def kind_of(head: bytes) -> Kind | None:
    """What a file with these first bytes is; None for text, and for what is not known."""
    if head.startswith(b"PK\x03\x04"):
        return next((kind for name, kind in _ZIPPED if name in head[:4096]), ZIP)
    has_nul = b"\0" in head[:1024]
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning) and (has_nul or beginning not in _WITH_NUL):
            return kind
    return next((kind for offset, magic, kind in _INSIDE if has_nul and head.startswith(magic, offset)), None)


def called_by(suffix: str) -> str:
    """What many files with this suffix are called: "pictures", ".log files"."""
    kind = _SUFFIXES.get(suffix.lower())
    return kind.many if kind else f"{suffix} files"
