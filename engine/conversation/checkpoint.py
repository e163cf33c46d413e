"""Plain data: where a conversation stands, a reply that is asked for, and a finished one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.memory.memory import Memory
from engine.sampling import Sampling

FinishReason = Literal["length", "stop", "cancelled"]
State = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a conversation is at one moment: going on from it always gives the same text.

    `source` is the state `[S]`, float32, or a function that reads it from the store. `pending` are the tokens not yet
    fed, oldest first: one, or none at the start, or several where a prompt or a character was left unfinished. The
    last `reopened` of them are a prompt's last word: what follows may write it with other tokens, which go on with it.
    `key` and `offset` are those of the random numbers, `seed` is what `key` was derived from. `weights` are those that
    the story's memory has learned to mix with (`engine.memory`), packed; none where it learned nothing.
    """

    source: State | Callable[[], State]
    pending: tuple[int, ...]
    seed: int
    key: int
    offset: int
    reopened: int = 0
    weights: bytes = b""

    @property
    def settled(self) -> tuple[int, ...]:
        """The pending tokens that are fed as they are."""
        return self.pending[: len(self.pending) - self.reopened]

    @property
    def open(self) -> tuple[int, ...]:
        """The pending tokens that may become others."""
        return self.pending[len(self.pending) - self.reopened :]

    @property
    def state(self) -> State:
        """The state `[S]`. Raises `StoreError` if the store cannot read it."""
        return self.source if isinstance(self.source, np.ndarray) else self.source()


@dataclass(frozen=True, slots=True)
class Request:
    """A reply to be written from `start`, whose pending tokens are fed first.

    The settings look at the `recent` tokens before it. Where many wait, owners take turns. `memory`, if it
    is on, knows the story up to the first of the pending tokens and goes along; of the settled ones, the last `said`
    were typed. The reply begins with the tokens `begun`, before it draws any.
    """

    start: Checkpoint
    recent: tuple[int, ...]
    sampling: Sampling
    unseen: dict[str, str]
    owner: Hashable
    memory: Memory | None = None
    said: int = 0
    begun: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A finished reply: where its prompt ended, what was written, and where it ended."""

    prompt_end: Checkpoint
    tokens: tuple[int, ...]
    text: str
    end: Checkpoint
    finish_reason: FinishReason
    begun: int = 0  # so many of the first tokens were given, not drawn

    @property
    def drawn(self) -> int:
        """How many random numbers it took, one a token. Its text has fewer tokens if a stop string ended it."""
        return self.end.offset - self.prompt_end.offset
