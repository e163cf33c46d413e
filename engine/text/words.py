"""Words as tokens: how a text falls into them, and where the spaces go when they are put together again.

Two ways to split, named in `vocabulary.json`:

"words": a text as people write it falls into words, punctuation marks, line ends and runs of white space. A single
space is no token: it stands before a word and not before a comma, as `rule` has it. Where the text has it otherwise,
the token carries a mark in front, so that every text of known tokens comes back to the letter (but for one space at
its very end, which belongs to the word to come).
"spaces": a text that was split before, as Penn Treebank's files, falls apart at its white space; tokens are put
together with one space between them and none at a line's beginning.

In both, "\\n" is a token, and `<unk>` in the text is the unknown token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from engine.text.substitutes import near_words

UNKNOWN = "<unk>"
JOINED = "\u2060"  # the mark of a token without the space that the rule puts before it (Unicode's word joiner)
APART = " "  # and of one with a space where the rule has none
SPLITS = ("words", "spaces")
CLOSING = frozenset(",.;:!?)]}”»…%")
OPENING = frozenset("([{“‘«$#£€")
BOTH = frozenset("-–—/_")  # join what stands on both sides
QUOTES = frozenset("\"'")  # without a mark they open
_WORDS = re.compile(r"( (?=\S|\n))?(\n|[^\S\n]+|<unk>|[^\W_]+(?:['’][^\W_]+)*|-{2,}|\.{2,}|[^\w\s]|_)")
_SPACES = re.compile(r"()(\n|\S+)")
MAX_REMEMBERED = 1 << 20  # words that the way to read them is kept of


def surfaces(text: str, split: str) -> list[tuple[str, str]]:
    """The tokens of a text as it has them, each after the single space that stands before it, or ""."""
    found: list[tuple[str, str]] = (_WORDS if split == "words" else _SPACES).findall(text)
    if found and found[-1][1] == " ":
        found.pop()
    return found


def rule(joins: bool, surface: str) -> str:
    """The space before a word, " " or "": `joins` tells of the token before it, or of a beginning."""
    is_joined = joins or surface[0] in CLOSING or surface[0] in BOTH or surface.isspace()
    return "" if is_joined else " "


def joins_next(token: str, split: str) -> bool:
    """Whether what follows a token stands next to it."""
    if split == "spaces":
        return token == "\n"
    bare = unmarked(token)
    return bare in OPENING or bare.isspace() or (token == bare and (bare[0] in BOTH or bare in QUOTES))


def unmarked(token: str) -> str:
    """The letters of a token."""
    is_marked = len(token) > 1 and (
        token.startswith(JOINED) or (token.startswith(APART) and (not token.isspace() or "\n" in token))
    )
    return token[1:] if is_marked else token


def marked(joins: bool, gap: str, surface: str) -> str:
    """A token as the vocabulary has it, given what stands before it in the text."""
    if surface == UNKNOWN or rule(joins, surface) == gap:
        return surface
    return (APART if gap else JOINED) + surface


def tokenize(text: str, split: str, before: str | None = None) -> list[str]:
    """The marked tokens of a text that follows the token `before`, as a vocabulary is made from."""
    if split == "spaces":
        return [surface for _, surface in surfaces(text, split)]
    remembered: dict[tuple[bool, str, str], tuple[str, bool]] = {}
    tokens, joins = [], before is None or joins_next(before, split)
    for gap, surface in surfaces(text, split):
        found = remembered.get((joins, gap, surface))
        if found is None:
            token = marked(joins, gap, surface)
            remembered[joins, gap, surface] = found = token, joins_next(token, split)
        token, joins = found
        tokens.append(token)
    return tokens


class Words:
    """A vocabulary of words: reads text and puts words together."""

    def __init__(self, tokens: Sequence[str], ids: Mapping[str, int], unknown: str | None, split: str) -> None:
        self._tokens, self._ids, self._unknown, self._split = tokens, ids, unknown, split
        self.joins = [joins_next(token, split) for token in tokens]
        self.pieces = {joins: [self._piece(joins, token) for token in tokens] for joins in (False, True)}
        # by what stands before a word and the word itself: its id (-1 for none), its text, its stand-in
        self._remembered: dict[tuple[bool, str, str], tuple[int, str, str | None]] = {}

    def _piece(self, joins: bool, token: str) -> str:
        if self._split == "spaces":
            return token if joins or token == "\n" else " " + token
        bare = unmarked(token)
        return bare if token != bare and token[0] == JOINED else token if token != bare else rule(joins, bare) + bare

    def encode(self, text: str, before: int | None) -> tuple[list[int], dict[str, str], str, int, int]:
        """Ids, what stood in for unseen words, the text with its spaces as they are read, its characters, unseen words.

        The characters are those of the text as given, without what was left out; of a text that was split before,
        those with one space between two words.
        """
        joins = before is None or self.joins[before]
        ids: list[int] = []
        read: list[str] = []
        replaced: dict[str, str] = {}
        unseen = dropped = 0
        remembered = self._remembered
        for gap, surface in surfaces(text, self._split):
            found = remembered.get((joins, gap, surface))
            if found is None:
                found = self._remember(joins, gap, surface)
            index, piece, stand_in = found
            if stand_in is not None:
                unseen += 1
                replaced[surface] = stand_in
                if index < 0:
                    dropped += len(gap) + len(surface)
                    continue
            ids.append(index)
            read.append(piece)
            joins = self.joins[index]
        told = "".join(read)
        characters = len(told)
        if self._split == "words":
            is_left_out = text.endswith(" ") and (not text[-2:-1].isspace() or text[-2] == "\n")  # by `surfaces`
            characters = len(text) - dropped - is_left_out
        return ids, replaced, told, characters, unseen

    def _remember(self, joins: bool, gap: str, surface: str) -> tuple[int, str, str | None]:
        stand_in = None
        index = self._look_up(joins, gap, surface)
        if index < 0:
            stand_in = self._stand_in(joins, gap, surface)
            index = self._look_up(joins, gap, stand_in) if stand_in else -1
        piece = ""
        if index >= 0:  # the space of the token that is read, the letters of the text
            piece = self.pieces[joins][index].removesuffix(self._bare(index)) + surface
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[joins, gap, surface] = index, piece, stand_in
        return index, piece, stand_in

    def _look_up(self, joins: bool, gap: str, surface: str) -> int:
        """The token for a word: with its right space, else with another; -1 for none."""
        for token in (marked(joins, gap, surface), surface, APART + surface, JOINED + surface):
            index = self._ids.get(token, -1)
            if index >= 0 and self._bare(index) == surface:
                return index
        return -1

    def _bare(self, index: int) -> str:
        token = self._tokens[index]
        return token if self._split == "spaces" else unmarked(token)

    def _stand_in(self, joins: bool, gap: str, surface: str) -> str:
        if surface.isspace():  # a shorter run of white space
            runs = (surface[:size] for size in range(len(surface) - 1, 0, -1))
            return next((run for run in runs if self._look_up(joins, gap, run) >= 0), "")
        known = (word for word in near_words(surface) if self._look_up(joins, gap, word) >= 0)
        return next(known, self._unknown or "")


class WordDecoder:
    """Puts words together, one after the other. They are always whole."""

    tail = 0

    def __init__(self, words: Words, before: int | None) -> None:
        self._words = words
        self._joins = before is None or words.joins[before]

    def add(self, ids: Iterable[int]) -> str:
        """The text of some more tokens."""
        pieces, words, joins = [], self._words, self._joins
        for index in ids:
            pieces.append(words.pieces[joins][index])
            joins = words.joins[index]
        self._joins = joins
        return "".join(pieces)
