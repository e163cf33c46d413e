"""What a reply was asked to be, as data that outlives the process: plans, the notes on them, and how they are done.

A plan that is carried out again from the same checkpoint gives the same words, for the random numbers are the story's
own. So a note with the plan is all that it takes to finish a reply that a crash has cut. Blocks; knows no Discord.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import engine
from bot.stories import JOINERS, WRITING, Choices, NoStory, Place, Stories, Story, author_note

MAX_ATTEMPTS = 2  # to finish a reply after a restart; then its text alone is fed


@dataclass(frozen=True, slots=True)
class Plan:
    """A reply that was asked for. `turn` and `serial` of the story are the present ones where they are None."""

    member: int
    kind: Literal["continue", "retry"] = "continue"
    text: str = ""
    serial: int | None = None
    turn: int | None = None
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """A reply just begun: `fed` is the text that it was given."""

    story: Story
    plan: Plan
    reply: engine.Reply
    fed: str


@dataclass(frozen=True, slots=True)
class Written:
    """A reply as it is shown: the turn in which it ends, the text, and how much of its beginning is a member's."""

    story: Story
    turn: int
    text: str
    num_bold: int


def note_key(place: Place, post: int) -> tuple[str, str]:
    """Where it is noted what is being written into a post."""
    return WRITING, f"{place.key}/{post}"


def asked(plan: Plan, messages: Sequence[int]) -> dict[str, Any]:
    """The note on a reply that was asked for."""
    return {"plan": asdict(plan), "messages": list(messages), "attempts": 0}


def saved(story: Story, turn: int, fed: str, messages: Sequence[int]) -> dict[str, Any]:
    """The note on a reply that is in the store and has only to be shown."""
    return {"serial": story.serial, "turn": turn, "fed": fed, "messages": list(messages)}


def resolve(stories: Stories, place: Place, plan: Plan) -> tuple[Story, Plan]:
    """The plan's story, and the plan with nothing left open. Moves nothing."""
    story = stories.present(place) if plan.serial is None else stories.open(place, plan.serial)
    turn = story.talk.present if plan.turn is None else plan.turn
    check_turn(story.talk, turn)
    choices = stories.choices(place)
    given = {"length": choices.length, "temperature": choices.temperature, "top_p": choices.top_p, **plan.sampling}
    text = _joined(story.talk, turn, plan, choices)
    return story, replace(plan, serial=story.serial, turn=turn, sampling=given, text=text)


def begin(story: Story, plan: Plan) -> Begun:
    """Begin the reply of a resolved plan. Raises what the engine says against it; then nothing has changed.

    To continue where somebody has continued before gives other words: it would be no use to write the same again.
    """
    talk, sampling = story.talk, replace(story.talk.sampling, **{"seed": None, **plan.sampling})
    before, turn = talk.present, plan.turn or 0
    replies = [one for one in talk.tree if one.parent == turn and one.kind == "reply"]
    is_again = bool(replies) and not plan.text and sampling.seed is None
    try:
        talk.goto(replies[-1].id if plan.kind == "continue" and is_again else turn)
        if plan.kind == "retry" or is_again:
            return Begun(story, plan, talk.retry(sampling), "")
        return Begun(story, plan, talk.say(plan.text, sampling=sampling), plan.text)
    except Exception:
        talk.goto(before)
        raise


def keep(stories: Stories, begun: Begun, key: tuple[str, str], messages: Sequence[int], back_to: int) -> Written:
    """Save a reply that has ended, who wrote its prompt, and that it has to be shown, in one transaction.

    The story goes on from `back_to` unless that is where the reply began.
    """
    talk = begun.story.talk
    turn = talk.present
    notes: dict[tuple[str, str], Any] = {key: saved(begun.story, turn, begun.fed, messages)}
    prompt = next((one for one in talk.turns if one.kind == "prompt" and one.parent == begun.plan.turn), None)
    if begun.fed and prompt is not None:  # there is none for a text of which the model knows nothing
        notes[author_note(begun.story, prompt.id)] = begun.plan.member
    if back_to != begun.plan.turn:
        talk.goto(back_to)
    stories.save(begun.story, notes)
    return shown(begun.story, turn, begun.fed + begun.reply.text, begun.fed)


def finish(stories: Stories, place: Place, key: tuple[str, str], note: Mapping[str, Any]) -> Written:
    """Carry out what an earlier process has left, without moving those who have gone on since.

    Raises `NoStory` if it was forgotten meanwhile, and `EngineError` if the engine ends before it does.
    """
    if "turn" in note:
        story = stories.open(place, note["serial"])
        found = next((turn for turn in story.talk.tree if turn.id == note["turn"]), None)
        if found is None:
            raise NoStory("that part of the story was forgotten")
        return shown(story, found.id, note["fed"] + (found.text if found.kind == "reply" else ""), note["fed"])
    plan = Plan(**note["plan"])
    stories.store.write_notes({key: {**note, "attempts": note["attempts"] + 1}})
    if plan.serial is None or plan.turn is None:
        story, plan = resolve(stories, place, plan)
    else:
        story = stories.open(place, plan.serial)
        check_turn(story.talk, plan.turn)
    if note["attempts"] >= MAX_ATTEMPTS:
        plan = replace(plan, sampling={**plan.sampling, "length": 0})
    back_to = story.talk.present
    begun = begin(story, plan)
    if begun.reply.result().finish_reason == "cancelled":  # a restart again: the next process has to finish it
        raise engine.EngineClosed("the engine was closed")
    return keep(stories, begun, key, note["messages"], back_to)


def shown(story: Story, turn: int, text: str, fed: str) -> Written:
    """How a reply is shown: without the blanks that Discord would not show, a member's text in bold."""
    stripped = text.lstrip() if fed else text.lstrip("\n")
    return Written(story, turn, stripped, max(0, len(fed) - (len(text) - len(stripped))))


def check_turn(talk: engine.Conversation, turn: int) -> None:
    """Raises `NoStory` if there is no such turn."""
    if turn and all(one.id != turn for one in talk.tree):
        raise NoStory(f"there is no turn {turn} in this story: /tree shows those that there are")


def _joined(talk: engine.Conversation, turn: int, plan: Plan, choices: Choices) -> str:
    """The plan's text, set off from the story by what the channel chose if neither has a blank there."""
    turns = {one.id: one for one in talk.tree}
    here = turns.get(turn)
    while here is not None and not here.text:
        here = turns.get(here.parent or 0)
    before = here.text if here is not None else ""
    if plan.kind == "retry" or not plan.text or not before or before[-1].isspace() or plan.text[0].isspace():
        return plan.text
    is_mark = choices.join == "space" and not plan.text[0].isalnum() and plan.text[0] not in "\"'(["
    return plan.text if is_mark else JOINERS[choices.join] + plan.text
