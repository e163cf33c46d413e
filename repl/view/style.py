"""How things look: one accent color, dim for what is not story, heat for surprisal. Readable on light and dark."""

from __future__ import annotations

Fragments = tuple[tuple[str, str], ...]
"""Pieces of text, each with a style: a name of `STYLES`, or colors as prompt_toolkit writes them."""

STYLES = {
    "accent": "ansimagenta",  # the prompt, and what the writer typed
    "note": "dim",  # messages
    "toolbar": "dim",
    "ghost": "ansidefault dim",  # the suggested continuation
    "heat0": "dim",
    "heat1": "",
    "heat2": "underline bg:#fff0b0 fg:#202020",
    "heat3": "bold bg:#ffb066 fg:#202020",
    "heat4": "bold reverse bg:#ffffff fg:#c03030",
}

OWN = "terminal"  # the theme that leaves the terminal's own colors
THEMES: dict[str, dict[str, str]] = {
    OWN: {},
    "dark-blue": {
        "accent": "#8ab4f8", "note": "#9aa3b5", "toolbar": "#9aa3b5", "ghost": "#7a8396",
        "heat0": "#9aa3b5", "heat1": "#e3e6ee", "heat2": "bg:#3d3718 fg:#f6e6a6", "heat3": "bold bg:#5c3a12 fg:#ffd29b",
        "heat4": "bold bg:#7d1d24 fg:#ffe1de",
    },
    "dark-green": {
        "accent": "#8fd6a0", "note": "#9db0a4", "toolbar": "#9db0a4", "ghost": "#7d8f84",
        "heat0": "#9db0a4", "heat1": "#e4ece6", "heat2": "bg:#173f3c fg:#b4efe6", "heat3": "bold bg:#4a4312 fg:#f6e38f",
        "heat4": "bold bg:#7a3310 fg:#ffdcc2",
    },
    "light-red": {
        "accent": "#a3262e", "note": "#66605a", "toolbar": "#66605a", "ghost": "#85807a",
        "heat0": "#66605a", "heat1": "#1f1c19", "heat2": "bg:#fff0b0 fg:#3a3000", "heat3": "bold bg:#ffc58a fg:#3d2000",
        "heat4": "bold bg:#a3262e fg:#ffffff",
    },
    "light-blue": {
        "accent": "#0b5394", "note": "#5b6470", "toolbar": "#5b6470", "ghost": "#7c8590",
        "heat0": "#5b6470", "heat1": "#14181d", "heat2": "bg:#d7ecff fg:#0f2c4a", "heat3": "bold bg:#9cc9f5 fg:#08223d",
        "heat4": "bold bg:#5b2a86 fg:#ffffff",
    },
}  # fmt: skip
"""The styles of each theme that differ from `STYLES`; two are for dark screens and two for light ones."""

PARTS = {  # of prompt_toolkit, which have colors of their own otherwise
    "completion-menu": "bg:default fg:default",
    "completion-menu.completion.current": "reverse",
    "completion-menu.meta.completion": "dim",
    "completion-menu.meta.completion.current": "reverse dim",
}
