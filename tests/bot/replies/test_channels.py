"""A channel's key and its choices."""

from __future__ import annotations

from bot.replies.channels import Channel, ChannelRecord, Choices
from bot.settings import Writing

WRITING = Writing(length=300, max_length=500, max_temperature=1.5)


def test_names_in_the_store_are_permanent() -> None:
    assert Channel(12, 34).key == "12/34"
    assert Channel(0, 34).story_name(5) == "discord/0/34/5"


def test_what_was_chosen_stays_within_the_operators_limits() -> None:
    assert Choices.of(WRITING, ChannelRecord()) == Choices(300, 0.8, 1.0, 500, end="sentence")
    chosen = {"length": 450, "temperature": 1.9, "max_length": 2000, "join": "line"}
    assert Choices.of(WRITING, ChannelRecord(chosen=chosen)) == Choices(450, 1.5, 1.0, 500, "line", end="sentence")
    assert Choices.of(WRITING, ChannelRecord(chosen={"max_length": 100})).length == 100
