"""Forms that members fill in, also across a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from tests.bot.conftest import ROOMY
from tests.bot.reading import answer, is_growing, is_written, same_words, story_of, text_of, written
from tests.bot.running import TOKEN, Bot, started
from tests.local_discord import Channel, Guild, Interaction, LocalDiscord, Member, NotPossible, Permission


def fields(call: Interaction) -> dict[str, object]:
    """What a form shows: the values of its fields by their ids."""
    assert call.wait_answer().modal is not None
    inside = [part["component"] for part in (call.modal or {})["components"]]
    chosen = [[o["value"] for o in field.get("options", []) if o.get("default")] for field in inside]
    return {field["custom_id"]: field.get("value", *chosen[n]) for n, field in enumerate(inside)}


@pytest.mark.usefixtures("bot")
def test_write_goes_on_from_its_reply(channel: Channel, guild: Guild, anna: Member) -> None:
    first = written(anna.slash(channel, "continue", text="ROMEO:", length=30))
    written(anna.slash(channel, "continue", length=30))
    form = anna.press(first, "Write").wait_answer()
    with pytest.raises(NotPossible, match="1 to 1500"):
        anna.submit(form, text="x" * 1501)
    second = written(anna.submit(form, text="and *then*\nshe"))
    assert "and then\nshe" in story_of(second).replace("*", "")
    assert same_words(text_of(anna, channel), story_of(first) + story_of(second))
    quiet = guild.add_member("Quiet")
    channel.set_permissions(quiet, deny=Permission.SEND_MESSAGES)
    assert "may not write here" in answer(quiet.press(first, "Write"))
    channel.set_permissions(anna, deny=Permission.SEND_MESSAGES)  # after the form was opened
    assert "may not write here" in answer(anna.submit(form, text="hello"))


def test_settings_are_a_form_for_who_may_change_them(
    channel: Channel, anna: Member, moderator: Member, guild: Guild, bot: Bot
) -> None:
    assert not anna.slash(channel, "settings").wait_message(lambda m: m.text).buttons
    shown = moderator.slash(channel, "settings").wait_message(lambda m: m.buttons)
    form = moderator.press(shown, "Change")
    assert fields(form) == {"length": "300", "end": "any", "temperature": "0.8", "memory": "off", "style": "story"}
    told = answer(moderator.submit(form, length="12", temperature="0,5", memory="mine"))
    assert "**length** 12" in told
    assert "**temperature** 0.5" in told
    assert "**memory** mine" in told
    with engine.Store(f"sqlite:///{bot.path.parent}/stories.db") as store:  # the rest stays the operator's
        chosen = store.notes(f"discord/channel/{guild.id}")[str(channel.id)]["chosen"]
    assert chosen == {"length": 12, "temperature": 0.5, "memory": "mine"}
    again = moderator.press(shown, "Change")
    assert fields(again)["temperature"] == "0.5"
    assert "temperature 'hot': must be a number from 0 to 2" in answer(moderator.submit(again, temperature="hot"))
    assert "length '99999': must be a whole number from 1 to 4000" in answer(moderator.submit(again, length="99999"))
    assert "**length** 300" in answer(moderator.submit(again, length=""))


@pytest.mark.usefixtures("bot")
def test_banned_phrases_are_never_written(channel: Channel, anna: Member, moderator: Member) -> None:
    plain = written(anna.slash(channel, "continue", text="ROMEO:", length=200, temperature=0, seed=1))
    assert " the " in story_of(plain)
    shown = moderator.slash(channel, "settings").wait_message(lambda m: m.buttons)
    form = moderator.press(shown, "Ban").wait_answer()
    assert "**2** banned phrases" in answer(moderator.submit(form, ban=" the \n thou "))
    assert fields(moderator.press(shown, "Ban")) == {"ban": " the \n thou "}
    moderator.slash(channel, "restart").wait_message(lambda m: m.text)
    told = story_of(written(anna.slash(channel, "continue", text="ROMEO:", length=200, temperature=0, seed=1)))
    assert " the " not in told
    assert " thou " not in told
    assert "banned" not in answer(moderator.submit(moderator.press(shown, "Ban").wait_answer(), ban=""))


@pytest.mark.parametrize("moment", ["open", "asked", "growing"])
def test_what_was_typed_into_a_form_outlives_kill_9(tmp_path: Path, local: LocalDiscord, moment: str) -> None:
    guild = local.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(local, tmp_path, {"writing": {"max_length": 4000}}) as bot:
        first = written(anna.slash(channel, "continue", text="ROMEO:", length=30))
        anna.slash(channel, "settings", length=3000).wait_answer() if moment == "growing" else None
        form = anna.press(first, "Write").wait_answer()
        if moment == "open":
            bot.kill()
        elif moment == "asked":
            anna.submit(form, text="and then").wait_answer()
            bot.kill()
        else:
            call = anna.submit(form, text="and then")
            call.wait_message(lambda m: is_growing(m) or is_written(m), 20)
            bot.kill()
    with started(local, tmp_path, {"writing": {"max_length": 4000}}) as bot:
        if moment == "open":
            anna.submit(form, text="and then")
        last = channel.wait_message(lambda m: "and then" in m.text and is_written(m), 30)
        assert same_words(text_of(anna, channel), story_of(first) + story_of(last))
        assert not bot.complaints()
    with engine.Store(f"sqlite:///{tmp_path}/stories.db") as store:
        assert store.notes("discord/writing") == {}


@pytest.fixture
def local() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server
