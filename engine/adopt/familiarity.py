"""Tells whether a model was trained on a text: it then predicts it better than counts of the same text do.

The counts learn while they read, so a trained model is better from the beginning. Knows no file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.serving.engine import Engine

ENOUGH = 100  # tokens, for a count to mean anything
MARGIN = 0.98  # of the bits that a model has to beat, so that it does not by accident


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Bits per token of a text: by the model, by counts of token pairs, by counts of single tokens."""

    tokens: int
    characters: int
    unseen: int
    """How many of the characters are not among the model's tokens."""
    bits: float
    pairs: float
    single: float

    @property
    def is_known(self) -> bool:
        """Whether the model predicts the text better than its pairs do."""
        return self.tokens >= ENOUGH and self.bits < MARGIN * self.pairs

    def line(self, tokens: Path | None) -> str:
        """The result in one line. `tokens` is the file that gave the tokens, if one did."""
        if self.is_known:
            text = (
                f"the model knows this text: {self.bits:.2f} bits a character over its beginning, where a count of its "
                f"pairs takes {self.pairs:.2f}"
            )
        else:
            text = f"engine.adopt: {self._doubt(tokens)}"
        if self.unseen:
            text += f" ({self.unseen:,} of these {self.characters:,} characters are not among its tokens)"
        return text

    def _doubt(self, tokens: Path | None) -> str:
        if not self.tokens:
            return "the model knows nothing of this text: is it the one it was trained on?"
        if self.tokens < ENOUGH:
            return f"this text is too short to tell whether the model knows it: {ENOUGH} characters tell more"
        if self.bits < self.single:
            return (
                f"the model knows something of this text ({self.bits:.2f} bits a character), but less than a count of "
                f"its pairs does ({self.pairs:.2f}): it was trained little, or on another text, or some of its tokens "
                "have another order"
            )
        order = "in another order: give --tokens" if tokens is None else f"in another order than in {tokens}"
        return (
            f"this text surprises the model like noise ({self.bits:.2f} bits a character; a count of single characters "
            f"takes {self.single:.2f}): if it was trained on it, then its tokens are {order}"
        )


def measure(model: Engine, text: str) -> Familiarity:
    """Score a text by a model and by counts."""
    encoding = model.vocabulary.encode(text)
    ids = encoding.ids.tolist()
    if not ids:
        return Familiarity(0, len(encoding.text), encoding.unseen, math.inf, math.inf, math.inf)
    bits = model.score_tokens(encoding.ids, encoding.characters).bits / len(ids)
    pairs, single = count_bits(ids, len(model.vocabulary))
    return Familiarity(len(ids), len(encoding.text), encoding.unseen, bits, pairs, single)


def count_bits(ids: Sequence[int], size: int) -> tuple[float, float]:
    """Bits per token by counts of pairs and of single tokens, each counted before that token; at most those of chance.

    Witten and Bell's interpolation (1991): pairs over single tokens over `size` equals.
    """
    ones: Counter[int] = Counter()
    twos: Counter[tuple[int, int]] = Counter()
    follow: Counter[int] = Counter()  # tokens after a token
    kinds: Counter[int] = Counter()  # different ones among them
    by_pairs = by_ones = 0.0
    before = -1
    for number, token in enumerate(ids):
        share = (ones[token] + len(ones) / size) / (number + len(ones)) if number else 1 / size
        pair = before, token
        both = (twos[pair] + kinds[before] * share) / (follow[before] + kinds[before]) if follow[before] else share
        by_ones, by_pairs = by_ones - math.log2(share), by_pairs - math.log2(both)
        ones[token] += 1
        kinds[before] += pair not in twos
        twos[pair] += 1
        follow[before] += 1
        before = token
    most = MARGIN * math.log2(size)
    return min(most, by_pairs / len(ids)), min(most, by_ones / len(ids))
