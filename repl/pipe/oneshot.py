"""Writes one continuation, or several, to stdout, for pipes and scripts. Messages go to stderr."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TextIO

import engine
from engine.program import say
from repl.pipe.reading import reading_shown
from repl.signals import stopping_at_ctrl_c

UNPRINTED = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")  # what JSON leaves as it is


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for."""

    prompt: str
    sampling: engine.Sampling
    samples: int = 1
    is_echoed: bool = False
    is_json: bool = False
    remembered: tuple[str, ...] = ()  # names of files
    is_chat: bool = False  # the reply is a line


def run(model: engine.Engine, job: Job, stdout: TextIO, stderr: TextIO | None) -> int:
    """Write the continuations. Returns 0, or 130 after Ctrl-C, with what was written until then."""
    first = random.getrandbits(32) if job.sampling.seed is None else job.sampling.seed
    seeds = [(first + number) % 2**64 for number in range(job.samples)]
    stories = [model.conversation(sampling=replace(job.sampling, seed=seed)) for seed in seeds]
    _remember(stories, job.remembered, model.info.level)
    replies = [story.say(job.prompt) for story in stories]
    if replies[0].unseen:
        say("textrepl", engine.tell_unseen(replies[0].unseen, model.info.level))
    with stopping_at_ctrl_c(replies) as interrupted:
        for reply, seed in zip(replies, seeds, strict=True):
            if job.is_json:
                write_json(model, job, reply, seed, stdout, stderr)
            else:
                write_text(job, reply, stdout, stderr)
    return 130 if interrupted else 0


def _remember(stories: list[engine.Conversation], names: tuple[str, ...], level: str) -> None:
    """Have the stories remember what is in these files, each of which is told."""
    for name in names:
        text, remarks = engine.read_files(name)
        for number, story in enumerate(stories):
            unseen = story.remember(text)
            if not number:
                for line in [*remarks, *([engine.tell_unseen(unseen, level)] if unseen else [])]:
                    say("textrepl", line)


def write_text(
    job: Job, reply: engine.Reply, stdout: TextIO, stderr: TextIO | None,
    note: Callable[[int], None] = lambda written: None,
) -> None:  # fmt: skip
    """Write a reply as it comes; `note` is told with each piece how many characters there are.

    A pipe gets the text as it is. A terminal gets it without control characters.
    """
    shown = engine.visible if stdout.isatty() else str
    pieces = iter(reply)
    with reading_shown(reply.feeding, len(job.prompt), stderr):
        first = next(pieces, "")
    if job.is_echoed:
        stdout.write(shown(job.prompt))
    count = 0
    for piece in itertools.chain([first], pieces):
        stdout.write(shown(piece))
        stdout.flush()
        count += len(piece)
        note(count)
    if job.samples > 1 or job.is_chat or stdout.isatty():
        stdout.write("\n")
    stdout.flush()


def write_json(
    model: engine.Engine, job: Job, reply: engine.Reply, seed: int, stdout: TextIO, stderr: TextIO | None
) -> None:
    """Write a reply as one line of JSON, once it has ended.

    Control characters, and those that stdout's encoding does not have, are written as `\\u` and their number.
    """
    with reading_shown(reply.feeding, len(job.prompt), stderr):
        text = reply.text
    data = {
        "text": (job.prompt if job.is_echoed else "") + text,
        "finish_reason": reply.finish_reason,
        "seed": seed,
        "model": model.info.name,
    }
    is_complete = (stdout.encoding or "utf-8").lower().replace("_", "-") in ("utf-8", "utf8")
    line = json.dumps(data, ensure_ascii=not is_complete)
    stdout.write(UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n")
    stdout.flush()
