"""A chat: what is typed becomes a line `ME: text`, and the model writes one of `OTHER`. The story does not know it.

Knows no session and no terminal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import engine

ME, OTHER = "Me", "You"  # where a model has no speakers of its own
LINE_END = "\n"
MAX_NAME = 100  # characters
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_COLON = re.compile(r"(?<!\\):")


@dataclass(frozen=True, slots=True)
class Chat:
    """Who types and whom the model writes. Raises `ValueError` for what cannot be a name."""

    me: str
    other: str

    def __post_init__(self) -> None:
        for name in (self.me, self.other):
            if not _is_name(name):
                shown = engine.first_words(engine.visible(name), 40)
                raise ValueError(f"chat {shown!r}: give a name of 1 to {MAX_NAME} characters in one line")
        if self.me == self.other:
            raise ValueError(f"chat {self.me!r}: give two different names")

    def text_of(self, typed: str, turns: Sequence[engine.Turn]) -> str:
        """What is added to the story of these `turns` for what was typed; the model goes on from it.

        Each line is one of `me`. Without a line it is the other's turn again, or a line that was stopped goes on.
        """
        lines = self.begun(typed, turns)
        if not lines.strip() and _is_in_a_line(turns):
            return ""
        return f"{lines}{LINE_END if lines.strip() else ''}{self.other}: "

    def begun(self, typed: str, turns: Sequence[engine.Turn]) -> str:
        """The lines that were typed, the last one still open."""
        before = next((turn.text for turn in reversed(turns) if turn.kind != "memory" and turn.text), LINE_END)
        lines = [f"{self.me}: {line}" for line in typed.split(LINE_END) if line.strip()]
        return ("" if before.endswith(LINE_END) else LINE_END) + LINE_END.join(lines)

    def sampling(self, sampling: engine.Sampling) -> engine.Sampling:
        """The settings, with the line's end as an end."""
        return sampling if LINE_END in sampling.stop else replace(sampling, stop=(*sampling.stop, LINE_END))

    def with_me(self, name: str) -> Chat:
        """Another person at the keyboard. Who takes the other's name changes places with them."""
        return Chat(name, self.me if name == self.other else self.other)

    @classmethod
    def of(cls, noted: Any) -> Chat | None:
        """The chat that a session was left in; None if there is none, or what is noted is none."""
        try:
            return cls(*noted)
        except (TypeError, ValueError, AttributeError):
            return None


def usual_chat(speakers: Sequence[str]) -> Chat:
    """The chat of a model's most frequent speakers: the model is the first of them."""
    named = [name for name in speakers if _is_name(name)]
    other = named[0] if named else OTHER
    return Chat(next(name for name in (*named[1:2], ME, OTHER) if name != other), other)


def read_chat(text: str, speakers: Sequence[str] = ()) -> Chat:
    """The chat that `ME:OTHER` names; where a name is left out, the usual one is taken. Raises `ValueError`.

    Of several colons, the one counts beside which names of `speakers` stand, or the only one that is not written "\\:".
    """
    text, usual = engine.decoded(text), usual_chat(speakers)
    if not text:
        return usual
    pairs = [tuple(map(_read_name, (text[: at.start()], text[at.end() :]))) for at in _COLON.finditer(text)]
    known = [sum(name in speakers for name in pair) for pair in pairs]
    best = [pair for pair, count in zip(pairs, known, strict=True) if count == max(known)]
    shown = engine.first_words(engine.visible(text), 60)
    if not best:
        raise ValueError(f"chat {shown!r}: give your name and the other's, as in {usual.me}:{usual.other}")
    if len(best) > 1:
        raise ValueError(f"chat {shown!r}: it has several colons; write those that belong to a name as \\:")
    me, other = best[0]
    other = other or next(name for name in (usual.other, usual.me) if name != me)
    return Chat(me or next(name for name in (usual.me, usual.other) if name != other), other)


def speaker_of(text: str) -> str:
    """Whose line a text ends with the beginning of; "" if it ends with none."""
    line = text.rpartition(LINE_END)[2].removesuffix(" ")  # which words have before them, not behind
    return line.removesuffix(":") if line.endswith(":") else ""


def _is_in_a_line(turns: Sequence[engine.Turn]) -> bool:
    """Whether a line of a chat was begun and has not come to its end."""
    told = [turn for turn in turns if turn.kind != "memory"]
    if not told or told[-1].finish_reason == "stop":
        return False
    return bool(speaker_of(next((turn.text for turn in reversed(told) if turn.kind == "prompt"), "")))


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MAX_NAME and not _CONTROL.search(text)


def _read_name(text: str) -> str:
    return text.replace(r"\:", ":").strip()
