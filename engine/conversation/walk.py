"""A turn token by token: what could have stood at each place, what a branch from there begins with. Knows no network.

A place is a token's index in its turn. A place has no choices where nothing comes before it: at a story's first token.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.conversation.checkpoint import Checkpoint
from engine.conversation.drawn import Drawn
from engine.conversation.tree import Turn
from engine.text.vocabulary import Vocabulary


class Token(str):
    """A token as people see it, and its `id`: two tokens may look alike."""

    id: int

    def __new__(cls, text: str, id: int) -> Token:
        made = super().__new__(cls, text)
        made.id = id
        return made


Choices = tuple[tuple[Token, float], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a turn: its token, what that adds to the turn's text, its surprisal, and what else could stand here.

    The text is "" where the token ends within a character; the one that makes it whole has all of it. The surprisal is
    None and there are no `others` where nothing comes before. `others` are the likeliest other tokens with their
    probabilities, likeliest first.
    """

    token: Token
    text: str
    surprisal_bits: float | None
    others: Choices


@dataclass(frozen=True, slots=True)
class Branch:
    """What a branch begins with: the tokens and the text of a new prompt, if any, and then a reply's first tokens."""

    prompt: tuple[int, ...]
    text: str
    begun: tuple[int, ...]


def texts(vocabulary: Vocabulary, before: Checkpoint, tokens: tuple[int, ...]) -> list[str]:
    """What each token of a turn after the checkpoint `before` adds to its text."""
    drawn = _drawn(vocabulary, before)
    return [drawn.add([token]) for token in tokens]


def allowed(vocabulary: Vocabulary, before: Checkpoint, tokens: tuple[int, ...]) -> list[list[int] | None]:
    """At each place the tokens that may stand there, None for all: a prompt's open word has to be written again."""
    drawn, found = _drawn(vocabulary, before), list[list[int] | None]()
    for token in tokens:
        found.append(drawn.continuing if drawn.open else None)
        drawn.add([token])
    return found


def branch(vocabulary: Vocabulary, before: Checkpoint, turn: Turn, place: int, token: int) -> Branch:
    """What a branch from a place begins with. The part of a prompt before it stays one, up to its last whole character.

    Raises `ValueError` where the token cannot stand.
    """
    head = turn.tokens[:place]
    may = allowed(vocabulary, before, turn.tokens)[place]
    if token in vocabulary.never_written or (may is not None and token not in may):
        raise ValueError(f"token {vocabulary.shown(token)!r}: cannot stand at place {place}")
    if turn.kind == "reply":
        return Branch((), "", (*head, token))
    drawn, whole, text = _drawn(vocabulary, before), 0, ""
    pieces = [drawn.add([one]) for one in head]
    if drawn.tail < len(head):
        whole = len(head) - drawn.tail
        text = "".join(pieces[:whole])
    return Branch(head[:whole], text, (*head[whole:], token))


def _drawn(vocabulary: Vocabulary, before: Checkpoint) -> Drawn:
    return Drawn(vocabulary, before.settled[-1] if before.settled else None, before.open)
