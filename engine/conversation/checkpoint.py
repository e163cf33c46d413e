"""Where a conversation is at one moment, what is asked of the engine from there, and what comes of it: plain data."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.sampling import Sampling

FinishReason = Literal["length", "stop", "cancelled"]
State = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a conversation is at one moment: going on from it gives the same text, whenever that is done.

    `source` is the state `[S]`, float32, or what reads it from where it is kept; `pending`, the tokens not yet fed,
    oldest first (one, but for the very start, a prompt that was stopped on the way and a reply that was stopped in the
    midst of a character); the random generator's `key` and `offset`, and the seed it came from.
    """

    source: State | Callable[[], State]
    pending: tuple[int, ...]
    seed: int
    key: int
    offset: int

    @property
    def state(self) -> State:
        """The state `[S]`. Raises `StoreError` where it has to be read and cannot be."""
        return self.source if isinstance(self.source, np.ndarray) else self.source()


@dataclass(frozen=True, slots=True)
class Request:
    """A reply to be written: from `start`, whose pending tokens are fed first, with `recent` tokens before.

    Requests of one `owner` share a turn where many wait.
    """

    start: Checkpoint
    recent: tuple[int, ...]
    sampling: Sampling
    unseen: dict[str, str]
    owner: Hashable


@dataclass(frozen=True, slots=True)
class Result:
    """A finished reply: where its prompt ended, what was written, and where it ended."""

    prompt_end: Checkpoint
    tokens: tuple[int, ...]
    text: str
    end: Checkpoint
    finish_reason: FinishReason

    @property
    def drawn(self) -> int:
        """How many random numbers it took. Its text may have fewer tokens, where a stop string ended it."""
        return self.end.offset - self.prompt_end.offset
