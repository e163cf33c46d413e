"""Tells what a model never saw in a text that it was given."""

from __future__ import annotations

from collections.abc import Sequence

MAX_TOLD = 12  # characters or words that are named


def tell_unseen(unseen: dict[str, str], level: str) -> str:
    """One line on characters that a model never saw, or on words where the level is "word"."""
    replaced = [f"{old!r} as {new!r}" for old, new in unseen.items() if new]
    dropped = [repr(old) for old, new in unseen.items() if not new]
    parts = [f"read {_some(replaced)}"] * bool(replaced) + [f"left out {_some(dropped)}"] * bool(dropped)
    what = "words" if level == "word" else "characters"
    return f"this model never saw some of these {what}; it {' and '.join(parts)}"


def _some(shown: Sequence[str]) -> str:
    more = len(shown) - MAX_TOLD
    return ", ".join(shown[:MAX_TOLD]) + (f" and {more:,} more" if more > 0 else "")
