"""A network that knows a round of letters, and what a printed command writes with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import engine
from engine.program import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

ROUND = "\nabcdefgh"  # each of these follows the one before, over and over
TEXT = (ROUND * 40)[1:]
Refused = Callable[..., str]


def knowing_model(tokens: Sequence[str], *between: Any, before: Sequence[Any] = ()) -> Any:
    """A network that knows what follows each token of ROUND; other tokens it likes too much."""
    size = len(tokens)
    model = keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(size, size),
            *before,
            keras.layers.SimpleRNN(size, return_sequences=True),
            *between,
            keras.layers.Dense(size),
        ]
    )
    follows = np.zeros((size, size))
    for one, other in zip(ROUND, ROUND[1:] + ROUND[:1], strict=True):
        follows[tokens.index(one), tokens.index(other)] = 20
    likes = np.array([0 if token in ROUND and token else 12 for token in tokens])
    rnn = next(layer for layer in model.layers if isinstance(layer, keras.layers.SimpleRNN))
    model.layers[0].set_weights([5 * np.eye(size)])
    rnn.set_weights([np.eye(size), np.zeros((size, size)), np.zeros(size)])
    model.layers[-1].set_weights([follows, likes])
    return model


def written_by(command: str) -> str:
    """What the command that was printed writes, without a shell."""
    program, path, *backend = shlex.split(command)
    assert program == "textrepl"
    assert backend in ([], ["--backend", "keras"])
    with engine.load(path, backend="keras" if backend else "auto") as model:
        return model.conversation(sampling=engine.Sampling(temperature=0)).say("ab", length=5).text


def printed_command(out: str) -> str:
    return next(line.partition("write with it by: ")[2] for line in out.splitlines() if "write with it by" in line)
