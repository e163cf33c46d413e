"""Words as tokens: splits a text into words, and puts the spaces back. Knows no file and no model.

`vocabulary.json` names one of two ways to split:

"words": for texts as people write them. Words, punctuation marks, line ends and runs of white space are tokens. A
single space is not: it stands before a word and not before a comma, as `usual_space` says. Where the text differs from
that, the token begins with a mark. So a text of known tokens comes back verbatim, except for one space at its end,
which belongs to the next word.
"spaces": for texts that were split before, such as Penn Treebank's. Tokens are what stands between white space; they
are joined with one space, and none at the beginning of a line.

In both, "\\n" is a token, and `<unk>` in the text is the unknown token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from engine.text.substitutes import word_substitutes

UNKNOWN = "<unk>"
JOINED = "\u2060"  # the mark of a token without the space that usually stands before it (Unicode's word joiner)
APART = " "  # and of one with a space where none is usual
SPLITS = ("words", "spaces")
CLOSING = frozenset(",.;:!?)]}”»…%")
OPENING = frozenset("([{“‘«$#£€")
BOTH = frozenset("-–—/_")  # join what stands on both sides
QUOTES = frozenset("\"'")  # without a mark they open
_WORDS = re.compile(r"( (?=\S|\n))?(\n|[^\S\n]+|<unk>|[^\W_]+(?:['’][^\W_]+)*|-{2,}|\.{2,}|[^\w\s]|_)")
_SPACES = re.compile(r"()(\n|\S+)")
MAX_CACHED = 1 << 20  # words


def surfaces(text: str, split: str) -> list[tuple[str, str]]:
    """Split a text: each token as the text has it, after the single space before it, or ""."""
    tokens: list[tuple[str, str]] = (_WORDS if split == "words" else _SPACES).findall(text)
    if tokens and tokens[-1][1] == " ":
        tokens.pop()
    return tokens


def usual_space(joins: bool, surface: str) -> str:
    """The usual space before a word, " " or "". `joins` says that the token before it takes none after it."""
    is_joined = joins or surface[0] in CLOSING or surface[0] in BOTH or surface.isspace()
    return "" if is_joined else " "


def joins_next(token: str, split: str) -> bool:
    """Whether no space follows a token."""
    if split == "spaces":
        return token == "\n"
    bare = unmarked(token)
    return bare in OPENING or bare.isspace() or (token == bare and (bare[0] in BOTH or bare in QUOTES))


def unmarked(token: str) -> str:
    """A token without its mark."""
    is_marked = len(token) > 1 and (
        token.startswith(JOINED) or (token.startswith(APART) and (not token.isspace() or "\n" in token))
    )
    return token[1:] if is_marked else token


def marked(joins: bool, gap: str, surface: str) -> str:
    """A token with the mark that it needs, given what stands before it in the text."""
    if surface == UNKNOWN or usual_space(joins, surface) == gap:
        return surface
    return (APART if gap else JOINED) + surface


def tokenize(text: str, split: str, before: str | None = None) -> list[str]:
    """The tokens, with marks, of a text that follows the token `before`."""
    if split == "spaces":
        return [surface for _, surface in surfaces(text, split)]
    cache: dict[tuple[bool, str, str], tuple[str, bool]] = {}
    tokens, joins = [], before is None or joins_next(before, split)
    for gap, surface in surfaces(text, split):
        entry = cache.get((joins, gap, surface))
        if entry is None:
            token = marked(joins, gap, surface)
            cache[joins, gap, surface] = entry = token, joins_next(token, split)
        token, joins = entry
        tokens.append(token)
    return tokens


class Words:
    """A vocabulary of words: encodes text, and has each token's text."""

    def __init__(self, tokens: Sequence[str], ids: Mapping[str, int], unknown: str | None, split: str) -> None:
        self._tokens, self._ids, self._unknown, self._split = tokens, ids, unknown, split
        self.joins = [joins_next(token, split) for token in tokens]
        self.pieces = {joins: [self._piece(joins, token) for token in tokens] for joins in (False, True)}
        # from what stands before a word and the word itself to its id (-1 for none), its text, its substitute
        self._cache: dict[tuple[bool, str, str], tuple[int, str, str | None]] = {}

    def _piece(self, joins: bool, token: str) -> str:
        if self._split == "spaces":
            return token if joins or token == "\n" else " " + token
        bare = unmarked(token)
        if token == bare:
            return usual_space(joins, bare) + bare
        return bare if token[0] == JOINED else token

    def encode(self, text: str, before: int | None) -> tuple[list[int], dict[str, str], str, int, int]:
        """Ids, the substitutes of unseen words, the text as it is read, its number of characters and of unseen words.

        The characters are those of the given text without what was dropped; with the split "spaces", those with one
        space between two words.
        """
        joins = before is None or self.joins[before]
        ids: list[int] = []
        read: list[str] = []
        replaced: dict[str, str] = {}
        unseen = dropped = 0
        cache = self._cache
        for gap, surface in surfaces(text, self._split):
            entry = cache.get((joins, gap, surface))
            if entry is None:
                entry = self._find(joins, gap, surface)
            index, piece, substitute = entry
            if substitute is not None:
                unseen += 1
                replaced[surface] = substitute
                if index < 0:
                    dropped += len(gap) + len(surface)
                    continue
            ids.append(index)
            read.append(piece)
            joins = self.joins[index]
        read_text = "".join(read)
        characters = len(read_text)
        if self._split == "words":
            is_left_out = text.endswith(" ") and (not text[-2:-1].isspace() or text[-2] == "\n")  # by `surfaces`
            characters = len(text) - dropped - is_left_out
        return ids, replaced, read_text, characters, unseen

    def _find(self, joins: bool, gap: str, surface: str) -> tuple[int, str, str | None]:
        substitute = None
        index = self._look_up(joins, gap, surface)
        if index < 0:
            substitute = self._substitute(joins, gap, surface)
            index = self._look_up(joins, gap, substitute) if substitute else -1
        piece = ""
        if index >= 0:  # the token's space, the text's letters
            piece = self.pieces[joins][index].removesuffix(self._bare(index)) + surface
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[joins, gap, surface] = index, piece, substitute
        return index, piece, substitute

    def _look_up(self, joins: bool, gap: str, surface: str) -> int:
        """The token for a word: with its right space, else with another; -1 for none. Two words are never joined."""
        would_join = bool(gap) and surface[0].isalnum()
        forms = marked(joins, gap, surface), surface, APART + surface, *(() if would_join else (JOINED + surface,))
        for token in forms:
            index = self._ids.get(token, -1)
            if index >= 0 and self._bare(index) == surface:
                return index
        return -1

    def _bare(self, index: int) -> str:
        token = self._tokens[index]
        return token if self._split == "spaces" else unmarked(token)

    def _substitute(self, joins: bool, gap: str, surface: str) -> str:
        if surface.isspace():  # a shorter run of white space
            runs = (surface[:size] for size in range(len(surface) - 1, 0, -1))
            return next((run for run in runs if self._look_up(joins, gap, run) >= 0), "")
        known = (word for word in word_substitutes(surface) if self._look_up(joins, gap, word) >= 0)
        return next(known, self._unknown or "")


class WordDecoder:
    """Joins words, one after the other. They are always whole."""

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
