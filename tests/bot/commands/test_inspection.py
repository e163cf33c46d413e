"""The tree, the surprisal and the expectations of a story, by a real client against a local Discord."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

import engine
from bot.commands.inspection import MAX_TREE, Read, around_present, describe_heat, describe_next, measure
from tests.bot.conftest import ROOMY
from tests.bot.reading import answer, text_of, written
from tests.bot.running import TOKEN, started
from tests.local_discord import Channel, LocalDiscord, Member


@pytest.mark.usefixtures("bot")
def test_the_tree_is_a_picture_or_text(channel: Channel, anna: Member) -> None:
    assert "no story here yet" in answer(anna.slash(channel, "tree"))
    written(anna.slash(channel, "continue", text="ROMEO:", length=10))
    shown = anna.slash(channel, "tree").wait_message(lambda m: m.attachments)
    assert shown.ephemeral_to is not None
    (file,) = shown.attachments
    assert Image.open(io.BytesIO(file.data)).format == "PNG"
    assert "1 > ROMEO:" in (file.description or "")  # for who cannot see it
    assert "1 > ROMEO:" in answer(anna.slash(channel, "tree", as_text=True))


def test_pictures_are_drawn_for_nobody_without_end(tmp_path: Path) -> None:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as discord:
        guild = discord.add_guild("Writers")
        anna, channel = guild.add_member("Anna"), guild.add_channel("story")
        with started(discord, tmp_path, {"limits": {"member_seconds": 60.0, "member_burst": 1}}):
            assert "no story here yet" in answer(anna.slash(channel, "tree"))
            assert "not so fast" in answer(anna.slash(channel, "tree"))


@pytest.mark.usefixtures("bot")
def test_what_cannot_be_drawn_is_told_in_text(channel: Channel, anna: Member, moderator: Member) -> None:
    words = ("tale.txt", ("\u0f00\u0f01 to be " * 40).encode())
    moderator.slash(channel, "remember", file=words).wait_message(lambda m: m.text)
    written(anna.slash(channel, "continue", text="ROMEO:", length=10))
    assert "1 (remembered)" in answer(anna.slash(channel, "tree"))


@pytest.mark.usefixtures("bot")
def test_heat_and_why_are_of_the_last_reply(channel: Channel, anna: Member, moderator: Member) -> None:
    assert "no story here yet" in answer(anna.slash(channel, "heat"))
    written(anna.slash(channel, "continue", text="ROMEO:", length=40))
    shown = anna.slash(channel, "heat").wait_message(lambda m: m.attachments)
    assert "bits a character over 40 characters" in shown.text
    assert (shown.attachments[0].description or "").endswith(text_of(anna, channel)[6:])
    assert "the model" in answer(anna.slash(channel, "why"))
    moderator.slash(channel, "settings", memory="all").wait_message(lambda m: m.text)
    assert "bits a character" in answer(anna.slash(channel, "heat"))


def test_the_surprisal_is_that_of_the_reply_alone(model: engine.Engine) -> None:
    score = model.score("ROMEO:\nWhat light")
    heat = measure(Read(model, "ROMEO:", "\nWhat light", None))
    assert "".join(heat.tokens) == "\nWhat light"
    assert heat.bits == pytest.approx(score.surprisal_bits[6:].tolist())
    assert heat.figures.startswith(f"{sum(heat.bits) / 11:.2f} bits a character")
    told = describe_heat(heat)
    assert told.count("bits  ") == 10
    assert "space" in told or "\\n" in told


def test_expectations_are_a_table_that_ends_no_code_block(model: engine.Engine) -> None:
    talk = model.conversation()
    talk.say("ROMEO", length=0).result()
    table = describe_next(talk.next_tokens(3), dict(talk.next_tokens(9, engine.Sampling(temperature=0))))
    assert table.splitlines()[1].split()[0] == ":"
    assert "`" not in describe_next([("`", 0.5), (" ", 0.2)], {})
    assert "space" in describe_next([(" ", 0.2)], {})


@pytest.mark.parametrize("here", [0, 1, 50, 98, 99])
def test_of_a_large_tree_the_turns_up_to_the_present_one_are_shown(here: int) -> None:
    lines = [f"```{number}``` {'word ' * 10}" + " <- here" * (number == here) for number in range(100)]
    text, is_whole = around_present(lines)
    assert not is_whole
    assert MAX_TREE - 80 < len(text) <= MAX_TREE
    assert text.count("<- here") == 1
    assert "```" not in text
    assert text.startswith("...\n") == (here > 40)
    assert text.endswith("\n...") == (here < 99)
    assert around_present(lines[here : here + 3])[1]
