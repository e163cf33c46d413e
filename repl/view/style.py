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
