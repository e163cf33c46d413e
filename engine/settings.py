"""`Sampling`: how a reply is drawn. Flags, `/set` and Discord's options are all made from this one table.

Knows no sampler, and imports nothing slow: a program shows its prompt before it loads anything.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass, field
from typing import Any

from engine.names import typed

PENALTY_WINDOW = 64  # tokens back that the repetition penalty looks
TOKENS_A_CHARACTER = 4  # at most: the bytes of UTF-8
MEMORIES = ("off", "mine", "all")
TEXTS = ("stop", "ban")  # settings that are several texts
ENDS = ("any", "word", "line", "sentence")


def _setting(default: Any, low: float, high: float, help: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": help, "choices": choices})


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a continuation is drawn. Raises `ValueError` that names the setting and the value."""

    temperature: float = _setting(
        0.8, 0.0, 100.0, "how daring: 0 always takes the likeliest, 1 writes as the text it learned from"
    )
    top_k: int = _setting(0, 0, 10**9, "choose among this many likeliest tokens; 0 for all")
    top_p: float = _setting(1.0, 0.0, 1.0, "choose among the likeliest that together have this probability")
    min_p: float = _setting(0.0, 0.0, 1.0, "leave out what is less likely than this share of the likeliest")
    repetition_penalty: float = _setting(
        1.0, 1.0, 100.0, f"make the last {PENALTY_WINDOW} tokens less likely again; 1 for not at all"
    )
    stop: tuple[str, ...] = _setting((), 0, 0, "end before this text would be written")
    ban: tuple[str, ...] = _setting(
        (), 0, 0, "never write this text: go back to where it began, and write on otherwise"
    )
    length: int = _setting(200, 0, 10**9, "how many tokens to write")
    end: str = _setting(
        "any", 0, 0, "where a reply may end once it has its length: after half as much more at the latest", ENDS
    )
    seed: int | None = _setting(None, 0, 2**64 - 1, "the same seed gives the same text; none for another each time")
    memory: str = _setting(
        "off", 0, 0, "write with the words of this story: 'mine' takes up yours, 'all' its own replies, too", MEMORIES
    )

    def __post_init__(self) -> None:
        for name in TEXTS:
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for name, item in self.__dataclass_fields__.items():
            value, whole = getattr(self, name), isinstance(item.default, int) or name == "seed"
            if choices := item.metadata["choices"]:
                if value not in choices:
                    raise ValueError(f"{name} {value!r}: must be {', '.join(choices[:-1])} or {choices[-1]}")
                continue
            if name in TEXTS or (name == "seed" and value is None):
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Integral if whole else numbers.Real):
                raise ValueError(f"{name} {value!r}: must be a {'whole ' if whole else ''}number")
            low, high = item.metadata["low"], item.metadata["high"]
            if not low <= value <= high:  # also true of a NaN
                limits = f"from {low} to {high}"
                if high >= 10**9:
                    limits = f"at most {high}" if value > high else f"at least {low}"
                raise ValueError(f"{name} {value}: must be {limits}")
        if self.top_p == 0:
            raise ValueError("top_p 0: must be above 0, at most 1")

    @property
    def context(self) -> int:
        """How many tokens of the story before a place these settings look at, beside what the network knows."""
        longest = max(map(len, self.ban), default=0)
        return max(PENALTY_WINDOW if self.repetition_penalty > 1 else 0, TOKENS_A_CHARACTER * longest)


def _texts(name: str, given: Any) -> tuple[str, ...]:
    """Texts as a model reads them. Raises `ValueError`."""
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, tuple | list):
        raise ValueError(f"{name} {texts!r}: must be texts")
    texts = tuple(typed(text) if isinstance(text, str) else text for text in texts)
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"{name} {texts!r}: must be texts, none of them empty")
    return texts
