"""Text to token ids and back: characters the model never saw, and decoding a token at a time.

Knows no model and no file format beyond the keys of `vocabulary.json`.

Treatment of a character that the model never saw, in this order:
1. the text is normalized (Unicode NFC, line ends as "\\n");
2. a near equivalent that the model knows stands in (straight for curly quotes, "-" for dashes, "..." for an
   ellipsis, the letter without its accent, the other case);
3. the vocabulary's `unknown` token, if it has one;
4. else the character is dropped.
`Encoding.replaced` tells what became of it, so that a front end can say it once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1
START = "\n"  # what an empty conversation goes on from
NEAR = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "″": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "--", "―": "--", "−": "-",
    "…": "...", "•": "*", "·": ".", "×": "x", "⁄": "/",
    "\t": " ", "\u00a0": " ", "\u2028": "\n", "\u2029": "\n",
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "ł": "l", "Ł": "L",
    '"': "'",
}  # fmt: skip


def normalize(text: str) -> str:
    """Unicode NFC with line ends as "\\n": what training and encoding both see."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


@dataclass(frozen=True, slots=True)
class Encoding:
    """The ids `[N]` of a text, and what stood in for each unseen character ("" where it was dropped)."""

    ids: NDArray[np.int32]
    replaced: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a model in id order. Raises `ValueError` if they are no vocabulary."""

    tokens: tuple[str, ...]
    level: str = "char"
    unknown: str | None = None
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.level != "char":
            raise ValueError(f"level {self.level!r}: this version knows 'char'")
        if not self.tokens or not all(isinstance(token, str) and token for token in self.tokens):
            raise ValueError("tokens: must be a list of strings, none of them empty")
        ids = {token: index for index, token in enumerate(self.tokens)}
        if len(ids) != len(self.tokens):
            twice = next(token for index, token in enumerate(self.tokens) if ids[token] != index)
            raise ValueError(f"tokens: {twice!r} stands twice")
        if self.unknown is not None and not (isinstance(self.unknown, str) and self.unknown in ids):
            raise ValueError(f"unknown {self.unknown!r}: is not among the tokens")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Every character of a normalized text, in code point order."""
        return cls(tuple(sorted(set(text))))

    @classmethod
    def from_json(cls, data: Any) -> Vocabulary:
        """Raises `ValueError` that says what is wrong with the object."""
        if not isinstance(data, dict):
            raise ValueError("must be a JSON object with the key 'tokens'")
        if data.get("version") != VERSION:
            raise ValueError(f"version {data.get('version')!r}: this program reads version {VERSION}")
        tokens, unknown = data.get("tokens"), data.get("unknown")
        if not isinstance(tokens, list):
            raise ValueError("tokens: must be a list of strings")
        return cls(tuple(tokens), data.get("level", "char"), unknown)

    def to_json(self) -> dict[str, Any]:
        """The object that `vocabulary.json` holds."""
        return {
            "version": VERSION,
            "level": self.level,
            "tokens": list(self.tokens),
            "unknown": self.unknown,
        }

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def unknown_id(self) -> int | None:
        """The id that stands for anything unseen; never written by a model."""
        return None if self.unknown is None else self._ids[self.unknown]

    @property
    def start_id(self) -> int:
        """The token that a conversation without any text goes on from: a line end, else a space, else 0."""
        return self._ids.get(START, self._ids.get(" ", 0))

    def encode(self, text: str) -> Encoding:
        """The ids of a text, with unseen characters treated as the module's docstring says."""
        replaced: dict[str, str] = {}
        ids: list[int] = []
        known = self._ids
        for character in normalize(text):
            index = known.get(character)
            if index is not None:
                ids.append(index)
                continue
            if character not in replaced:
                replaced[character] = self._stand_in(character)
            stand_in = replaced[character]
            ids.extend([known[stand_in]] if stand_in == self.unknown else [known[c] for c in stand_in])
        return Encoding(np.array(ids, np.int32), replaced)

    def decode(self, ids: Sequence[int] | NDArray[np.int32]) -> str:
        """The text of some ids."""
        return "".join([self.tokens[index] for index in ids])

    def _stand_in(self, character: str) -> str:
        for candidate in near_equivalents(character):
            if all(c in self._ids for c in candidate):
                return candidate
        return self.unknown or ""


def near_equivalents(character: str) -> list[str]:
    """What could stand in for a character, nearest first."""
    plain = unicodedata.normalize("NFKC", character)
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    near = NEAR.get(character, "")
    candidates = [
        unicodedata.normalize("NFD", character), near, NEAR.get(near, ""), plain, bare,
        character.lower(), character.upper(), near.lower(), bare.lower(), bare.upper(),
    ]  # fmt: skip
    return [candidate for candidate in candidates if candidate and candidate != character]
