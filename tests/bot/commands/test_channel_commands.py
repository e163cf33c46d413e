"""The commands about a channel, by a real client against a local Discord."""

from __future__ import annotations

import json

import pytest

import engine
from tests.bot.reading import answer, text_of, written
from tests.bot.running import Bot
from tests.local_discord import Channel, Guild, Member
from tests.local_discord.errors import NotPossible

pytestmark = pytest.mark.usefixtures("bot")


def test_model_shows_chooses_and_completes(channel: Channel, anna: Member) -> None:
    assert "2 x 512" in answer(anna.slash(channel, "model"))
    assert anna.complete(channel, "model", "name", "shak") == [("shakespeare", "shakespeare")]
    assert "there is no model" in answer(anna.slash(channel, "model", name="nobody"))


def test_export_gives_a_text_and_what_replays_it(channel: Channel, anna: Member, model: engine.Engine) -> None:
    written(anna.slash(channel, "continue", text="ROMEO:", length=50))
    written(anna.slash(channel, "continue", text="JULIET:", length=50))
    message = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
    text, replayable = (attachment.data.decode() for attachment in message.attachments)
    assert engine.replay(model, replayable).text == text
    assert json.loads(replayable)["model"] == "shakespeare"
    assert message.ephemeral_to is not None


def test_status_tells_how_it_is(channel: Channel, anna: Member) -> None:
    assert "2.8 M parameters, int8" in answer(anna.slash(channel, "status"))


def test_forget_deletes_for_good(channel: Channel, anna: Member, moderator: Member, bot: Bot, guild: Guild) -> None:
    def on_disk(words: str) -> bool:
        return any(words.encode() in path.read_bytes() for path in bot.path.parent.glob("stories.db*"))

    bea = guild.add_member("Bea")
    written(anna.slash(channel, "continue", text="unmistakable Anna", length=20))
    written(bea.slash(channel, "continue", text="unmistakable Bea", length=20))
    assert on_disk("unmistakable Anna")
    assert "Manage Messages" in answer(anna.slash(channel, "forget", what="all stories here"))
    assert "Deleted 1 of your texts" in answer(anna.slash(channel, "forget", what="what I wrote"))
    assert not on_disk("unmistakable Anna")
    assert on_disk("unmistakable Bea")
    assert "unmistakable Bea" in answer(anna.slash(channel, "tree", as_text=True), "Bea")
    assert "Deleted 1 of your texts" in answer(bea.slash(channel, "forget", what="what I wrote"))
    assert not on_disk("unmistakable Bea")
    assert "nothing to delete" in answer(bea.slash(channel, "forget", what="what I wrote"))
    assert "Deleted 1 story" in answer(moderator.slash(channel, "forget", what="all stories here"))


def test_what_a_member_wrote_is_forgotten_in_threads_too(channel: Channel, anna: Member) -> None:
    written(anna.slash(channel, "continue", text="unmistakable", length=20))
    anna.slash(channel, "fork", name="Copy").wait_message(lambda m: "goes on" in m.text)
    assert "Deleted 2 of your texts" in answer(anna.slash(channel, "forget", what="what I wrote"))


def test_a_moderator_has_the_story_remember_a_text(channel: Channel, anna: Member, moderator: Member, bot: Bot) -> None:
    words = "Zanzibar the unmistakable. " * 20
    with pytest.raises(NotPossible, match="lacks the permissions"):
        anna.slash(channel, "remember", file=("tale.txt", words.encode()))
    told = answer(moderator.slash(channel, "remember", file=("tale.txt", words.encode())))
    assert "knows 540 characters of tale.txt" in told
    assert "(remembered) Zanzibar" in answer(anna.slash(channel, "tree", as_text=True), "Zanzibar")
    assert "/settings memory:mine" in told
    assert "**memory** mine" in answer(moderator.slash(channel, "settings", memory="mine"))
    written(anna.slash(channel, "continue", text="Zanzibar the unm", length=40, temperature=0))
    assert text_of(anna, channel).startswith("Zanzibar the unmistakable")
    assert len(text_of(anna, channel)) == 56
    assert "Deleted" in answer(moderator.slash(channel, "forget", what="what I wrote"))
    assert not any(words.encode() in path.read_bytes() for path in bot.path.parent.glob("stories.db*"))


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [("empty.txt", b"", "empty"), ("x.bin", bytes(range(256)) * 9, "x.bin"), ("big.txt", b"a b " * 150_000, "at most")],
)
def test_a_file_that_cannot_be_remembered_says_why(
    channel: Channel, moderator: Member, name: str, data: bytes, told: str
) -> None:
    assert told in answer(moderator.slash(channel, "remember", file=(name, data)))
