"""Tells people which characters or words of a text a model never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MAX_NAMED = 12


def tell_unseen(unseen: Mapping[str, str], level: str) -> str:
    """One line on what was unseen and what the model of this level read in its place ("" where it was left out)."""
    replaced = [f"{old!r} as {new!r}" for old, new in unseen.items() if new]
    dropped = [repr(old) for old, new in unseen.items() if not new]
    parts = [f"read {some_of(replaced)}"] * bool(replaced) + [f"left out {some_of(dropped)}"] * bool(dropped)
    return f"this model never saw some of these {units_of(level)}; it {' and '.join(parts)}"


def some_of(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def units_of(level: str) -> str:
    """What a model of a level can have never seen."""
    return "words" if level == "word" else "characters"
