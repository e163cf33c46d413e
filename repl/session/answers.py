"""What a line leads to, as data: the terminal shows it, and knows nothing of how it came about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import engine
from repl.view.style import Fragments


@dataclass(frozen=True, slots=True)
class Edit:
    """A text for the writer's editor, and what to do with what comes back."""

    text: str
    then: Callable[[str], Answer]


@dataclass(frozen=True, slots=True)
class Walk:
    """A turn to walk over token by token, and what to do with a place and another token for it."""

    places: Sequence[engine.Place]
    then: Callable[[int, engine.Token], Answer]


@dataclass(frozen=True, slots=True)
class Answer:
    """A message, a picture, a reply that is being written or several beside each other, a text to edit, a walk."""

    message: str = ""
    reply: engine.Reply | None = None
    replies: tuple[engine.Reply, ...] = ()
    picture: Fragments = ()
    edit: Edit | None = None
    walk: Walk | None = None
    speaker: str = ""
    """Whose line the reply is, in a chat."""
    is_asked_for: bool = False
    """Whether the message is what the writer asked to see, and not a remark."""
