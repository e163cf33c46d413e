"""Moving about in a story, with what cannot be done said in a member's words."""

from __future__ import annotations

import engine
from bot.plans import check_turn
from bot.stories import NoStory


def take_back(talk: engine.Conversation, turn: int) -> None:
    """Go back to before a reply and the prompt that it answered. Raises `NoStory` if there is no such turn."""
    if not turn:
        raise NoStory("there is nothing to take back")
    go_to(talk, turn)
    kinds = [turn.kind for turn in talk.turns[-2:]]
    go_back(talk, 2 if kinds == ["prompt", "reply"] else 1)


def go_to(talk: engine.Conversation, turn: int) -> None:
    """Jump. Raises `NoStory` if there is no such turn."""
    check_turn(talk, turn)
    talk.goto(turn)


def go_back(talk: engine.Conversation, turns: int) -> None:
    """Take back some turns. Raises `NoStory` if there are fewer."""
    if turns > (there_are := len(talk.turns)):
        raise NoStory(
            f"there are only {there_are} turns to take back" if there_are else "there is nothing to take back"
        )
    talk.undo(turns)


def go_forward(talk: engine.Conversation, turns: int) -> None:
    """Bring back some turns. Raises `NoStory` if there are fewer."""
    try:
        talk.redo(turns)
    except ValueError:
        raise NoStory("there are not so many turns to bring back") from None
