"""A text colored by surprisal, as a picture."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures.canvas import NoPicture
from bot.pictures.heat import LEVELS, MAX_ROWS, ROW, draw_heat

tokens = st.lists(st.tuples(st.sampled_from(["a", " word", "\n", "\n\n", "long " * 40, " "]), st.floats(0, 30)))


def colors_of(picture: bytes) -> set[tuple[int, ...]]:
    """The colors of the text, without the legend."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    text = image.crop((0, 0, image.width, image.height - 3 * ROW))
    return {color for _, color in text.getcolors(1 << 20) or [] if isinstance(color, tuple)}


def test_each_level_has_its_color() -> None:
    bits = [0.5, 1.5, 3.0, 5.0, 9.0]
    seen = [colors_of(draw_heat([" word"], [one], "figures")) for one in bits]
    for (_, color), colors in zip(LEVELS, seen, strict=True):
        others = {tuple(bytes.fromhex(other[1:])) for _, other in LEVELS if other not in (None, color)}
        assert not others & colors
        assert color is None or tuple(bytes.fromhex(color[1:])) in colors


@settings(deadline=None, max_examples=30)
@given(tokens)
def test_any_text_is_a_picture_of_some_size(pieces: list[tuple[str, float]]) -> None:
    picture = draw_heat([token for token, _ in pieces], [bits for _, bits in pieces], "figures")
    assert Image.open(io.BytesIO(picture)).height <= ROW * (MAX_ROWS + 4)


def test_what_the_font_lacks_is_no_picture() -> None:
    with pytest.raises(NoPicture):
        draw_heat(["\u0f00"] * 9, [1.0] * 9, "figures")
