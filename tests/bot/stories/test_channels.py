"""A channel's key and its choices."""

from __future__ import annotations

import pytest

from bot.settings import Writing
from bot.stories.channels import SETTINGS, Channel, ChannelRecord, Choices, read_phrases
from bot.stories.refusals import Refusal

WRITING = Writing(length=300, max_length=500, max_temperature=1.5)


def test_names_in_the_store_are_permanent() -> None:
    assert Channel(12, 34).key == "12/34"
    assert Channel(0, 34).story_name(5) == "discord/0/34/5"


def test_what_is_typed_into_a_form_is_read_within_the_operators_limits() -> None:
    typed = {"length": "12", "temperature": "0,5", "top_p": " 0.9 ", "memory": "mine", "join": "line"}
    settings = {setting.name: setting for setting in SETTINGS}
    read = {name: settings[name].read(text, WRITING) for name, text in typed.items()}
    assert read == {"length": 12, "temperature": 0.5, "top_p": 0.9, "memory": "mine", "join": "line"}
    assert settings["length"].read("  ", WRITING) is None
    for name, text, told in (
        ("length", "501", "a whole number from 1 to 500"), ("length", "1.5", "a whole number"),
        ("temperature", "1.6", "from 0 to 1.5"), ("top_p", "nan", "a number from 0.01 to 1"), ("memory", "some", "off"),
    ):  # fmt: skip
        with pytest.raises(Refusal, match=f"^{name} '{text}': must be .*{told}"):
            settings[name].read(text, WRITING)


def test_what_was_chosen_stays_within_the_operators_limits() -> None:
    assert Choices.of(WRITING, ChannelRecord()) == Choices(300, 0.8, 1.0, 500, end="sentence")
    chosen = {"length": 450, "temperature": 1.9, "max_length": 2000, "join": "line"}
    assert Choices.of(WRITING, ChannelRecord(chosen=chosen)) == Choices(450, 1.5, 1.0, 500, "line", end="sentence")
    assert Choices.of(WRITING, ChannelRecord(chosen={"max_length": 100})).length == 100
    strict = Writing(max_memory="mine", ban=("the end",))
    made = Choices.of(strict, ChannelRecord(chosen={"memory": "all", "ban": ["the end", "once"]}))
    assert (made.memory, made.ban) == ("mine", ("the end", "once"))


def test_banned_phrases_are_lines() -> None:
    assert read_phrases("the end\n\n once \nthe end", WRITING) == ["the end", " once "]
    with pytest.raises(Refusal, match="51 phrases: a channel may ban at most 50"):
        read_phrases("\n".join(map(str, range(51))), WRITING)
    with pytest.raises(Refusal, match="101 characters: at most 100"):
        read_phrases("x" * 101, WRITING)
