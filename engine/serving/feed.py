"""What a reply reads before it draws: the tokens of its checkpoint that were not fed yet. Knows no batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Request
from engine.memory.memory import mix

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


class Feed:
    """The settled tokens of a checkpoint, fed one after the other up to the last, which what is drawn follows.

    The story's memory, if there is one, takes them up on the way.
    """

    def __init__(self, request: Request) -> None:
        settled = request.start.settled
        self._given, self._fed = np.array(settled, np.int32), 0
        self._memory, self._said = request.memory, request.said
        self._counts_all = request.sampling.memory == "all"
        self.reads_all = self._memory is not None and self._said > 0
        """Whether it looks at the logits after each token."""
        if self._memory is not None and not len(self._memory) and settled:
            self._memory.add(settled[0], is_counted=True)  # the story's first token

    @property
    def share(self) -> float:
        """How much was fed, from 0 to 1."""
        return 1 - len(self.unread) / max(1, len(self._given))

    @property
    def unread(self) -> Ids:
        """The tokens to feed, but for the last one of all."""
        return self._given[self._fed : -1]

    @property
    def left(self) -> tuple[int, ...]:
        """The tokens that were not fed, with the last one."""
        return tuple(self._given[self._fed :].tolist())

    def observe(self, count: int, logits: Floats) -> None:
        """So many tokens were fed, and gave `logits [N, V]`: have the memory take up those after each of them."""
        begin, self._fed = self._fed, self._fed + count
        if self._memory is None:
            return
        for place, token in enumerate(self._given[begin + 1 : self._fed + 1].tolist(), begin + 1):
            is_said = len(self._given) - place <= self._said
            if is_said:  # of what was typed, the weights learn, too
                mix(logits[place - begin - 1][None], [self._memory]).learn([self._memory], [token])
            self._memory.add(token, is_counted=is_said or self._counts_all)
