"""Scores a text by counting n-grams: python -m engine.bench.kneser_ney --data PATH... [--validation PATH...]

A trained network has to beat this model, which counts the same tokens of the same text, in seconds. Knows no network.
Interpolated, with three discounts an order from the counts of counts ("modified Kneser-Ney", Chen and Goodman
1999, equations 21 to 26). With T(h w) the times that w followed h, for the highest order, or the different tokens
that h w was seen to follow, for the lower ones:
    p(w | h) = (T(h w) - D(T(h w))) / T(h .) + b(h) p(w | h without its first token),
where b(h) is what the discounts leave over, and the order below single tokens is 1 / V.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError, TrainingError
from engine.program import fail
from engine.train.data.corpus import read_corpus
from engine.train.quantities import LN2, perplexity
from engine.train.reading.spool import Inputs
from engine.train.report.plain import ReadingLine
from engine.train.settings import TrainSettings, add_arguments

READ_BY = ("level", "vocabulary", "split", "min_count", "lower", "ascii", "keep", "held_out")  # settings that decide
ORDER = 6  # tokens in a row
Ids = NDArray[Any]
Grams = NDArray[np.uint64]  # n tokens as the digits of one number, the last one lowest


class Counts:
    """The counts of a text of `size` different tokens, of up to `order` tokens in a row."""

    def __init__(self, ids: Ids, size: int, order: int) -> None:
        """Raises `TrainingError` where so many tokens in a row make no number of 64 bits."""
        if (most := most_in_a_row(size, order)) < order:
            raise TrainingError(f"--order {order}: {size:,} different tokens can be counted up to --order {most}")
        self.size = np.uint64(size)
        self._orders: list[_Order] = []
        grams, counts = np.unique(self._grams(ids, order), return_counts=True)
        for length in range(order, 0, -1):
            self._orders.insert(0, _Order(grams, counts, self.size))
            grams, counts = np.unique(grams % self.size ** np.uint64(length - 1), return_counts=True)

    def nats(self, ids: Ids) -> NDArray[np.float64]:
        """`-log p` of every token but the first `[N - 1]`."""
        p = np.full(len(ids), 1 / float(self.size))
        for length, order in enumerate(self._orders, 1):
            if length <= len(ids):
                p[length - 1 :] = order.interpolated(self._grams(ids, length), p[length - 1 :])
        nats: NDArray[np.float64] = -np.log(p[1:])
        return nats

    def _grams(self, ids: Ids, length: int) -> Grams:
        """Each `length` tokens in a row, `[N - length + 1]`."""
        grams = np.zeros(max(0, len(ids) - length + 1), np.uint64)
        for offset in range(length):
            grams = grams * self.size + ids[offset : offset + len(grams)].astype(np.uint64)
        return grams


def most_in_a_row(size: int, order: int) -> int:
    """How many of `size` different tokens, `order` at the most, make a number of 64 bits."""
    return next(n for n in range(order, 0, -1) if size**n < 2**64)


class _Order:
    """The counts of one order: of each n tokens, and of what followed each n - 1."""

    def __init__(self, grams: Grams, counts: NDArray[np.int64], size: np.uint64) -> None:
        self._grams, self._size = grams, size
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        self._contexts, first = np.unique(grams // size, return_index=True)
        self._totals = np.add.reduceat(counts, first).astype(np.float64) if len(grams) else np.zeros(0)
        self._left = np.add.reduceat(discounts, first) / self._totals if len(grams) else np.zeros(0)
        self._kept = counts - discounts

    def interpolated(self, grams: Grams, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each n-gram's last token after the others; `lower` is that of the order below."""
        if not len(self._grams):
            return lower
        context = np.minimum(np.searchsorted(self._contexts, grams // self._size), len(self._contexts) - 1)
        index = np.minimum(np.searchsorted(self._grams, grams), len(self._grams) - 1)
        kept = np.where(self._grams[index] == grams, self._kept[index], 0.0)
        here = kept / self._totals[context] + self._left[context] * lower
        return np.where(self._contexts[context] == grams // self._size, here, lower)


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What is subtracted from a count of 0, 1, 2, and 3 or more; 0.5 where a text is too small to estimate it."""
    n = np.bincount(np.minimum(counts, 5), minlength=5).astype(np.float64)
    if (n[1:5] == 0).any():
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = n[1] / (n[1] + 2 * n[2])
    discounts = [number - (number + 1) * share * n[number + 1] / n[number] for number in (1, 2, 3)]
    return np.array([0.0, *np.clip(discounts, 0.0, (1, 2, 3))])


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(
        prog="python -m engine.bench.kneser_ney", description="Count the text that a run would learn from, and score."
    )
    parser.add_argument("--data", nargs="+", action="extend", required=True, metavar="PATH", help="text to count")
    parser.add_argument("--validation", nargs="+", action="extend", default=[], metavar="PATH", help="text to score")
    parser.add_argument("--order", type=int, metavar="N", help=f"tokens in a row ({ORDER}, fewer of very many words)")
    add_arguments(parser, READ_BY)
    arguments = vars(parser.parse_args(argv))
    inputs, order = Inputs(tuple(arguments.pop("data")), tuple(arguments.pop("validation"))), arguments.pop("order")
    if order is not None and not 1 <= order <= 20:
        parser.error(f"--order {order}: must be from 1 to 20")
    try:
        settings = TrainSettings(**arguments)
    except ValueError as error:
        parser.error(str(error))
    try:
        print(score(inputs, settings, order))
    except EngineError as error:
        return fail("engine.bench.kneser_ney", str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def score(inputs: Inputs, settings: TrainSettings, order: int | None) -> str:
    """One line: what was counted, and how well it predicts the held-out text."""
    with ReadingLine() as line:
        corpus = read_corpus(inputs, settings.held_out, order or ORDER, settings, on_progress=line.tell)
    if len(corpus.held_out) < 2:
        raise TrainingError("nothing is held out to score: name --validation, or give --held-out")
    order = order or most_in_a_row(len(corpus.vocabulary), ORDER)
    nats = float(Counts(corpus.training, len(corpus.vocabulary), order).nats(corpus.held_out).mean())
    return (
        f"{order}-gram Kneser-Ney of {corpus.describe()}: {nats:.4f} nats a token = "
        f"{nats / LN2 * corpus.held_out_rate:.4f} bits a character, perplexity {perplexity(nats):.2f}"
    )


if __name__ == "__main__":
    program.run(main)
