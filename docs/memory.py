"""Draws docs/memory.png: what a story's memory gains along a text. Run: python docs/memory.py FILE [MODEL]..."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

import engine

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINDOW = 4000  # tokens of a point


def main(text: str, models: list[str]) -> None:
    """Score the text with each model, and draw bits a character along it, with the memory and without."""
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    for number, name in enumerate(models):
        with engine.load(name) as model:
            score = model.score(text, memory="all")
        assert score.alone is not None
        per_character = len(score.tokens) / score.characters
        for one, style, what in ((score.alone, "--", "alone"), (score, "-", "with the memory")):
            bits = np.convolve(one.surprisal_bits[1:], np.full(WINDOW, per_character / WINDOW), "valid")
            places = (np.arange(len(bits)) + WINDOW / 2) / per_character / 1000
            axes.plot(places, bits, style, color=f"C{number}", label=f"{name}, {what}")
    axes.set_xlabel("thousand characters of the text")
    axes.set_ylabel("bits a character")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main(engine.read_files(sys.argv[1])[0], sys.argv[2:] or ["shakespeare", "storyteller"])
