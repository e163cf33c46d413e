"""Tiny real networks with random weights, and engines over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.memory.counts import Index
from engine.model.network import Array, Dense, Embedding, Layer, Network, Recurrent
from engine.model.onnx_step import OnnxStep
from engine.serving.engine import Engine
from engine.text import byte_pairs
from engine.text.vocabulary import Vocabulary
from engine.text.words import tokenize

LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,:"


def tiny_network(size: int = len(LETTERS), units: int = 13, layers: int = 2, seed: int = 0) -> Network:
    """A GRU stack whose logits differ enough that other states give other texts."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> Array:
        return rng.normal(0, 0.7, shape).astype(np.float32)

    made: list[Layer] = [Embedding(weights(size, 5))]
    for width in [5, *[units] * (layers - 1)]:
        kernels = weights(width, 3 * units), weights(units, 3 * units), weights(2, 3 * units)
        made += [Recurrent("gru", *kernels, "tanh", "sigmoid", reset_after=True)]
    return Network("tiny", (*made, Dense(weights(units, size), weights(size), "linear")))


WORDS = (
    '"Well," said the king, "go on -- (or stop)!"\n\nThe  king\'s men don\'t stop; they go on, and on, to the sea.\n'
    "A word/another word costs 3.50 and the rest is silence: so be it.\n"
)
KANA = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\nÀ bientôt, said the cat.\n"


def level_vocabulary(level: str) -> Vocabulary:
    """A small vocabulary of each level; that of byte pairs has tokens of half characters."""
    if level == "word":
        return Vocabulary(("<unk>", *dict.fromkeys(tokenize(WORDS, "words"))), "word", "<unk>")
    if level == "bpe":
        tokens, merges = byte_pairs.train([KANA], 300)
        return Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))
    return Vocabulary(tuple(LETTERS))


def level_engine(level: str, seed: int = 0) -> Engine:
    """An engine of a tiny network over such a vocabulary."""
    vocabulary = level_vocabulary(level)
    return Engine(level, OnnxStep(tiny_network(len(vocabulary), seed=seed)), vocabulary, "onnx", 8)


def tiny_engine(max_batch: int = 64, training: str = "", **shape: Any) -> Engine:
    """An engine of a tiny network over small letters, which may have brought the counts of a `training` text."""
    vocabulary = Vocabulary(tuple(LETTERS))
    counts = Index.of(len(vocabulary), [(vocabulary.encode(training).ids, None)]) if training else None
    return Engine("tiny", OnnxStep(tiny_network(**shape)), vocabulary, "onnx", max_batch, read_counts=lambda: counts)
