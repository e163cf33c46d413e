"""The local Discord as the real discord.py sees it: log in, sync, answer, reconnect, be limited."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.local_discord import LocalDiscord, NotPossible, Permission, Rate, Rates, Settings
from tests.local_discord.small_bot import SmallBot, discord, running
from tests.local_discord.world.messages import EPHEMERAL

QUICK = Settings(heartbeat_interval=0.2, heartbeat_tolerance=0.5, max_concurrency=16, identify_window=0.0)


@pytest.fixture(scope="module")
def local() -> Iterator[LocalDiscord]:
    with LocalDiscord(settings=QUICK) as server:
        yield server


@pytest.fixture(scope="module")
def bot(local: LocalDiscord) -> Iterator[SmallBot]:
    with running(local) as small_bot:
        local.wait_ready()
        yield small_bot


def wait_for(what: str, bot: SmallBot, timeout: float = 3.0) -> None:
    """Waits until the bot has heard exactly this."""
    until = time.monotonic() + timeout
    while what not in [text for _, text in bot.heard]:
        assert time.monotonic() < until, bot.heard
        time.sleep(0.01)


def test_a_bot_logs_in_syncs_and_answers_with_edits(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Writers")
    channel, anna = guild.add_channel("story"), guild.add_member("Anna")
    assert sorted(local.commands()) == ["echo", "hold", "pick", "tidy"]
    call = anna.slash(channel, "echo", text="Once", times=2)
    assert call.wait_answer().is_deferred
    assert call.latency < 1
    message = call.wait_message()
    assert message is channel.wait_message()
    assert [text for _, text in message.edits] == [message.content] == ["Once Once"]
    assert not [*local.limited, *local.refused]


def test_the_client_refuses_what_no_member_can_do(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Strict")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    moderator = guild.add_member("Mo", manage_messages=True)
    bad: list[tuple[str, dict[str, object]]] = [
        ("nothing", {}),
        ("echo", {}),
        ("echo", {"text": "a", "loud": True}),
        ("echo", {"text": "a", "times": 6}),
        ("echo", {"text": "a", "times": "2"}),
        ("echo", {"text": 5}),
        ("tidy", {}),
    ]
    for name, options in bad:
        with pytest.raises(NotPossible):
            anna.slash(channel, name, **options)  # type: ignore[arg-type]
    with pytest.raises(NotPossible, match="kind of channel"):
        moderator.slash(local.dm(moderator), "tidy")
    assert moderator.slash(channel, "tidy").wait_text() == "tidy"
    channel.set_permissions(guild.everyone, deny=Permission.USE_APPLICATION_COMMANDS)
    with pytest.raises(NotPossible, match="may not use commands"):
        anna.slash(channel, "echo", text="a")


def test_autocomplete_and_an_answer_for_one_member_only(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Private")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    assert anna.complete(channel, "pick", "name", "sha")[2] == ("sha 2", "sha2")
    call = anna.slash(channel, "pick", name="sha2")
    message = call.wait_message()
    assert message.ephemeral_to is anna.user
    assert message.flags == EPHEMERAL
    assert message.to_json()["content"] == "sha2"
    with pytest.raises(NotPossible, match="cannot reply"):
        anna.say(channel, "hm", reply_to=message)


def test_a_button_makes_a_thread_with_a_file(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Threads")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    message = anna.slash(channel, "echo", text="x").wait_message()
    for button in ("Never", "Nowhere"):
        with pytest.raises(NotPossible):
            anna.press(message, button)
    anna.press(message, "🍴").wait_answer()
    message.wait("forked")
    with pytest.raises(NotPossible):
        anna.press(message, "Fork")
    (file,) = channel.wait_thread("Fork").wait_message().attachments
    with urllib.request.urlopen(file.url, timeout=5) as answer:
        assert (file.name, answer.read()) == ("text.txt", b"once")


def test_a_member_can_start_a_thread_and_change_words(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Asides")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    words = anna.say(channel, "words")
    thread = anna.start_thread(channel, "Aside", words)
    assert words.thread is thread
    anna.edit(words, "other words")
    anna.say(thread, "<@bot> psst")
    assert thread.wait_message().content.endswith("psst")
    assert words.content == "other words"
    with pytest.raises(NotPossible):
        anna.start_thread(thread, "Deeper")


def test_only_mentions_and_direct_messages_show_their_words(local: LocalDiscord, bot: SmallBot) -> None:
    bot.heard.clear()
    guild = local.add_guild("Talk")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    anna.say(channel, "a secret")
    anna.say(channel, "<@bot> hello")
    answer = channel.wait_message(lambda m: "hello" in m.content)
    anna.say(channel, "quiet reply", reply_to=answer, mention=False)
    anna.say(channel, "loud reply, please ping", reply_to=answer)
    loud = channel.wait_message(lambda m: "loud reply" in m.content)
    anna.say(local.dm(anna), "under four eyes")
    wait_for("under four eyes", bot)
    heard = [text for _, text in bot.heard]
    assert heard.count("") == 2
    assert not {"a secret", "quiet reply"} & set(heard)
    assert [ping.mentions.users for ping in local.pings] == [(anna.user,)]
    assert local.pings[0].message is loud


def test_a_late_bot_loses_its_interaction() -> None:
    with LocalDiscord(settings=Settings(answer_within=0.2)) as local:
        guild = local.add_guild("Late")
        channel, anna = guild.add_channel("a"), guild.add_member("Anna")
        with running(local):
            local.wait_ready()
            with pytest.raises(TimeoutError, match="did not answer"):
                anna.slash(channel, "hold").wait_answer()
        local.wait_gateway("close")
        assert anna.slash(channel, "hold").error == "the bot is not connected"


def test_shards_get_their_own_guilds() -> None:
    with LocalDiscord(settings=QUICK) as other:
        channels = [other.add_guild(f"Guild {n}", shard=(n, 3)).add_channel("a") for n in range(3)]
        with running(other, shards=3) as bot:
            other.wait_ready(shards=3)
            for number, channel in enumerate(channels):
                assert channel.guild is not None
                channel.guild.add_member("Anna").say(channel, f"<@bot> {number}")
            for channel in channels:
                channel.wait_message()
    assert sorted(shard for shard, _ in bot.heard if shard is not None) == [0, 1, 2]
    assert all(text.endswith(str(shard)) for shard, text in bot.heard)


def test_a_dropped_connection_resumes_and_replays_what_was_missed() -> None:
    with LocalDiscord(settings=QUICK) as local, running(local) as bot:
        local.wait_ready()
        guild = local.add_guild("Resume")
        channel, anna = guild.add_channel("a"), guild.add_member("Anna")

        def drop_and_say() -> None:
            local.misbehave.drop_gateway()
            anna.say(channel, "<@bot> while you were away")

        local.world.run(drop_and_say)
        assert "1 events replayed" in local.wait_gateway("resume").detail
        channel.wait_message(lambda m: "away" in m.content)
        local.misbehave.ask_reconnect()
        local.wait_gateway("resume", 2)
        local.misbehave.drop_gateway(code=None)
        local.wait_gateway("resume", 3)
        local.misbehave.invalidate()
        local.wait_gateway("ready", 2)
        anna.say(channel, "<@bot> and back")
        channel.wait_message(lambda m: "back" in m.content)
        assert [text.split()[-1] for _, text in bot.heard] == ["away", "back"]
    assert not local.late_heartbeats


def test_a_silent_gateway_is_noticed() -> None:
    with LocalDiscord(settings=QUICK) as local, running(local, heartbeat_timeout=0.6):
        local.wait_ready()
        local.misbehave.silence()
        local.wait_gateway("resume")


def test_events_come_twice_or_in_another_order(local: LocalDiscord, bot: SmallBot) -> None:
    channel = local.dm(local.add_user("Otto"))
    otto = channel.recipient
    assert otto is not None
    local.misbehave.double("MESSAGE_CREATE")
    otto.say(channel, "twice")
    local.misbehave.swap("MESSAGE_CREATE")
    otto.say(channel, "second")
    otto.say(channel, "first")
    wait_for("second", bot)
    assert [text for _, text in bot.heard][-4:] == ["twice", "twice", "first", "second"]


def test_discord_py_keeps_within_the_limits_and_waits_out_a_forced_one() -> None:
    rates = Rates(message_create=Rate(2, 1.0))
    with LocalDiscord(settings=Settings(rates=rates)) as local, running(local):
        guild = local.add_guild("Busy")
        channel, anna = guild.add_channel("a"), guild.add_member("Anna")
        for number in range(5):
            anna.say(channel, f"<@bot> {number}")
        channel.wait_message(lambda m: len(channel.messages) == 10)
        sent = [r.time for r in local.requests if r.route.startswith("POST /channels")]
        assert not local.limited
        assert sent[4] - sent[0] > 1.75
        local.misbehave.limit(0.3, "POST /channels")
        anna.say(channel, "<@bot> again")
        channel.wait_message(lambda m: "again" in m.content)
        (limited,) = local.limited
        assert (limited.forced, limited.avoidable) == (True, False)


def test_discord_py_gets_over_a_failing_server(local: LocalDiscord, bot: SmallBot) -> None:
    guild = local.add_guild("Broken")
    channel, anna = guild.add_channel("a"), guild.add_member("Anna")
    local.misbehave.fail(0.5, "PATCH .*@original")
    local.misbehave.hang(0.3, "callback")
    call = anna.slash(channel, "echo", text="at last")
    assert call.wait_text(timeout=4) == "at last"
    assert call.latency > 0.3
    assert [r.status for r in local.requests if r.channel == channel.id][-2:] == [502, 200]


def test_a_wrong_token_and_privileged_intents_end_the_bot() -> None:
    with LocalDiscord() as local:
        token, local.token = local.token, "another"
        with running(local) as bot:
            assert isinstance(bot.failed, discord.LoginFailure)
        local.token = token
        intents = discord.Intents(guilds=True, message_content=True)
        with running(local, intents=intents) as bot:
            assert isinstance(bot.failed, discord.PrivilegedIntentsRequired)
        assert local.wait_gateway("refuse").detail.startswith("4014")
