"""What is done to text before it is learned from: normalization, ASCII folding, lower case, kept characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from engine.text.substitutes import SUBSTITUTES, without_accents
from engine.text.vocabulary import normalize

PART = 1 << 20  # characters that are handled together
MAX_HELD = 1 << 22  # characters without a line end that are held back
_RANGE = re.compile(r"(.)-(.)", re.DOTALL)


class _Table(dict[int, str | None]):
    """What each character becomes, found when the character first occurs."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = found = self._rule(chr(code))
        return found


def kept_characters(pattern: str) -> set[str]:
    """The characters that a pattern like "a-z.,!" names, and the line end."""
    kept = {"\n"}
    for first, last in _RANGE.findall(pattern):
        kept |= {chr(code) for code in range(ord(first), ord(last) + 1)}
    return kept | set(_RANGE.sub("", pattern))


def fold(character: str) -> str:
    """A character in ASCII; "" if there is nothing like it."""
    if character.isascii():
        return character
    substitute = SUBSTITUTES.get(character) or without_accents(character)
    return "".join(c for c in substitute if c.isascii())


def make_filter(*, is_ascii: bool, is_lower: bool, keep: str) -> Callable[[str], str]:
    """The filter of these settings, for normalized text."""
    kept = kept_characters(keep) if keep else None
    steps: list[Callable[[str], str]] = []
    if is_ascii:
        folding = _Table(fold)
        steps.append(lambda text: text if text.isascii() else text.translate(folding))
    if is_lower:
        steps.append(str.lower)
    if kept is not None:
        keeping = _Table(lambda character: character if character in kept else "")
        steps.append(lambda text: text.translate(keeping))

    def apply(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return apply


def whole_lines(parts: Iterable[str]) -> Iterator[str]:
    """A text in parts that end at line ends. Lines that are too long are cut between words or whole characters."""
    held: list[str] = []
    size = 0
    for part in parts:
        cut = part.rfind("\n") + 1
        if cut and size + cut >= PART:
            yield "".join([*held, part[:cut]])
            held, size, part = [], 0, part[cut:]
        held.append(part)
        size += len(part)
        if size > MAX_HELD:
            text = "".join(held)
            cut = max(text.rfind("\n") + 1, text.rfind(" "), 0) or _before_the_last_letter(text)
            yield text[:cut]
            held, size = [text[cut:]], len(text) - cut
    if size:
        yield "".join(held)


def _before_the_last_letter(text: str) -> int:
    """Where a text can be cut without separating a letter from its accent."""
    position = len(text) - 1
    while position > 0 and not (text[position].isalnum() and normalize(text[position - 1 :])[:1] == text[position - 1]):
        position -= 1
    return position or len(text)


def normalized(parts: Iterable[str], apply: Callable[[str], str]) -> Iterator[str]:
    """Filtered, normalized text in parts of whole lines."""
    for part in whole_lines(parts):
        if text := apply(normalize(part)):
            yield text
