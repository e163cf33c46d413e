"""What a memory predicts: shares that add up to one, a function of the tokens alone, more of what it has seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.memory import memory as module
from engine.memory.counts import Index
from engine.memory.memory import Memory, mix
from engine.memory.training import packed, unpacked

SIZE = 5
CLASSES = tuple(range(SIZE))
BROUGHT: list[Index | None] = []
STORY = st.lists(st.tuples(st.integers(0, SIZE - 1), st.booleans()), max_size=40)
Logits = NDArray[np.float32]


def logits(rows: int = 1, seed: int = 1) -> Logits:
    return np.random.default_rng(seed).normal(scale=3, size=(rows, SIZE)).astype(np.float32)


def index_of(tokens: list[int]) -> Index:
    return Index.of(SIZE, [(np.array(tokens, np.int32), None)])


@pytest.fixture(scope="module", autouse=True, params=[None, [0, 1, 3, 0, 1, 2, 4] * 5], ids=["", "training"])
def training(request: pytest.FixtureRequest) -> Iterator[Index | None]:
    """The counts that the model brings: none, or those of a text, as they come from their file."""
    tokens = request.param
    BROUGHT.append(tokens and unpacked(packed(index_of(tokens)), SIZE))
    yield BROUGHT[-1]
    BROUGHT.pop()


def told(story: list[tuple[int, bool]], remembered: list[int] = ()) -> Memory:  # type: ignore[assignment]
    memory = Memory(CLASSES, index_of(remembered), training=BROUGHT[-1])
    for token, is_counted in story:
        memory.add(token, is_counted=is_counted)
    return memory


def predicted(memory: Memory) -> tuple[bytes, list[Any]]:
    mixture = mix(logits(), [memory])
    return mixture.logits.tobytes(), mixture.sets


@given(STORY, STORY)
def test_every_experts_shares_add_up_to_one(story: list[tuple[int, bool]], remembered: list[tuple[int, bool]]) -> None:
    mixture = mix(logits(), [told(story, [token for token, _ in remembered])])
    assert np.exp(mixture.logs[:, 1:]).sum(axis=2) == pytest.approx(1.0, abs=1e-12)


def test_a_memory_of_nothing_is_the_network_alone() -> None:
    given = logits()
    mixture = mix(given, [told([])])
    assert np.allclose(mixture.logits, given - given.max())
    assert mixture.sets == [None]


@given(STORY, STORY, st.integers(0, 40))
def test_it_does_not_matter_how_it_got_there(
    story: list[tuple[int, bool]], detour: list[tuple[int, bool]], place: int
) -> None:
    place = min(place, len(story))
    straight = told(story)
    bent = told(story[:place])
    for token, is_counted in detour:
        bent.add(token, is_counted=is_counted)
    bent.rewind(place)
    bent = bent.copy()
    for token, is_counted in story[place:]:
        bent.extend([([token], is_counted)])
    assert predicted(bent) == predicted(straight)
    assert len(bent) == len(story)


@given(st.lists(st.one_of(st.integers(0, 60), STORY.filter(bool), st.none()), max_size=12), st.sampled_from([4, 1024]))
def test_it_is_right_at_once_after_each_step(steps: list[int | list[tuple[int, bool]] | None], fold: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FOLD_TOKENS", fold)
        memory, story = told([]), list[tuple[int, bool]]()
        for step in steps:
            if step is None:
                memory = memory.copy()
            elif isinstance(step, int):
                story = story[:step]
                memory.rewind(len(story))
            else:
                story += step
                for token, is_counted in step:
                    memory.add(token, is_counted=is_counted)
            assert predicted(memory) == predicted(told(story))


@pytest.mark.parametrize("fold", [1, 3, 10**9])
def test_it_does_not_matter_when_counts_join_the_index(fold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    story = [
        (int(token), bool(flag)) for token, flag in zip(rng.integers(0, 3, 300), rng.random(300) < 0.7, strict=True)
    ]
    expected = predicted(told(story))
    monkeypatch.setattr(module, "FOLD_TOKENS", fold)
    memory = told(story)
    assert predicted(memory) == expected
    memory.rewind(100)
    assert predicted(memory) == predicted(told(story[:100]))
    for token, is_counted in story[100:]:
        memory.add(token, is_counted=is_counted)
    assert predicted(memory) == expected
    assert memory.has(0, [token for token, flag in story if flag], is_counted=True) is False


def test_a_row_alone_is_the_row_among_others() -> None:
    memories = [told([(token % 3, True) for token in range(seed, 3 * seed + 4)]) for seed in range(64)]
    given = logits(64)
    together = mix(given, memories)
    for row, memory in enumerate(memories):
        alone = mix(given[row : row + 1], [memory])
        assert alone.logits[0].tobytes() == together.logits[row].tobytes()
        assert alone.logs[0].tobytes() == together.logs[row].tobytes()


def test_what_was_seen_becomes_likelier_and_what_is_learned_helps() -> None:
    story = [(token, True) for token in (0, 1, 2, 3) * 5]
    memory, flat = told(story), np.zeros((1, SIZE), np.float32)
    before = mix(flat, [memory])
    assert before.logits[0].argmax() == 0
    assert np.exp(before.logs[0, 2, 0]) > 0.8
    for token in (0, 1, 2, 3) * 30:
        mix(flat, [memory]).learn([memory], [token])
        memory.add(token, is_counted=True)
    after = mix(flat, [memory]).logits[0]
    assert after[0] - np.logaddexp.reduce(after) > before.logits[0, 0] - np.logaddexp.reduce(before.logits[0])
    assert memory.copy().weights == memory.weights != b""


def test_a_slope_is_the_derivative() -> None:
    memory = told([(token, True) for token in (0, 1, 2, 0, 1, 3, 0, 1)])
    mixture = mix(logits(), [memory])
    experts = mixture.logs.shape[1]
    weights = np.array(memory._weights.at(mixture.sets[0] or (0, 0, 0))[:experts])

    def surprisal(moved: NDArray[np.float64]) -> float:
        mixed = moved @ mixture.logs[0]
        return float(np.logaddexp.reduce(mixed) - mixed[2])

    shares = np.exp(mixture.logits[0] - np.logaddexp.reduce(mixture.logits[0]))
    slope = mixture.logs[0] @ shares - mixture.logs[0][:, 2]
    for expert in range(experts):
        step = np.zeros(experts)
        step[expert] = 1e-6
        assert (surprisal(weights + step) - surprisal(weights - step)) / 2e-6 == pytest.approx(slope[expert], abs=1e-6)
