"""What pictures are drawn with: colors, fonts, and a check of what these fonts can draw."""

from __future__ import annotations

import functools
import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

BACKGROUND, TEXT, DIM, ACCENT = "#1e1f22", "#f2f3f5", "#9a9ca3", "#ff9f43"  # as Discord's dark theme
FONT_SIZE = 15
FONT_NAME = "DejaVuSans.ttf"  # has Latin, Greek, Cyrillic and more; Pillow's own font hardly more than English
MIN_DRAWABLE = 0.95  # of a text's characters: with fewer, a picture tells less than the text


class NoPicture(Exception):
    """A picture cannot be drawn here; the text form can."""


@functools.cache
def font() -> Any:
    """The font: matplotlib's, the system's, or that within Pillow. Raises `NoPicture` without Pillow."""
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise NoPicture("Pillow is not installed") from error
    found = importlib.util.find_spec("matplotlib")
    homes = [Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / FONT_NAME] if found and found.origin else []
    for name in (*homes, FONT_NAME):
        try:
            return ImageFont.truetype(str(name), FONT_SIZE)
        except OSError:
            continue
    return ImageFont.load_default(FONT_SIZE)


def check_drawable(text: str) -> None:
    """Raise `NoPicture` for a text with too many characters that the font lacks."""
    lacking = sum(text.count(character) for character in set(text) if not _can_draw(character))
    if lacking > (1 - MIN_DRAWABLE) * len(text):
        raise NoPicture("the font lacks characters of that story")


def shortened(text: str, pixels: float) -> str:
    """The beginning of a text that is so many pixels wide, with an ellipsis if that is not all."""
    if font().getlength(text) <= pixels:
        return text
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font().getlength(text[:middle] + "...") <= pixels else (low, middle - 1)
    return text[:low].rstrip() + "..."


def as_png(image: Image.Image) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


@functools.cache
def _can_draw(character: str) -> bool:
    return character.isspace() or bytes(font().getmask(character)) != bytes(font().getmask("\uffff"))
