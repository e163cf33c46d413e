"""How things look: one accent colour, dim for what is not story, heat for surprisal; the same on light and dark."""

from __future__ import annotations

LOOKS = {
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
