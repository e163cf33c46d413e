"""A model's vocabulary: text to token ids and back. Knows no model, and of files the keys of `vocabulary.json` alone.

A token is a character ("char"), a word or punctuation mark ("word", see `words`), or bytes of UTF-8 ("bpe", see
`byte_pairs`). Text is normalized (Unicode NFC, line ends as "\\n"). A character or word that the model never saw (of
byte pairs, where `characters` tells what it saw) is replaced by the first of these that there is, which
`Encoding.replaced` lists:
1. a known substitute (straight for curly quotes, "-" for dashes, "..." for an ellipsis, the letter without its
   accent, the other case);
2. the vocabulary's `unknown` token;
3. nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.names import normalize as normalize
from engine.text.byte_pairs import ByteDecoder, BytePairs, token_bytes
from engine.text.substitutes import character_substitutes
from engine.text.words import SPLITS, WordDecoder, Words

VERSION = 1
START = "\n"  # what an empty conversation begins with
LEVELS = ("char", "word", "bpe")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The ids `[N]` of a text, and the substitute of each unseen character or word ("" where it was dropped)."""

    ids: NDArray[np.int32]
    replaced: Mapping[str, str]
    text: str
    """The normalized text, its spaces as the model reads them (words alone may change them)."""
    characters: int
    """How many characters of the text the ids stand for."""
    unseen: int = 0
    """How many times something unseen was met."""


class Decoder(Protocol):
    """Text from tokens that come one after the other."""

    tail: int
    """How many of the latest tokens are held back, for their last character is not whole yet."""

    def add(self, ids: Sequence[int]) -> str:
        """Take more tokens; returns the whole characters."""
        ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of a model in id order. Raises `ValueError` if they are no vocabulary."""

    tokens: tuple[str, ...]
    level: str = "char"
    unknown: str | None = None
    split: str = "words"  # of words
    merges: tuple[tuple[str, str], ...] = ()  # of byte pairs
    unwritten: tuple[int, ...] = ()  # ids that stand for no text: read from none, never written
    characters: str = ""  # of byte pairs: those that were learned from; "" where that is not known
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _known: Collection[str] = field(init=False, repr=False, compare=False)  # characters, none where all are
    _texts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _words: Words | None = field(init=False, repr=False, compare=False)
    _pairs: BytePairs | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"level {self.level!r}: this version knows {', '.join(map(repr, LEVELS))}")
        if not self.tokens or not all(isinstance(token, str) and token for token in self.tokens):
            raise ValueError("tokens: must be a list of strings, none of them empty")
        ids = {token: index for index, token in enumerate(self.tokens)}
        if len(ids) != len(self.tokens):
            twice = next(token for index, token in enumerate(self.tokens) if ids[token] != index)
            raise ValueError(f"tokens: {twice!r} stands twice")
        if self.unknown is not None and not (isinstance(self.unknown, str) and self.unknown in ids):
            raise ValueError(f"unknown {self.unknown!r}: is not among the tokens")
        if self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}: this version knows {', '.join(map(repr, SPLITS))}")
        self._check_unwritten()
        for index in self.unwritten:  # no text is read as one of them
            del ids[self.tokens[index]]
        is_word, is_bpe = self.level == "word", self.level == "bpe"
        words = Words(self.tokens, ids, self.unknown, self.split) if is_word else None
        if self.characters and not is_bpe:
            raise ValueError("characters: are told of byte pairs only")
        object.__setattr__(self, "_ids", ids)
        object.__setattr__(self, "_known", frozenset(self.characters) if is_bpe else ids)
        texts = tuple("" if index in self.unwritten else token for index, token in enumerate(self.tokens))
        object.__setattr__(self, "_texts", texts)
        object.__setattr__(self, "_words", words)
        object.__setattr__(self, "_pairs", BytePairs(self.tokens, self.merges) if is_bpe else None)

    def _check_unwritten(self) -> None:
        size = len(self.tokens)
        for index in self.unwritten:
            if type(index) is not int or not 0 <= index < size:
                raise ValueError(f"unwritten {index!r}: must be ids from 0 to {size - 1}")
        if len({*self.unwritten}) != len(self.unwritten):
            raise ValueError("unwritten: an id stands twice")
        if self.unknown is not None and self.tokens.index(self.unknown) in self.unwritten:
            raise ValueError(f"unwritten: {self.unknown!r} is the unknown token, which is never written anyway")
        if self.unwritten and size - len(self.unwritten) - (self.unknown is not None) < 1:
            raise ValueError("unwritten: leaves no token to write")
        if self.unwritten and self.level == "bpe":
            raise ValueError("unwritten: byte pairs have no such ids")

    @classmethod
    def from_json(cls, data: Any) -> Vocabulary:
        """Raises `ValueError` that says what is wrong with the object."""
        if not isinstance(data, dict):
            raise ValueError("must be a JSON object with the key 'tokens'")
        if data.get("version") != VERSION:
            raise ValueError(f"version {data.get('version')!r}: this program reads version {VERSION}")
        tokens, unknown, merges = data.get("tokens"), data.get("unknown"), data.get("merges", [])
        if not isinstance(tokens, list):
            raise ValueError("tokens: must be a list of strings")
        if not isinstance(merges, list) or not all(isinstance(pair, str) and pair.count(" ") == 1 for pair in merges):
            raise ValueError("merges: must be a list of strings, each of two tokens with a space between")
        characters = data.get("characters", "")
        if not isinstance(characters, str):
            raise ValueError("characters: must be a string")
        unwritten = data.get("unwritten", [])
        if not isinstance(unwritten, list):
            raise ValueError("unwritten: must be a list of ids")
        pairs = tuple((one, other) for one, other in (pair.split(" ") for pair in merges))
        level, split = data.get("level", "char"), data.get("split", "words")
        return cls(tuple(tokens), level, unknown, split, pairs, tuple(unwritten), characters)

    def to_json(self) -> dict[str, Any]:
        """The object that `vocabulary.json` holds."""
        further: dict[str, dict[str, Any]] = {
            "char": {},
            "word": {"split": self.split},
            "bpe": {
                "merges": [" ".join(pair) for pair in self.merges],
                **({"characters": self.characters} if self.characters else {}),
            },
        }
        return {
            "version": VERSION,
            "level": self.level,
            "tokens": list(self.tokens),
            "unknown": self.unknown,
            **further[self.level],
            **({"unwritten": list(self.unwritten)} if self.unwritten else {}),
        }

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown token, which a model never writes."""
        return None if self.unknown is None else self._ids[self.unknown]

    @property
    def never_written(self) -> tuple[int, ...]:
        """The ids that a model never writes: the unknown token's and those that stand for no text."""
        unknown = self.unknown_id
        return self.unwritten if unknown is None else (unknown, *self.unwritten)

    @property
    def start_id(self) -> int:
        """The token that an empty conversation begins with: a line end, else a space, else the first."""
        if self._pairs is not None:
            return self._pairs.bytes.index(START.encode())
        return self._ids.get(START, self._ids.get(" ", next(iter(self._ids.values()))))

    @property
    def may_split(self) -> bool:
        """Whether a token may end within a character."""
        return self._pairs is not None

    def encode(self, text: str, before: int | None = None) -> Encoding:
        """The ids of a text. Unseen characters or words are replaced as the module's docstring says.

        `before` is the token that the text follows, None at the beginning. A word's space depends on it.
        """
        text = normalize(text)
        if self._pairs is not None:
            return self._encode_bytes(self._pairs, text)
        if self._words is not None:
            ids, replaced, read, characters, unseen = self._words.encode(text, before)
            return Encoding(np.array(ids, np.int32), replaced, read, characters, unseen)
        return self._encode_characters(text)

    def reopened(self, ids: Sequence[int]) -> int:
        """How many tokens at a prompt's end are open: a last word that other byte pairs could write and go on with."""
        return 0 if self._pairs is None else self._pairs.reopened(ids)

    def continuing(self, ids: Sequence[int]) -> list[int]:
        """The tokens that may be written first where these are open: the first of them, and all that cover them all."""
        return [] if self._pairs is None else self._pairs.continuing(ids)

    def decoder(self, before: int | None = None) -> Decoder:
        """A decoder for a text that follows the token `before`."""
        if self._pairs is not None:
            return ByteDecoder(self._pairs.bytes)
        if self._words is not None:
            return WordDecoder(self._words, before)
        return CharacterDecoder(self._texts)

    def decode(self, ids: Sequence[int] | NDArray[np.int32], before: int | None = None) -> str:
        """The text of some ids; bytes that are no whole character become U+FFFD."""
        decoder = self.decoder(before)
        text = decoder.add(ids if isinstance(ids, list | tuple) else np.asarray(ids).tolist())
        return text + decoder.end() if isinstance(decoder, ByteDecoder) else text

    def written(self, before: int | None = None) -> Sequence[str] | Sequence[bytes]:
        """What each token writes after the token `before`: texts, or of byte pairs bytes of UTF-8."""
        if self._pairs is not None:
            return self._pairs.bytes
        return self._texts if self._words is None else self._words.pieces[before is None or self._words.joins[before]]

    def shown(self, index: int, before: int | None = None) -> str:
        """A single token as people see it, after the token `before`: half a character as the values of its bytes."""
        if self._pairs is None:
            return self.decode([index], before)
        return token_bytes(self.tokens[index]).decode("utf-8", "backslashreplace")

    def _encode_bytes(self, pairs: BytePairs, text: str) -> Encoding:
        """Byte pairs can write any character, but the network knows nothing of one that it never read."""
        strange = sorted(set(text).difference(self._known)) if self._known else []
        replaced = {character: self._substitute(character) for character in strange}
        read = text.translate({ord(old): new for old, new in replaced.items()}) if replaced else text
        unseen = sum(map(text.count, replaced))
        return Encoding(np.array(pairs.encode(read), np.int32), replaced, text, len(read), unseen)

    def _encode_characters(self, text: str) -> Encoding:
        replaced: dict[str, str] = {}
        ids: list[int] = []
        known, unseen = self._ids, 0
        for character in text:
            index = known.get(character)
            if index is not None:
                ids.append(index)
                continue
            unseen += 1
            if character not in replaced:
                replaced[character] = self._substitute(character)
            substitute = replaced[character]
            ids.extend([known[substitute]] if substitute == self.unknown else [known[c] for c in substitute])
        return Encoding(np.array(ids, np.int32), replaced, text, len(ids), unseen)

    def _substitute(self, character: str) -> str:
        for candidate in character_substitutes(character):
            if all(c in self._known for c in candidate):
                return candidate
        return self.unknown or ""


class CharacterDecoder:
    """Puts characters together. They are always whole."""

    tail = 0

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens

    def add(self, ids: Sequence[int]) -> str:
        """The text of some more tokens."""
        return "".join([self._tokens[index] for index in ids])
