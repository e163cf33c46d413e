"""Finds what a person meant to type."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

MIN_SIMILARITY = 0.4  # from 0 to 1, as `difflib` counts it


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", shown: Callable[[str], str] = repr) -> str:
    """Return "did you mean 'X'?" with the known word that is most like `word`, or `otherwise` if none is."""
    closest = difflib.get_close_matches(word, [*known], 1, MIN_SIMILARITY)
    return f"did you mean {shown(closest[0])}?" if closest else otherwise
