"""Byte-level byte pairs as tokens (Sennrich et al. 2016; Radford et al. 2019), which can write any text.

A token is some bytes of UTF-8, with GPT-2's letter for each byte in `vocabulary.json`. Text is encoded line by line, so
a long text may be cut at any line end. A token may end within a character, which the decoder holds back until it is
whole. The `tokenizers` library encodes; it is imported when first needed. Knows no file.
"""

from __future__ import annotations

import bisect
import codecs
import functools
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

MANY_LINES = 64  # from so many on, all cores encode
LONGEST_WORD = 32  # tokens; a longer last word of a prompt is taken as it is
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def letters() -> list[str]:
    """GPT-2's letter for each byte: the same code where it is visible, else one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in seen else chr(next(others)) for byte in range(256)]


_BYTE_OF = {letter: byte for byte, letter in enumerate(letters())}


def token_bytes(token: str) -> bytes:
    """The bytes of a token. Raises `ValueError` if it has another letter."""
    try:
        return bytes(_BYTE_OF[letter] for letter in token)
    except KeyError as error:
        raise ValueError(f"tokens: {token!r} has {error.args[0]!r}, which stands for no byte") from None


def lines(text: str) -> list[str]:
    """The lines of a text with their ends."""
    return _LINES.findall(text)


def train(texts: Iterable[str], size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Learn at most `size` tokens and the merges that make them. All 256 bytes are among them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=sorted(letters()), special_tokens=[]
    )
    tokenizer.train_from_iterator((line for text in texts for line in lines(text)), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    return tokens, [(one, other) for one, other in pairs]


class BytePairs:
    """Encodes text with given tokens and merges. Raises `ValueError` if these do not fit each other."""

    def __init__(self, tokens: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        known = set(tokens)
        missing = [letter for letter in letters() if letter not in known]
        if missing:
            raise ValueError(f"tokens: a byte-pair vocabulary has all 256 bytes, and {missing[0]!r} is not there")
        for one, other in merges:
            if not {one, other, one + other} <= known:
                raise ValueError(f"merges: {one!r} and {other!r} or what they make are not among the tokens")
        self.bytes = [token_bytes(token) for token in tokens]
        self._parts = {token: index for index, token in enumerate(tokens)}, list(merges)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, line by line."""
        clean = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no character
        parts = lines(clean)
        if len(parts) < MANY_LINES:
            return [index for line in parts for index in self._tokenizer.encode(line).ids]
        return [index for encoding in self._tokenizer.encode_batch_fast(parts) for index in encoding.ids]

    def reopened(self, ids: Sequence[int]) -> int:
        """How many tokens at the end are a last word that other tokens could write, too, and go on with."""
        text = b"".join(self.bytes[index] for index in ids[-2 * LONGEST_WORD :]).decode("utf-8", "ignore")
        line = lines(text)[-1:]
        if not line or line[0].endswith("\n"):
            return 0
        size, count = len(self._tokenizer.pre_tokenizer.pre_tokenize_str(line[0])[-1][0]), 0  # a letter a byte
        while size > 0 and count < min(LONGEST_WORD, len(ids)):
            count += 1
            size -= len(self.bytes[ids[-count]])
        if size != 0:
            return 0
        word = ids[len(ids) - count :]
        return count if any(len(self.continuing(word[begin:])) > 1 for begin in range(count)) else 0

    def continuing(self, ids: Sequence[int]) -> list[int]:
        """The tokens that may be written first where these are open: the first of them, and all that cover them all."""
        prefix = b"".join(self.bytes[index] for index in ids)
        begin = bisect.bisect_left(self._ranked, prefix, key=self.bytes.__getitem__)
        covering = itertools.takewhile(lambda index: self.bytes[index].startswith(prefix), self._ranked[begin:])
        return [*([] if len(ids) == 1 else ids[:1]), *covering]

    @functools.cached_property
    def _ranked(self) -> list[int]:
        """The ids in the order of their bytes."""
        return sorted(range(len(self.bytes)), key=self.bytes.__getitem__)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers

        tokenizer: Any = Tokenizer(models.BPE(vocab=self._parts[0], merges=self._parts[1]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer


class ByteDecoder:
    """Joins bytes to whole characters; bytes that are not UTF-8 become U+FFFD."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.tail = 0  # tokens at the end that are held back, for the last one ends within a character
        self._pieces, self._held = pieces, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, ids: Sequence[int]) -> str:
        """Take more tokens; returns the whole characters."""
        whole = []
        for index in ids:
            self._held += self._decoder.decode(self._pieces[index])
            if self._decoder.getstate()[0]:
                self.tail += 1
            else:
                whole.append(self._held)
                self.tail, self._held = 0, ""
        return "".join(whole)

    def end(self) -> str:
        """What is left; half a character becomes U+FFFD."""
        return self._held + self._decoder.decode(b"", final=True)
