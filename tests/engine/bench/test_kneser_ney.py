"""Counting: probabilities that are some, against the definition written out, and what the command says."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.bench.kneser_ney import Counts, _discounts, main
from engine.errors import TrainingError

TEXT = "the cat sat on the mat and the rat sat on the cat that sat on that hat " * 3


def ids_of(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8) % 32


@settings(deadline=None)
@given(st.text("abc ", max_size=8), st.integers(1, 5))
def test_the_probabilities_of_all_tokens_sum_to_one(context: str, order: int) -> None:
    counts = Counts(ids_of(TEXT), 32, order)
    start = ids_of(" " + context)
    total = sum(np.exp(-counts.nats(np.append(start, token))[-1]) for token in range(32))
    assert total == pytest.approx(1.0)


def by_definition(text: str, order: int, size: int, history: str, token: str) -> float:
    """One probability, from dictionaries and the formula alone."""
    if order == 0:
        return 1 / size
    seen = Counter(text[i : i + HIGHEST] for i in range(len(text) - HIGHEST + 1))
    for length in range(HIGHEST - 1, order - 1, -1):
        seen = Counter(gram[1:] for gram in seen)
        assert all(len(gram) == length for gram in seen)
    discounts = _discounts(np.array(list(seen.values())))
    lower = by_definition(text, order - 1, size, history[1:], token)
    followers = {gram[-1]: count for gram, count in seen.items() if gram[:-1] == history}
    if not followers:
        return lower
    total = sum(followers.values())
    left = sum(discounts[min(3, count)] for count in followers.values()) / total
    kept = followers[token] - discounts[min(3, followers[token])] if token in followers else 0.0
    return float(kept / total + left * lower)


HIGHEST = 3


def test_it_is_the_formula() -> None:
    counts = Counts(ids_of(TEXT), 32, HIGHEST)
    for phrase in ("the cat", "xthe", "that that", "qq", "on the hat"):
        found = counts.nats(ids_of(phrase))
        for place in range(1, len(phrase)):
            history = phrase[max(0, place + 1 - HIGHEST) : place]
            wanted = by_definition(TEXT, len(history) + 1, 32, history, phrase[place])
            assert found[place - 1] == pytest.approx(-np.log(wanted))


def test_the_discounts_are_those_of_the_counts_of_counts() -> None:
    times: dict[int, int] = defaultdict(int, {1: 40, 2: 20, 3: 10, 4: 5, 9: 3})
    counts = np.repeat(list(times), list(times.values()))
    share = 40 / (40 + 2 * 20)
    wanted = [0, 1 - 2 * share * 20 / 40, 2 - 3 * share * 10 / 20, 3 - 4 * share * 5 / 10]
    assert _discounts(counts) == pytest.approx(wanted)


def test_more_tokens_than_a_number_holds_are_refused() -> None:
    with pytest.raises(TrainingError, match="--order 6: 10,000 different tokens can be counted up to --order 4"):
        Counts(np.zeros(10, np.uint16), 10_000, 6)


def test_as_many_tokens_are_counted_as_a_number_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(" ".join(f"{number} {number % 7}" for number in range(2000)))
    assert main(["--data", str(tmp_path / "a.txt"), "--level", "word"]) == 0
    assert capsys.readouterr().out.startswith("5-gram Kneser-Ney of")


def test_the_command_tells_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(TEXT * 3)
    assert main(["--data", str(tmp_path / "a.txt"), "--order", "4"]) == 0
    assert "4-gram Kneser-Ney of" in (told := capsys.readouterr().out)
    assert "bits a character" in told
    assert main(["--data", str(tmp_path / "a.txt"), "--held-out", "0"]) == 1
    assert "nothing is held out" in capsys.readouterr().err
    assert main(["--data", str(tmp_path / "none.txt")]) == 1
    assert "none.txt" in capsys.readouterr().err
