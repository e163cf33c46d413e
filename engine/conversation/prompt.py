"""What a conversation feeds the network for a text. Knows no tree and no thread.

A byte pair stands for a whole word or more, so what a person types mostly ends within one: after "Once upon a ti" the
tokens " t" and "i" would never go on with "me", for the model has read " time" as one token. So a prompt's last word
stays open: its tokens are not fed, and what follows writes it again with any tokens that spell it and perhaps go on
("token healing"). It is the same text and an exact state, and a function of what was typed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from engine.conversation.checkpoint import Checkpoint
from engine.names import normalize
from engine.text.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text that is to be fed: `start` has its tokens as pending ones, and `text` as the model reads it.

    The `tokens` begin with those of a word that was open before. `unseen` has what the model never saw.
    """

    start: Checkpoint
    text: str = ""
    tokens: tuple[int, ...] = ()
    unseen: dict[str, str] = field(default_factory=dict)


def read_prompt(vocabulary: Vocabulary, start: Checkpoint, text: str, reopened: int | None = None) -> Prompt:
    """The prompt of a text after `start`. Its last `reopened` tokens stay open; None for those that should."""
    if not text:
        return Prompt(start)
    settled, open_text = start.settled, vocabulary.decode(start.open)
    encoding = vocabulary.encode(open_text + text, settled[-1] if settled else None)
    tokens = tuple(encoding.ids.tolist())
    pending = settled + tokens
    count = vocabulary.reopened(tokens) if reopened is None else reopened
    count = max(0, min(count, len(pending) - 1))  # something must come before, for the network to go on from
    read = normalize(text) if open_text else encoding.text
    return Prompt(replace(start, pending=pending, reopened=count), read, tokens, dict(encoding.replaced))
