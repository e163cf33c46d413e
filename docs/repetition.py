"""Measures how much a model repeats itself, and what DRY and XTC change of it.

python docs/repetition.py [MODEL...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import engine

CHARACTERS, SEEDS, SIZE = 5_000, 4, 8
SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "`dry_multiplier` 0.8": {"dry_multiplier": 0.8},
    "`xtc_probability` 0.5": {"xtc_probability": 0.5},
    "both": {"dry_multiplier": 0.8, "xtc_probability": 0.5},
}


def repeated(items: Sequence[str]) -> int:
    """How many of a text's runs of eight stood in it before."""
    seen, count = set[tuple[str, ...]](), 0
    for begin in range(len(items) - SIZE + 1):
        run = tuple(items[begin : begin + SIZE])
        count += run in seen
        seen.add(run)
    return count


def main(names: Sequence[str]) -> None:
    """Write a table for each model: the mean over some seeds."""
    for name in names:
        with engine.load(name) as model:
            sys.stdout.write(f"{name}, temperature 0.5, {CHARACTERS:,} characters\n")
            for title, given in SETTINGS.items():
                texts = []
                for seed in range(SEEDS):
                    sampling = engine.Sampling(temperature=0.5, seed=seed, length=CHARACTERS, **given)
                    texts.append(model.conversation(sampling=sampling).say("\n").text[:CHARACTERS])
                words = sum(repeated(text.split()) for text in texts) / SEEDS
                characters = sum(repeated(text) for text in texts) / SEEDS
                sys.stdout.write(f"| {title} | {words:.1f} | {characters:.0f} |\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["storyteller", "shakespeare"])
