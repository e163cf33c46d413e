"""Moves about in a story and copies it; says what cannot be done in a member's words."""

from __future__ import annotations

from collections.abc import Callable

import engine
from bot.messages.pages import Passage
from bot.stories.access import StoryAccess
from bot.stories.channels import Channel
from bot.stories.refusals import NoStory
from bot.stories.stories import Stories, Story

SHOWN_END = 300  # characters of the story that are shown after a move


def check_turn(conversation: engine.Conversation, turn: int) -> None:
    """Raise `NoStory` if there is no such turn."""
    if turn and all(one.id != turn for one in conversation.tree):
        raise NoStory(f"there is no turn {turn} in this story: /tree shows those that there are")


def take_back(conversation: engine.Conversation, turn: int) -> None:
    """Go back to before a reply and the prompt that it answered. Raises `NoStory` if there is no such turn."""
    if not turn:
        raise NoStory("there is nothing to take back")
    go_to(conversation, turn)
    kinds = [turn.kind for turn in conversation.turns[-2:]]
    go_back(conversation, 2 if kinds == ["prompt", "reply"] else 1)


def go_to(conversation: engine.Conversation, turn: int) -> None:
    """Jump to a turn. Raises `NoStory` if there is no such turn."""
    check_turn(conversation, turn)
    conversation.goto(turn)


def go_back(conversation: engine.Conversation, turns: int) -> None:
    """Take back some turns. Raises `NoStory` if there are fewer."""
    if not (there_are := len(conversation.turns)):
        raise NoStory("there is nothing to take back")
    if turns > there_are:
        count = "is only 1 turn" if there_are == 1 else f"are only {there_are} turns"
        raise NoStory(f"there {count} to take back")
    conversation.undo(turns)


def go_forward(conversation: engine.Conversation, turns: int) -> None:
    """Bring back some turns. Raises `NoStory` if there are fewer."""
    try:
        conversation.redo(turns)
    except ValueError:
        raise NoStory("there are not so many turns to bring back") from None


def story_end(story: Story) -> Passage:
    """The end of a story's text."""
    text = story.conversation.text
    return Passage(engine.last_words(text, SHOWN_END)) if text.strip() else Passage(said="*(the story is empty)*")


def present_turn(story: Story) -> Passage:
    """All of a story's present turn."""
    return Passage(story.conversation.turns[-1].text.lstrip("\n"))


async def move_in_story(
    access: StoryAccess, channel: Channel, act: Callable[[engine.Conversation], None], serial: int | None = None,
    shown: Callable[[Story], Passage] = story_end,
) -> tuple[Story, Passage]:  # fmt: skip
    """Move in a channel's story; returns the story and what is shown of it. Raises `Refusal`."""

    def moved() -> tuple[Story, Passage]:
        story = _open(access.stories, channel, serial)
        act(story.conversation)
        access.stories.save(story)
        access.stories.make_present(story)
        return story, shown(story)

    return await access.run(channel, moved, is_slow=True)


async def copy_at_turn(
    access: StoryAccess, channel: Channel, serial: int | None, turn: int | None
) -> tuple[Story, engine.Conversation]:
    """A story, which stays where it is, and a copy of its conversation at a turn. Raises `Refusal`."""

    def branched() -> tuple[Story, engine.Conversation]:
        story = _open(access.stories, channel, serial)
        if turn is not None:
            check_turn(story.conversation, turn)
        return story, story.conversation.fork(turn)

    return await access.run(channel, branched, is_slow=True)


async def begin_with_copy(
    access: StoryAccess, channel: Channel, origin: Story, conversation: engine.Conversation
) -> tuple[Story, Passage]:
    """Begin a story with a copy of another channel's; returns it and its end, to be shown. Raises `Refusal`."""

    def planted() -> tuple[Story, Passage]:
        authors = access.stories.authors(origin.channel, origin.serial)
        story = access.stories.begin(channel, origin.model, conversation, authors)
        return story, story_end(story)

    return await access.run(channel, planted, is_slow=True)


def _open(stories: Stories, channel: Channel, serial: int | None) -> Story:
    return stories.present(channel) if serial is None else stories.open(channel, serial)
