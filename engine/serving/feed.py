"""What a reply reads before it draws: the tokens of its checkpoint that were not fed yet. Knows no batch."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Request
from engine.memory.memory import mix

Floats = NDArray[np.float32]


class Feed:
    """The settled tokens of a checkpoint, fed one after the other up to the last, which what is drawn follows.

    The story's memory, if there is one, takes them up on the way.
    """

    def __init__(self, request: Request) -> None:
        settled = request.start.settled
        self.left = deque(settled)
        """The tokens that are not chosen to be fed yet."""
        self._given = max(1, len(settled))
        self._memory, self._said = request.memory, request.said
        self._counts_all = request.sampling.memory == "all"
        if self._memory is not None and not len(self._memory) and settled:
            self._memory.add(settled[0], is_counted=True)  # the story's first token

    @property
    def share(self) -> float:
        """How much was fed, from 0 to 1."""
        return 1 - len(self.left) / self._given

    def observe(self, logits: Floats) -> None:
        """A token was fed, and gave `logits [V]`: have the memory take up the one after it."""
        memory, left = self._memory, len(self.left)
        if memory is not None and left:
            token, is_said = self.left[0], left <= self._said
            if is_said:  # of what was typed, the weights learn, too
                mix(logits[None], [memory]).learn([memory], [token])
            memory.add(token, is_counted=is_said or self._counts_all)
