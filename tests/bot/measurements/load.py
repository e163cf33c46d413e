"""How the bot bears many people: python -m tests.bot.measurements.load (make bench-bot). The last line is JSON.

The bot runs as a process beside a local Discord with Discord's limits, on the bundled model in int8. Measured are the
time from an interaction to the first visible words (idle, and with 200 channels streaming), what it sends against
what Discord allows, late heartbeats, memory after 1,000 channels, and the time from start to ready.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.bot.running import TOKEN, Bot
from tests.local_discord import Channel, Guild, Interaction, LocalDiscord, Message, Settings

IDLE, STREAMING, PROBES, SEEN, STARTS = 30, 200, 60, 1000, 5
LONG, SHORT = 2000, 200
SETTINGS: dict[str, dict[str, Any]] = {"limits": {"member_seconds": 0.0, "channel_seconds": 0.0}}


def main() -> int:
    """Measure and print."""
    report: dict[str, Any] = {}
    settings = Settings(max_concurrency=16, heartbeat_interval=5.0, max_edits=50, identify_window=0.0)
    with LocalDiscord(token=TOKEN, settings=settings) as discord, tempfile.TemporaryDirectory() as folder:
        guild = discord.add_guild("Writers")
        report["ready_seconds"] = statistics.median(start_seconds(discord, Path(folder)) for _ in range(STARTS))
        print(f"start to ready, median of {STARTS}: {report['ready_seconds']:.2f} s")
        with Bot(discord, Path(folder), SETTINGS) as bot:
            discord.wait_ready()
            discord.wait_command("continue")
            report.update(idle(guild))
            print(f"first visible words, idle: {report['idle_ms']:.0f} ms, 95th {report['idle_ms_95']:.0f} ms")
            report.update(streaming(guild))
            print(
                f"the same while {STREAMING} channels stream: {report['busy_ms']:.0f} ms, 95th "
                f"{report['busy_ms_95']:.0f} ms; {report['lost']} replies lost"
            )
            seen(guild)
            report["megabytes"] = bot.resident_megabytes
            print(f"memory after {SEEN:,} more channels: {report['megabytes']:.0f} MB")
            report["avoidable_429"] = sum(one.avoidable for one in discord.limited)
            report["refused"], report["late_heartbeats"] = len(discord.refused), len(discord.late_heartbeats)
            report["pings"], report["requests"] = len(discord.pings), len(discord.requests)
            print(
                f"{report['requests']:,} requests: {report['avoidable_429']} avoidable 429s, {report['refused']} "
                f"refused, {report['late_heartbeats']} late heartbeats, {report['pings']} pings"
            )
        blocked = [line for line in bot.log if "loop-blocked" in line]
        own = [float(line.partition("own=")[2].split()[0]) for line in blocked]
        report["loop_blocked"], report["loop_own_work"] = len(blocked), max(own, default=0.0)
        report["machine_busy"] = sum("machine-busy" in line for line in bot.log)
        held = f"{len(blocked)} times, its own work at most {1e3 * report['loop_own_work']:.0f} ms of it"
        print(f"event loop held up over 50 ms: {held}", *blocked[:5], sep="\n  ")
        print(f"late for want of a processor, waiting for events: {report['machine_busy']} times")
        print(*bot.complaints()[:10], sep="\n")
    print(json.dumps(report))
    return 0


def start_seconds(discord: LocalDiscord, folder: Path) -> float:
    """From the start of the process to the gateway's READY."""
    number, started = len([e for e in discord.gateway_log if e.what == "ready"]), time.monotonic()
    with Bot(discord, folder, SETTINGS):
        discord.wait_gateway("ready", number + 1)
        return time.monotonic() - started


def first_words(call: Interaction, timeout: float = 60) -> float:
    """Milliseconds from the interaction to the first words that can be seen."""
    message = call.wait_message(lambda one: one.text, timeout=timeout)
    return 1e3 * (message.edits[0][0] - call.created)


def is_written(message: Message) -> bool:
    """Whether a message is the end of a reply."""
    return any(button["label"] == "Continue" for button in message.buttons)


def idle(guild: Guild) -> dict[str, float]:
    """Nobody else writes."""
    anna, waits = guild.add_member("Anna"), []
    for number in range(IDLE):
        channel = guild.add_channel(f"idle-{number}")
        waits.append(first_words(anna.slash(channel, "continue", text="ROMEO:", length=SHORT)))
        time.sleep(0.1)
    return {"idle_ms": statistics.median(waits), "idle_ms_95": statistics.quantiles(waits, n=20)[18]}


def streaming(guild: Guild) -> dict[str, float]:
    """Channels that write all the time, and short requests in others meanwhile."""
    is_over, calls = threading.Event(), list[Interaction]()

    def keep_writing(channel: Channel, number: int) -> None:
        member = guild.add_member(f"Member {number}")
        while not is_over.is_set():
            call = member.slash(channel, "continue", text="JULIET:", length=LONG)
            calls.append(call)
            call.wait_message(is_written, timeout=120)

    channels = [guild.add_channel(f"busy-{number}") for number in range(STREAMING)]
    threads = [threading.Thread(target=keep_writing, args=[c, n], daemon=True) for n, c in enumerate(channels)]
    for thread in threads:
        thread.start()
    time.sleep(5)
    anna, probes = guild.add_member("Bea"), []
    for number in range(PROBES):
        probes.append(anna.slash(guild.add_channel(f"probe-{number}"), "continue", text="ROMEO:", length=SHORT))
        time.sleep(0.25)
    waits = [first_words(call) for call in probes]
    is_over.set()
    for thread in threads:
        thread.join(180)
    lost = sum(thread.is_alive() for thread in threads)
    return {"busy_ms": statistics.median(waits), "busy_ms_95": statistics.quantiles(waits, n=20)[18], "lost": lost}


def seen(guild: Guild) -> None:
    """Each of very many channels has asked once."""
    anna = guild.add_member("Cleo")
    for start in range(0, SEEN, 50):
        some = [guild.add_channel(f"seen-{number}") for number in range(start, start + 50)]
        for call in [anna.slash(channel, "continue", text="O", length=20) for channel in some]:
            first_words(call)


if __name__ == "__main__":
    sys.exit(main())
