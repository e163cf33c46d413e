"""Measures training: our loop beside stock Keras' `fit` and, where it is installed, PyTorch. Needs TensorFlow.

All train one network on random symbols: an embedding, GRU layers, a dense layer, cross-entropy from logits, Adam; no
dropout, for stock Keras has none of ours. A way makes `UPDATES` updates and returns the seconds. Part of
`python -m engine.bench --train`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from engine.bench import torch_ways
from engine.bench.timing import Way, in_turn, median_ratio
from engine.text.vocabulary import Vocabulary
from engine.train.data.corpus import Corpus
from engine.train.settings import TrainSettings
from engine.train.trainer import Trainer

SIZES = ((1024, 1), (512, 2))  # units, layers
BATCH, STEPS, SYMBOLS, EMBEDDING = 64, 100, 65, 256
UPDATES, ROUNDS = 2, 5


def measure(show: Callable[[str], None]) -> dict[str, Any]:
    """Characters a second of each way for each size, and the ratios of our loop to the others."""
    return {f"train-gru-{layers}x{units}": measure_size(units, layers, show) for units, layers in SIZES}


def measure_size(units: int, layers: int, show: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, float]:
    """Characters a second of each way for one size, and the ratios."""
    with _ways(units, layers) as ways:
        in_turn(ways, 1)  # to trace and to warm up
        seconds = in_turn(ways, rounds)
    count = BATCH * STEPS * UPDATES
    figures = {name: statistics.median(count / value for value in seconds[name]) for name in ways}
    show(f"training GRU {layers}x{units}, {BATCH} lanes x {STEPS} steps, {SYMBOLS} symbols: characters a second")
    for name in ways:
        line = f"  {name:14} {figures[name]:10,.0f}"
        for other in ways if name.startswith("ours") else ():
            if not other.startswith("ours"):
                figures[f"{name}_to_{other}"] = ratio = median_ratio(seconds[other], seconds[name])
                line += f"   {ratio:.2f} x {other}"
        show(line)
    return figures


@contextmanager
def _ways(units: int, layers: int) -> Iterator[dict[str, Way]]:
    ways = {
        "ours_bfloat16": ours(units, layers, "bfloat16"),
        "ours_float32": ours(units, layers, "float32"),
        "keras_fit": keras_fit(units, layers),
    }
    with torch_ways.process("train", units, layers, SYMBOLS, EMBEDDING, BATCH, STEPS, UPDATES) as pytorch:
        yield ways if pytorch is None else {**ways, "pytorch": pytorch}


def ours(units: int, layers: int, precision: str) -> Way:
    """The trainer's own updates, through the generator that a run goes through."""
    ids = _symbols(BATCH * (STEPS * UPDATES + 1) + STEPS)
    vocabulary = Vocabulary(tuple(chr(ord("0") + index) for index in range(SYMBOLS)))
    characters = {"training": len(ids), "held_out": 0, "test": 0}
    settings = TrainSettings(
        units=units, layers=layers, embedding=EMBEDDING, batch=BATCH, steps=STEPS, precision=precision,
        optimizer="adam", dropout=0.0, weight_drop=0.0, held_out=0.0,
    )  # fmt: skip
    trainer = Trainer(settings, Corpus(vocabulary, ids, ids[:0], ids[:0], "", characters, 0, np.zeros(0, np.int64)))

    def train() -> float:
        trainer.progress.chunk = 0
        started = time.perf_counter()
        for _ in trainer.updates():
            pass
        return time.perf_counter() - started

    return train


def keras_fit(units: int, layers: int) -> Way:
    """`model.fit` of stock layers with their own defaults."""
    recurrent = [keras.layers.GRU(units, return_sequences=True) for _ in range(layers)]
    before = [keras.Input((STEPS,), dtype="int32"), keras.layers.Embedding(SYMBOLS, EMBEDDING)]
    model = keras.Sequential([*before, *recurrent, keras.layers.Dense(SYMBOLS)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ids = _symbols(BATCH * UPDATES * STEPS + 1).astype(np.int32)
    inputs, targets = ids[:-1].reshape(-1, STEPS), ids[1:].reshape(-1, STEPS)

    def train() -> float:
        started = time.perf_counter()
        model.fit(inputs, targets, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        return time.perf_counter() - started

    return train


def _symbols(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(SYMBOLS, size=count, dtype=np.uint8)
