"""A day in ten minutes: python -m tests.bot.measurements.soak [--minutes 10] [--interactions 10000] (make soak-bot).

Members ask, press and stop at random in many channels while Discord misbehaves at random. At the end every request has
its answer, what stands in the messages is what the store has, and the process is no larger than it was after a fifth
of the time. Prints what was lost; the exit code is 1 if anything was.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.bot.measurements.load import is_written
from tests.bot.running import TOKEN, Bot
from tests.local_discord import Channel, Guild, Interaction, LocalDiscord, Member, Message, NotPossible, Settings

CHANNELS, WRITERS = 60, 24
MAX_GROWTH = 0.05


def main() -> int:
    """0 nothing was lost, 1 something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.bot.measurements.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--interactions", type=int, default=10_000)
    arguments = parser.parse_args()
    settings = Settings(max_concurrency=16, identify_window=0.0, max_edits=20, max_records=100_000)
    with LocalDiscord(token=TOKEN, settings=settings) as discord, tempfile.TemporaryDirectory() as folder:
        guild = discord.add_guild("Writers")
        with Bot(discord, Path(folder)) as bot:
            discord.wait_ready()
            discord.wait_command("continue")
            day = Day(discord, guild, arguments.minutes * 60, arguments.interactions)
            sizes = day.run(bot)
            lost = day.lost()
            alive = bot.process.poll() is None
        early, late = sizes[len(sizes) // 5], sizes[-1]
        growth = late / early - 1
        print(f"{day.count:,} interactions, {dict(day.faults)}, outcomes {dict(day.outcomes)}")
        fifths = ", ".join(f"{sizes[min(len(sizes) - 1, len(sizes) * n // 5)]:.0f}" for n in range(1, 6))
        print(f"memory after each fifth of the time: {fifths} MB ({100 * growth:+.1f} % from the first to the last)")
        avoidable = sum(one.avoidable for one in discord.limited)
        print(f"{len(lost)} lost, {len(discord.pings)} pings, {avoidable} avoidable 429s of {len(discord.limited)}")
        print(*lost[:20], sep="\n")
        print(*bot.complaints()[:20], sep="\n")
    return int(bool(lost or discord.pings or growth > MAX_GROWTH or not alive))


class Day:
    """What happens, and what came of it."""

    def __init__(self, discord: LocalDiscord, guild: Guild, seconds: float, interactions: int) -> None:
        self._discord, self._guild, self._seconds = discord, guild, seconds
        self._pause = seconds * WRITERS / interactions
        self._channels = [guild.add_channel(f"story-{number}") for number in range(CHANNELS)]
        self._calls: list[Interaction] = []
        self._guard = threading.Lock()
        self.count, self.faults, self.outcomes = 0, Counter[str](), Counter[str]()

    def run(self, bot: Bot) -> list[float]:
        """Let it pass; returns the process's sizes in megabytes, one a second."""
        ends, sizes = time.monotonic() + self._seconds, list[float]()
        threads = [threading.Thread(target=self._write, args=[n, ends], daemon=True) for n in range(WRITERS)]
        threads.append(threading.Thread(target=self._misbehave, args=[ends], daemon=True))
        for thread in threads:
            thread.start()
        while time.monotonic() < ends:
            time.sleep(1)
            sizes.append(bot.resident_megabytes)
        for thread in threads:
            thread.join(60)
        self._discord.misbehave.stop()
        return sizes

    def _write(self, number: int, ends: float) -> None:
        chance, member = random.Random(number), self._guild.add_member(f"Member {number}")
        while time.monotonic() < ends:
            began, channel = time.monotonic(), chance.choice(self._channels)
            try:
                call = self._ask(chance, member, channel)
            except NotPossible:
                self.outcomes["not possible"] += 1
            else:
                with self._guard:
                    self._calls.append(call)
                    self.count += 1
            time.sleep(max(0.0, self._pause * chance.uniform(0.5, 1.5) - (time.monotonic() - began)))

    def _ask(self, chance: random.Random, member: Member, channel: Channel) -> Interaction:
        shown = [message for message in channel.messages[-5:] if message.buttons]
        if shown and chance.random() < 0.5:
            message = chance.choice(shown)
            labels = [button["label"] for button in message.buttons if button["label"] != "Fork"]
            return member.press(message, chance.choice(labels))
        kind = chance.choice(["continue"] * 6 + ["retry", "undo", "redo", "tree", "status", "export"])
        if kind != "continue":
            return member.slash(channel, kind)
        length, text = chance.choice([20, 200, 900]), chance.choice(["ROMEO:", "JULIET:", "and **so** @everyone"])
        return member.slash(channel, kind, text=text, length=length)

    def _misbehave(self, ends: float) -> None:
        chance, misbehave = random.Random(99), self._discord.misbehave
        faults: dict[str, Callable[[], None]] = {
            "5xx": lambda: misbehave.fail(1.0, "", 502),
            "429": lambda: misbehave.limit(0.5, "PATCH", times=3),
            "lost answer": lambda: misbehave.lose_answer("PATCH", times=2),
            "hang": lambda: misbehave.hang(1.0, "PATCH", times=2),
            "reconnect": misbehave.ask_reconnect,
            "drop": misbehave.drop_gateway,
            "invalid": misbehave.invalidate,
            "expire": misbehave.expire_tokens,
            "double": lambda: misbehave.double("INTERACTION_CREATE"),
        }
        while time.monotonic() < ends - 15:
            time.sleep(chance.uniform(2, 6))
            name = chance.choice(sorted(faults))
            faults[name]()
            self.faults[name] += 1

    def lost(self) -> list[str]:
        """Requests that never got an answer, after a while of peace."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends and any(self._outcome(call) == "waiting" for call in self._calls):
            time.sleep(0.5)
        self.outcomes.update(self._outcome(call) for call in self._calls)
        return [f"{call}: {call.messages}" for call in self._calls if self._outcome(call) == "waiting"]

    def _outcome(self, call: Interaction) -> str:
        if call.error is not None:  # Discord was away when it was asked, so the member saw "did not respond"
            return "not reached"
        texts = [message for message in call.messages if message.text or message.attachments]
        if any(message.ephemeral_to or is_refusal(message) for message in texts):
            return "told"
        if call.answer_kind == 6:
            return "stopped"
        if call.answer is not None and call.answer.ephemeral_to and not call.expires:
            return "expired"  # nothing reaches the one who asked without the token that we took away
        return "written" if any(is_written(message) for message in texts) else "waiting"


def is_refusal(message: Message) -> bool:
    """Whether a message says, for all to see, why there is no reply: its author's token had run out."""
    return message.text.startswith("-# ") and not message.text.startswith("-# in line")


if __name__ == "__main__":
    sys.exit(main())
