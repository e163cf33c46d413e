"""How fast one may talk to Discord. Plain objects; the clock is passed in.

`Pace` spaces the edits of a channel by what Discord answers: its headers tell how many more requests it takes and for
how long. `Cooldown` spaces what members ask for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

FIRST_INTERVAL = 1.0  # seconds between edits while nothing is known: five in five seconds is what Discord gives
MIN_INTERVAL = 0.5  # a person reads no faster
RESERVE = 1  # requests of a window that are kept for the last edit
MAX_SLOWDOWN = 8.0
MARGIN = 0.02  # seconds that two clocks and a way may differ
MAX_KEYS = 4096  # kept in memory; the oldest are forgotten


class Pace:
    """When the next edit in a channel may go out."""

    def __init__(self) -> None:
        self._interval = FIRST_INTERVAL
        self._slowdown = 1.0  # grows with each refusal, shrinks with each answer
        self._last = self._closed = self._spared = float("-inf")  # the last edit; until when there is none, or one left

    def wait(self, now: float, *, is_last: bool = False) -> float:
        """Seconds until an edit may be sent; the last one of a reply need not keep the distance."""
        if is_last:
            return max(0.0, self._closed - now)
        return max(0.0, self._closed - now, self._spared - now, self._last + self._interval * self._slowdown - now)

    def sent(self, now: float) -> None:
        """An edit goes out."""
        self._last = now

    def answered(self, now: float, remaining: int, reset_after: float) -> None:
        """Discord said that it takes `remaining` more requests in the next `reset_after` seconds."""
        self._slowdown = max(1.0, self._slowdown * 0.9)
        reset_after += MARGIN
        if remaining <= 0:
            self._closed = max(self._closed, now + reset_after)
        if remaining <= RESERVE:
            self._spared = max(self._spared, now + reset_after)
        else:
            self._interval = max(MIN_INTERVAL, reset_after / (remaining - RESERVE))

    def refused(self, now: float, retry_after: float) -> None:
        """Discord answered 429."""
        self._slowdown = min(MAX_SLOWDOWN, 2 * self._slowdown)
        self._closed = max(self._closed, now + retry_after)


class Cooldown:
    """At most one request in `seconds` for each key in the long run, and `burst` of them at once.

    The generic cell rate algorithm (ITU-T I.371): a key is one number, the time at which it will have made up for all.
    """

    def __init__(self, seconds: float, burst: int) -> None:
        self.seconds, self.burst = seconds, burst
        self._made_up: OrderedDict[Hashable, float] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until a request is allowed, and count it if that is now (0)."""
        made_up = max(now, self._made_up.get(key, now))
        if (wait := made_up - now - self.seconds * (self.burst - 1)) > 0:
            return wait
        self._made_up[key] = made_up + self.seconds
        self._made_up.move_to_end(key)
        if len(self._made_up) > MAX_KEYS:
            self._made_up.popitem(last=False)
        return 0.0
