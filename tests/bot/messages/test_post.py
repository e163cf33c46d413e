"""Messages on their way to a Discord at its worst."""

from __future__ import annotations

import pytest

from tests.bot.reading import begun, same_words, story_of, whole, written
from tests.local_discord import Channel, LocalDiscord, Member

pytestmark = pytest.mark.usefixtures("bot")


@pytest.mark.parametrize("fault", ["expired", "5xx", "limited", "lost answer", "hanging"])
def test_the_last_edit_always_arrives(
    discord: LocalDiscord, channel: Channel, anna: Member, long_text: str, fault: str
) -> None:
    begun(channel, anna)
    if fault == "expired":
        discord.misbehave.expire_tokens()
    elif fault == "5xx":
        discord.misbehave.fail(1.5, "", 503)
    elif fault == "limited":
        discord.misbehave.limit(1.0, "PATCH", times=2)
    elif fault == "lost answer":
        discord.misbehave.lose_answer("PATCH", times=2)
    else:
        discord.misbehave.hang(1.5, "PATCH")
    assert same_words(story_of(*whole(channel, 40)), long_text)
    discord.misbehave.stop()
    assert written(anna.slash(channel, "continue", length=10))
