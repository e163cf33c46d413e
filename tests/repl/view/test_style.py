"""Themes: whoever reads them sees the letters."""

from __future__ import annotations

import re

import pytest
from prompt_toolkit.styles import Style

from repl.view.style import OWN, PARTS, STYLES, THEMES

SCREENS = {"dark": "1e1e1e", "light": "ffffff"}
LEAST = {"ghost": 3.0}  # of the contrast; what is dim need not be read at a glance


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_the_terminals_own_colors_are_the_default_and_two_themes_are_for_each_kind_of_screen() -> None:
    assert THEMES[OWN] == {}
    kinds = [name.partition("-")[0] for name in THEMES if name != OWN]
    assert sorted(kinds) == ["dark", "dark", "light", "light"]
    Style([*PARTS.items(), *STYLES.items()])


@pytest.mark.parametrize("theme", [name for name in THEMES if name != OWN])
def test_every_style_of_a_theme_can_be_read(theme: str) -> None:
    styles = THEMES[theme]
    assert set(styles) == set(STYLES)
    Style([*styles.items()])
    for name, style in styles.items():
        front, back = re.search(r"(?:^|fg:)#(\w{6})", style), re.search(r"bg:#(\w{6})", style)
        assert front is not None
        ground = back[1] if back else SCREENS[theme.partition("-")[0]]
        assert contrast(front[1], ground) >= LEAST.get(name, 4.5), name
