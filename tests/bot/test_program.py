"""The bot as a process: ends, restarts, signals, configuration, several on one store."""

from __future__ import annotations

import dataclasses
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

import engine
from bot import program
from tests.bot.conftest import ROOMY
from tests.bot.reading import is_growing, is_written, same_words, story_of, text_of, turn_of, written
from tests.bot.running import ROOT, TOKEN, Bot, started, until
from tests.local_discord import Guild, LocalDiscord, Message, NotPossible
from tests.postgres import Server

LONG = {"writing": {"max_length": 4000, "length": 4000}}


@pytest.fixture
def discord() -> Iterator[LocalDiscord]:
    with LocalDiscord(token=TOKEN, settings=ROOMY) as server:
        yield server


def test_the_bundled_model_goes_on_with_a_word_that_was_begun(discord: LocalDiscord, folder: Path) -> None:
    """Also after a restart, where the word that is open comes from the store."""
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    settings = {"engine": {"models": ["storyteller"]}}
    with engine.load("storyteller", precision="int8") as model:
        talk = model.conversation(sampling=engine.Sampling(seed=1, length=20))
        told = "Once upon a ti" + talk.say("Once upon a ti").text
    with started(discord, folder, settings):
        written(anna.slash(channel, "continue", text="Once upon a ti", length=20, seed=1))
        assert text_of(anna, channel) == told
        written(anna.slash(channel, "undo"))
    with started(discord, folder, settings):
        assert text_of(anna, channel) == "Once upon a ti"
        written(anna.slash(channel, "continue", length=20, seed=1))
        assert text_of(anna, channel) == told


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_kill_9_in_mid_reply_loses_nothing(
    discord: LocalDiscord, folder: Path, model: engine.Engine, delay: float
) -> None:
    guild = discord.add_guild("Writers")
    anna, channels = guild.add_member("Anna"), [guild.add_channel(f"story-{n}") for n in range(6)]
    mentioned = guild.add_channel("mentioned")
    with started(discord, folder, LONG) as bot:
        old = written(anna.slash(channels[0], "continue", text="ROMEO:", length=30, seed=1))
        anna.say(mentioned, f"<@{guild.me.id}> Once")
        mentioned.wait_message(is_growing, 20)
        calls = [anna.slash(channel, "continue", text="JULIET:", length=4000, seed=9) for channel in channels]
        for call in calls:
            call.wait_answer()
        channels[-1].wait_message(is_growing, 20)
        time.sleep(delay)
        bot.kill()
    with started(discord, folder, LONG):
        for channel in channels:
            channel.wait_message(lambda m: is_written(m) and m is not old, 30)
        text = "JULIET:" + model.conversation(sampling=engine.Sampling(seed=9, length=4000)).say("JULIET:").text
        cut = [channel for channel in channels if any("restart" in m.text for m in channel.messages)]
        assert cut
        for channel in channels[1:]:
            assert same_words(story_of(*[m for m in channel.messages if m.text]), text)
            assert len([m for m in channel.messages if is_written(m)]) == 1
        assert mentioned.wait_message(is_written, 30)
        assert turn_of(written(anna.press(old, "Continue"))) > turn_of(old)
        last = next(m for m in cut[-1].messages if is_written(m))
        assert written(anna.press(last, "Retry"))


def test_sigterm_seals_what_is_being_written(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    slow = {**LONG, "engine": {"precision": "float32"}}
    with started(discord, folder, slow) as bot:
        for number in range(24):  # so many that none can end in time
            anna.slash(guild.add_channel(f"other-{number}"), "continue", length=4000)
        call = anna.slash(channel, "continue", text="ROMEO:", length=4000)
        call.wait_message(is_growing, 20)
        began = time.monotonic()
        assert bot.terminate() == 0
        assert time.monotonic() - began < 6
        assert not bot.complaints()
    last = next(m for m in channel.messages if is_written(m))
    with started(discord, folder, slow):
        assert turn_of(written(anna.press(last, "Continue"))) > turn_of(last)


def test_the_end_waits_for_commands_that_are_at_work(discord: LocalDiscord, folder: Path) -> None:
    """Also if Discord keeps one waiting for longer than the end may take: then it ends without a word in the log."""
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder) as bot:
        discord.misbehave.hang(1.0, "PATCH .*original")
        call = anna.slash(channel, "model").wait_answer()
        assert bot.terminate() == 0
        assert "shakespeare" in call.wait_text()
    with started(discord, folder) as bot:
        discord.misbehave.hang(30.0, "PATCH .*original")
        anna.slash(channel, "model").wait_answer()
        began = time.monotonic()
        assert bot.terminate() == 0
        assert time.monotonic() - began < 5.5
    assert not bot.complaints()
    assert not any("never retrieved" in line for line in bot.log)


@pytest.mark.parametrize("setting", ["auto", "v1"])
def test_where_layouts_are_refused_messages_have_content(folder: Path, setting: str) -> None:
    settings = dataclasses.replace(ROOMY, takes_layouts=False)
    with LocalDiscord(token=TOKEN, settings=settings) as discord:
        guild = discord.add_guild("Writers")
        anna, channel = guild.add_member("Anna"), guild.add_channel("story")
        with started(discord, folder, {"discord": {"components": setting}}) as bot:
            first = written(anna.slash(channel, "continue", text="ROMEO:", length=1500))
            anna.say(channel, f"<@{guild.me.id}> Once")
            channel.wait_message(lambda m: "Once" in m.content and is_written(m))
            assert written(anna.press(first, "Continue")).content
            assert sum("event=no-layouts" in line for line in bot.log) == (setting == "auto")
            assert len(discord.refused) == (setting == "auto")
            assert not bot.complaints()


def test_a_reply_of_4000_characters_is_two_messages_at_most(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna = guild.add_member("Anna")
    requests, messages = list[int](), list[int]()
    for setting in ("v1", "v2"):
        channel = guild.add_channel(setting)
        with started(discord, folder, LONG | {"discord": {"components": setting}}):
            before = len(discord.requests)
            channel_has = anna.slash(channel, "continue", length=4000, seed=1)
            written(channel_has, 30)
            requests.append(len(discord.requests) - before)
            messages.append(len(channel.messages))
    assert messages[0] >= 3
    assert messages[1] <= 2
    assert requests[1] <= requests[0]


def test_the_line_and_the_cooldown_are_told(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna = guild.add_member("Anna")
    limits = {"running": 1, "waiting": 1, "member_seconds": 30.0, "member_burst": 3}
    with started(discord, folder, {**LONG, "limits": limits, "engine": {"precision": "float32"}}) as bot:
        calls = []
        for number in range(4):
            calls.append(anna.slash(guild.add_channel(f"c-{number}"), "continue", length=4000))
            time.sleep(0.15)
        soon = calls[3].wait_message(lambda m: "not so fast" in m.text)
        assert soon.ephemeral_to is not None
        assert "wait already" in calls[2].wait_message(lambda m: m.text).text
        assert written(calls[1], 40), bot.log
        assert not bot.complaints()


def test_a_signal_reads_the_configuration_again(discord: LocalDiscord, folder: Path) -> None:
    guild = discord.add_guild("Writers")
    anna, channel = guild.add_member("Anna"), guild.add_channel("story")
    with started(discord, folder) as bot:
        text = bot.path.read_text(encoding="utf-8")
        assert offered_length(discord) == 2000
        bot.path.write_text(text.replace("[writing]", "[writing]\nlength = 5\nmax_length = 9"), encoding="utf-8")
        bot.process.send_signal(signal.SIGHUP)
        until(lambda: any("event=reloaded" in line for line in bot.log))
        until(lambda: offered_length(discord) == 9)
        with pytest.raises(NotPossible, match="takes 1 to 9"):
            anna.slash(channel, "continue", length=10)
        written(anna.slash(channel, "continue", text="ab"))
        assert len(text_of(anna, channel)) == 7
        discord.misbehave.fail(0.5, "PUT .*commands", 400)
        bot.path.write_text(text.replace("[writing]", "[writing]\nlength = 5\nmax_length = 8"), encoding="utf-8")
        bot.process.send_signal(signal.SIGHUP)
        until(lambda: any("event=not-offered" in line for line in bot.log))
        discord.misbehave.stop()
        bot.path.write_text(text.replace("[writing]", "[writing]\nlenth = 5"), encoding="utf-8")
        bot.process.send_signal(signal.SIGHUP)
        refused = until(lambda: [line for line in bot.log if "event=not-reloaded" in line])
        assert "no key 'lenth'" in refused[0]
        assert written(anna.slash(channel, "continue", text="ab"))


def offered_length(discord: LocalDiscord) -> int:
    """The longest reply that Discord offers."""
    options = {option["name"]: option for option in discord.commands()["continue"]["options"]}
    return int(options["length"]["max_value"])


def run(*arguments: str, token: str | None = TOKEN, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DISCORD_TOKEN"}
    if token is not None:
        environment["DISCORD_TOKEN"] = token
    command = [sys.executable, "-m", "bot", *arguments]
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60)


def test_a_configuration_is_made_once_and_checked(discord: LocalDiscord, folder: Path) -> None:
    made = run("--init-config", cwd=folder)
    assert made.returncode == 0
    again = run("--init-config", cwd=folder)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "is there already" in again.stderr
    path = folder / "textbot.toml"
    text = path.read_text(encoding="utf-8")
    url = f"sqlite:///{folder}/s.db"
    text = text.replace('api_url = ""', f'api_url = "{discord.api_url}"').replace('url = ""\n', f'url = "{url}"\n')
    path.write_text(text, encoding="utf-8")
    checked = run("--check", cwd=folder)
    assert checked.returncode == 0, checked.stderr
    assert "all is well" in checked.stdout
    assert "oauth2/authorize" in checked.stdout
    assert "integration_type=1" in checked.stdout
    assert "people, anywhere: yes" in checked.stdout
    path.write_text(text.replace("length = 300", "length = -1"), encoding="utf-8")
    wrong = run("--check", cwd=folder)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    number = 1 + text[: text.index("length = 300")].count("\n")
    assert f"line {number}: length -1" in wrong.stderr


@pytest.mark.parametrize(
    ("settings", "token", "words"),
    [
        ("", None, "DISCORD_TOKEN is not set"),
        ("", "not.the.token", "refuses the token"),
        ("", "not the token", "copy the token again"),
        ("[engine]\nmodels = ['nowhere']\n", TOKEN, "nowhere"),
        ("[store]\nurl = 'nonsense'\n", TOKEN, "no database URL"),
        ("[store]\nurl = 'sqlite:////proc/none/s.db'\n", TOKEN, "cannot be used"),
        ("[discord]\napi_url = 'http://127.0.0.1:1/api'\n", TOKEN, "cannot reach Discord"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    discord: LocalDiscord, folder: Path, settings: str, token: str | None, words: str
) -> None:
    path = folder / "bot.toml"
    if "[discord]" not in settings:
        settings += f"[discord]\napi_url = '{discord.api_url}'\n"
    if "[store]" not in settings:
        settings += f"[store]\nurl = 'sqlite:///{folder}/s.db'\n"
    path.write_text(settings, encoding="utf-8")
    for arguments in (["--check"], []):
        done = run("--config", str(path), *arguments, token=token)
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr


def test_two_processes_share_a_store_and_a_guild_moves_between_them(
    discord: LocalDiscord, folder: Path, postgres: Server
) -> None:
    database = sql.create_engine(postgres.url)
    with database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    database.dispose()
    guilds = [discord.add_guild(f"Guild {n}", shard=(n, 2)) for n in range(2)]
    channels = [guild.add_channel("story") for guild in guilds]
    people = [guild.add_member("Anna") for guild in guilds]

    def settings(count: int, *shards: int) -> dict[str, Any]:
        return {"discord": {"shard_count": count, "shard_ids": list(shards)}, "store": {"url": postgres.url}}

    messages: list[Message] = []
    with Bot(discord, folder, settings(2, 0), name="zero"), Bot(discord, folder, settings(2, 1), name="one") as one:
        discord.wait_ready(shards=2)
        discord.wait_command("continue")
        for anna, channel in zip(people, channels, strict=True):
            messages.append(written(anna.slash(channel, "continue", text="ROMEO:", length=30, seed=4)))
        assert story_of(messages[0]) == story_of(messages[1])
        until(lambda: any(f"guild={guilds[1].id}" in line for line in one.log))
        assert not [line for line in one.log if f"guild={guilds[0].id}" in line]
    with started(discord, folder, settings(1, 0), name="both") as both:  # all guilds are this process's now
        for anna, channel, message in zip(people, channels, messages, strict=True):
            assert turn_of(written(anna.press(message, "Continue"))) > turn_of(message)
            exported = anna.slash(channel, "export").wait_message(lambda m: m.attachments)
            assert exported.attachments[0].data.decode().startswith(story_of(message))
        assert not both.complaints()


def test_many_shards_in_one_process(discord: LocalDiscord, folder: Path) -> None:
    guilds = [discord.add_guild(f"Guild {n}", shard=(n, 2)) for n in range(2)]
    with Bot(discord, folder, {"discord": {"shard_count": 2}}) as bot:
        discord.wait_ready(shards=2, timeout=40)
        discord.wait_command("continue")
        for guild in guilds:
            assert written(guild.add_member("Anna").slash(guild.add_channel("s"), "continue", length=10))
        assert not bot.complaints()


def test_commands_can_be_given_to_some_guilds_only(discord: LocalDiscord, folder: Path) -> None:
    guild: Guild = discord.add_guild("Writers")
    with Bot(discord, folder, {"discord": {"guilds": [guild.id]}}):
        discord.wait_ready()
        discord.wait_command("continue", guild)
        assert not discord.commands()
        assert written(guild.add_member("Anna").slash(guild.add_channel("s"), "continue", length=10))
    with Bot(discord, folder, {"discord": {"guilds": [guild.id]}}):  # nothing is synced anew, and all works
        discord.wait_gateway("ready", 2)
        assert written(guild.add_member("Bea").slash(guild.add_channel("t"), "continue", length=10))


def test_a_model_that_only_keras_runs_is_refused_without_advice_that_the_bot_cannot_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise engine.ModelLoadError("m.keras: has a layer that the fast backend does not know: use --backend keras")

    (path := tmp_path / "bot.toml").write_text("[engine]\nmodels = ['m.keras']\n")
    monkeypatch.setenv("DISCORD_TOKEN", "a.local.token")
    monkeypatch.setattr(engine, "load", refuse)
    assert program.run(["--config", str(path), "--check"]) == 1
    told = capsys.readouterr().err
    assert told == "textbot: m.keras: has a layer that the fast backend does not know, and the bot has no other\n"


def test_a_disk_that_takes_nothing_is_left_without_half_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert program.run(["--init-config", str(tmp_path / "bot.toml")]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written (File too large)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_a_message_quotes_acts_on_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(tmp_path / "red\x1b[31m\udce9.toml")
    assert program.run(["--config", name]) == 1
    assert "red\ufffd[31m\ufffd.toml cannot be read" in capsys.readouterr().err
    assert program.run(["--init-config", name]) == 0
    assert "\x1b" not in capsys.readouterr().out
