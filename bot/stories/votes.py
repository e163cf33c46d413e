"""Votes among alternatives, in the store: they outlive a restart. Blocks; knows nothing of Discord."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import engine
from bot.stories.channels import Channel
from bot.stories.refusals import NoStory, VoteOver
from bot.stories.stories import BALLOTS, VOTES, NoteKey, Stories, Story


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote below a message: the story, the turns to choose from, and when it `ends`, in seconds of Unix time.

    `format` is the name of the message's format.
    """

    channel: Channel
    message: int
    serial: int
    options: tuple[int, ...]
    ends: float
    format: str

    @classmethod
    def read(cls, store: engine.Store, channel: Channel, message: int) -> Vote:
        """The vote that is open below a message. Raises `VoteOver` if there is none."""
        if (value := store.note(VOTES, f"{channel.key}/{message}")) is None:
            raise VoteOver("that vote is over")
        return cls.of(channel, message, value)

    @classmethod
    def of(cls, channel: Channel, message: int, value: Mapping[str, Any]) -> Vote:
        """A vote from its JSON."""
        return cls(channel, message, value["serial"], tuple(value["options"]), value["ends"], value["format"])

    @property
    def key(self) -> NoteKey:
        """Where the store keeps it."""
        return VOTES, f"{self.channel.key}/{self.message}"

    @property
    def ballots(self) -> str:
        """The topic of the notes on who chose which turn."""
        return f"{BALLOTS}/{self.channel.key}/{self.message}"

    def value(self) -> dict[str, Any]:
        """Its JSON."""
        value = asdict(self)
        del value["channel"], value["message"]
        return value


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided: the story at the turn that was chosen, all texts, and how many chose each."""

    story: Story
    turn: int
    texts: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many have chosen."""
        return sum(self.counts)

    def in_words(self, options: tuple[int, ...]) -> str:
        """How the vote went."""
        number = options.index(self.turn) + 1
        return f"the vote has ended: {number}, with {self.counts[number - 1]} of {self.total} votes"


def open_votes(store: engine.Store) -> list[Vote]:
    """All votes that are not decided yet."""
    found = list[Vote]()
    for key, value in store.notes(VOTES).items():
        guild, channel, message = map(int, key.split("/"))
        found.append(Vote.of(Channel(guild, channel), message, value))
    return found


def cast(store: engine.Store, vote: Vote, member: int, turn: int) -> int:
    """Note a member's choice, in place of an earlier one; returns how many have chosen.

    Raises `NoStory` if the vote has no such turn.
    """
    if turn not in vote.options:
        raise NoStory(f"there is no turn {turn} in this vote")
    store.write_notes({(vote.ballots, str(member)): turn})
    return len(store.notes(vote.ballots))


def tally(options: tuple[int, ...], chosen: Iterable[int]) -> tuple[int, tuple[int, ...]]:
    """The turn that most have chosen, the first of those with as many, and how many chose each."""
    found = Counter(chosen)
    counts = tuple(found[turn] for turn in options)
    return options[counts.index(max(counts))], counts


def decide(stories: Stories, vote: Vote, noted: Callable[[Outcome], Mapping[NoteKey, Any]]) -> Outcome | None:
    """Go on with the turn that most have chosen, and end the vote with what is `noted` of it, in one transaction.

    None if it has ended before. Raises `NoStory` if the story was deleted.
    """
    store = stories.store
    if store.note(*vote.key) is None:
        return None
    story, ballots = stories.open(vote.channel, vote.serial), store.notes(vote.ballots)
    turn, counts = tally(vote.options, ballots.values())
    texts = {one.id: one.text for one in story.conversation.tree if one.id in vote.options}
    if turn not in texts:
        raise NoStory("that part of the story was forgotten")
    story.conversation.goto(turn)
    stories.make_present(story)
    outcome = Outcome(story, turn, tuple(texts.get(option, "") for option in vote.options), counts)
    stories.save(story, {**noted(outcome), **_over(vote, ballots)})
    return outcome


def end_vote(store: engine.Store, vote: Vote) -> None:
    """Delete a vote that cannot be decided."""
    store.write_notes(_over(vote, store.notes(vote.ballots)))


def _over(vote: Vote, ballots: Iterable[str]) -> dict[NoteKey, None]:
    """The notes that delete a vote and its ballots."""
    return {vote.key: None, **{(vote.ballots, member): None for member in ballots}}
