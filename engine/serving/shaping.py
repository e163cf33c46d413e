"""What changes a reply's logits before a token is drawn: texts that are wanted more or less, and repetitions.

DRY, "don't repeat yourself" (P. E. Weidmann 2024, text-generation-webui #5677): a token that would lengthen a
repetition loses `multiplier * base ** (length - allowed_length)` from its logit, where the repetition is at least that
long. One ends at the tokens with a line end, a colon, a double quote or an asterisk.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.sampling import Logits, Sampling
from engine.settings import DRY_CONTEXT, parse_bias
from engine.text.vocabulary import Vocabulary

BREAKERS = frozenset('\n:"*')
ALLOWED_LENGTH = {"char": 12, "word": 2, "bpe": 2}  # tokens
MAX_LENGTH = 50  # of a repetition; beyond this a longer one costs no more
MAX_PENALTY = 1e6


class Shaping:
    """The bias and the DRY penalty of a reply's settings."""

    def __init__(self, vocabulary: Vocabulary, sampling: Sampling) -> None:
        self._sampling, self._vocabulary = sampling, vocabulary
        self._biases = [Bias(vocabulary, *parse_bias(text)) for text in sampling.bias]
        self._longest = max((bias.size for bias in self._biases), default=0)  # bytes
        self._breakers = breakers(vocabulary) if sampling.dry_multiplier else None
        self._allowed = sampling.dry_allowed_length or ALLOWED_LENGTH[vocabulary.level]
        self._tokens: NDArray[np.int32] = np.zeros(0, np.int32)
        self._count = 0  # of the reply's tokens, those that stand in this array

    def __call__(self, logits: Logits, recent: Sequence[int], tokens: Sequence[int]) -> Logits:
        """The logits `[V]` after the reply's `tokens`, which follow the `recent` ones. To be asked at each token."""
        logits = logits.copy()
        if self._biases:
            latest = [*recent[-self._longest :], *tokens[-self._longest :]][-self._longest :]
            text = utf8(self._vocabulary, latest)
            for bias in self._biases:
                logits[bias.tokens(text, latest[-1] if latest else None)] += np.float32(bias.amount)
        if self._breakers is not None:
            for token, length in repetitions(self._known(recent, tokens), self._breakers).items():
                if length >= self._allowed:
                    penalty = self._sampling.dry_multiplier * self._sampling.dry_base ** (length - self._allowed)
                    logits[token] -= np.float32(min(penalty, MAX_PENALTY))
        return logits

    def _known(self, recent: Sequence[int], tokens: Sequence[int]) -> NDArray[np.int32]:
        """The last tokens as an array."""
        before, count = len(recent), len(tokens)
        if before + count > len(self._tokens):
            larger = np.zeros(2 * (before + count) + DRY_CONTEXT, np.int32)
            larger[:before] = recent
            larger[before : before + self._count] = self._tokens[before : before + self._count]
            self._tokens = larger
        begin = min(self._count, count)  # fewer, where the reply went back
        self._tokens[before + begin : before + count] = tokens[begin:count]
        self._count = count
        return self._tokens[max(0, before + count - DRY_CONTEXT) : before + count]


class Bias:
    """Adds to the logits of the tokens that make a text whole.

    Where none does, a positive amount goes to those that write most of it. What stands before a place may have begun
    the text: then it is the rest that counts. Characters gain only where it has begun, and a negative amount is for
    what makes it whole alone; else the beginnings of all other texts would move, too.
    """

    def __init__(self, vocabulary: Vocabulary, text: str, amount: float) -> None:
        self._vocabulary, self._text, self.amount = vocabulary, text.encode(), amount
        self._found: dict[tuple[int, int], list[int]] = {}

    @property
    def size(self) -> int:
        """The bytes of the text."""
        return len(self._text)

    def tokens(self, written: bytes, before: int | None) -> list[int]:
        """The tokens to change after what is `written`, of which `before` is the last token."""
        text = self._text
        begun = next((n for n in range(len(text) - 1, 0, -1) if written.endswith(text[:n])), 0)
        table = self._vocabulary.written(before)  # one of two, which stay the same objects
        key = begun, id(table)
        if key not in self._found:
            rest, is_free = text[begun:], not begun and not text.startswith(b" ")
            pieces = [piece if isinstance(piece, bytes) else piece.encode() for piece in table]
            if is_free:  # a word comes with the space before it
                pieces = [piece.lstrip(b" ") for piece in pieces]
            found = [index for index, piece in enumerate(pieces) if piece.startswith(rest)]
            if not found and self.amount > 0 and (begun or self._vocabulary.level != "char"):
                sizes = [len(piece) if rest.startswith(piece) else 0 for piece in pieces]
                found = [index for index, size in enumerate(sizes) if size and size == max(sizes)]
            self._found[key] = found
        return self._found[key]


def utf8(vocabulary: Vocabulary, tokens: Sequence[int]) -> bytes:
    """The text of some tokens in UTF-8, whose ends need not be whole characters."""
    if vocabulary.may_split:
        return b"".join(piece for piece in map(vocabulary.written().__getitem__, tokens) if isinstance(piece, bytes))
    return vocabulary.decode(tokens).encode()


def repetitions(tokens: NDArray[np.int32], is_breaker: NDArray[np.bool_]) -> dict[int, int]:
    """The tokens that would lengthen a repetition of the end of `tokens [N]`, with the length of the longest so far."""
    size = len(tokens)
    if size < 2 or is_breaker[tokens[-1]]:
        return {}
    ends = np.flatnonzero(tokens[:-1] == tokens[-1])  # where the last token stood before
    ends = ends[~is_breaker[tokens[ends + 1]]]
    found: dict[int, int] = {}
    length = 1
    while len(ends):
        found.update(dict.fromkeys(tokens[ends + 1].tolist(), length))
        if length == MAX_LENGTH or length >= size or is_breaker[tokens[-1 - length]]:
            break
        ends = ends[ends >= length]
        ends = ends[tokens[ends - length] == tokens[-1 - length]]
        length += 1
    return found


@functools.lru_cache(maxsize=8)
def breakers(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which tokens `[V]` end a repetition."""
    return np.array([not BREAKERS.isdisjoint(vocabulary.shown(index)) for index in range(len(vocabulary))])
