"""Simulates very many people: python -m engine.bench.simulate [MODEL] [--stored N] [--members N] [--precision int8]

A store is filled with N conversations of a prompt and a reply each; random ones are then opened, saved and deleted.
And N members arrive in bursts, each with a conversation of their own, and read a reply in an event loop, as in a bot.
Who is refused comes back when the engine said. Knows no front end. The last line is JSON.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import asyncio
import contextlib
import json
import os
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import engine
from engine.bench.timing import centile_99, millisecond_figures, timed
from engine.model import directory

PROMPT, REPLY_LENGTH = "ROMEO:", 200
COPIED_AT_ONCE, TRIED = 10_000, 500
COPY = (  # copies the conversation with the id 1 to :end - :begin others, whose ids and names are counted
    "WITH RECURSIVE copies(n) AS (SELECT :begin UNION ALL SELECT n + 1 FROM copies WHERE n + 1 < :end) "
    "INSERT INTO {table} SELECT {columns} FROM {table}, copies WHERE {table}.{key} = 1"
)
BURST_SECONDS = 0.5  # within which the members of a burst arrive


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(prog="python -m engine.bench.simulate", description="What very many people cost.")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="without it: the bundled model")
    parser.add_argument("--stored", type=int, default=1_000_000, metavar="N", help="conversations to store (1000000)")
    parser.add_argument("--members", type=int, default=10_000, metavar="N", help="members who come (10000)")
    parser.add_argument("--bursts", type=int, default=20, metavar="N", help="bursts that they come in (20)")
    parser.add_argument("--every", type=float, default=3.0, metavar="S", help="seconds from burst to burst (3)")
    parser.add_argument("--precision", choices=("float32", "int8"), default="int8", help="of the weights (int8)")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the store's file is made, for a while (.)")
    arguments = parser.parse_args(argv)
    if min(arguments.stored, arguments.members) < 0 or arguments.bursts < 1:
        parser.error("--stored, --members and --bursts: must be whole numbers, --bursts at least 1")
    report: dict[str, Any] = {}
    try:
        with engine.load(arguments.model, precision=arguments.precision) as model:
            if arguments.stored:
                report["store"] = simulate_store(model, arguments.stored, arguments.folder, print)
            if arguments.members:
                report["members"] = asyncio.run(
                    simulate_members(model, arguments.members, arguments.bursts, arguments.every, print)
                )
    except (engine.EngineError, OSError) as error:
        return program.fail("engine.bench.simulate", directory.only_fast(error, "engine.bench.simulate"))
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report))
    return 0


def simulate_store(model: engine.Engine, count: int, folder: Path, show: Callable[[str], None]) -> dict[str, float]:
    """Fill an SQLite file with `count` conversations, then use it; times in milliseconds."""
    rng, figures = random.Random(1), dict[str, float]()
    conversation = model.conversation()
    conversation.say(PROMPT, length=REPLY_LENGTH).result()
    with tempfile.TemporaryDirectory(dir=folder) as made, filled_store(Path(made), conversation, count) as store:
        figures["bytes_each"] = sum(file.stat().st_size for file in Path(made).iterdir()) / count
        chosen = rng.sample(range(count), min(TRIED, count))
        for name, values in use_store(store, model, [f"channel {number}" for number in chosen]).items():
            figures |= millisecond_figures(name, values)
    show(
        f"{count:,} stored conversations ({model.info.name}, a prompt and {REPLY_LENGTH} tokens each): "
        f"{figures['bytes_each']:,.0f} bytes each"
    )
    for name in ("open", "save", "delete"):
        show(f"  {name}: {figures[f'{name}_ms']:.2f} ms, 99th {figures[f'{name}_ms_99']:.2f} ms")
    return figures


@contextlib.contextmanager
def filled_store(folder: Path, conversation: engine.Conversation, count: int) -> Iterator[engine.Store]:
    """A store in an SQLite file with `count` copies of a conversation, named "channel 0" and on.

    They are copied within the database, a hundred times as fast as saving each.
    """
    path = folder / "stored.db"
    with engine.Store(f"sqlite:///{path}") as store:
        store.save(conversation, "copied")
        with contextlib.closing(sqlite3.connect(path)) as database:
            for begin in range(0, count, COPIED_AT_ONCE):
                numbers = {"begin": begin, "end": min(count, begin + COPIED_AT_ONCE)}
                for table, key, own in (
                    ("conversations", "id", {"id": "n + 2", "name": "'channel ' || n"}),
                    ("turns", "conversation", {"conversation": "n + 2"}),
                ):
                    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                    chosen = ", ".join(own.get(column, f"{table}.{column}") for column in columns)
                    database.execute(COPY.format(table=table, key=key, columns=chosen), numbers)
                database.commit()
        yield store


def use_store(store: engine.Store, model: engine.Engine, names: list[str]) -> dict[str, list[float]]:
    """Milliseconds of opening, of saving a turn more, and of deleting, for each of these conversations."""
    spent: dict[str, list[float]] = {"open": [], "save": [], "delete": []}
    for name in names:
        with timed(spent["open"]):
            conversation = store.open(model, name)
        conversation.say("x", length=0).result()
        with timed(spent["save"]):
            store.save(conversation, name)
    for name in names[: len(names) // 5]:
        with timed(spent["delete"]):
            store.delete(name)
    return spent


async def simulate_members(
    model: engine.Engine, members: int, bursts: int, every: float, show: Callable[[str], None]
) -> dict[str, float]:
    """Members come in bursts and read a reply each; times in milliseconds, memory in bytes."""
    rng = random.Random(2)
    before, started = resident_bytes(), time.perf_counter()
    arrivals = [number * bursts // members * every + rng.uniform(0, BURST_SECONDS) for number in range(members)]
    delays = asyncio.create_task(measure_delays())
    visits = [asyncio.create_task(visit(model, number, arrival)) for number, arrival in enumerate(arrivals)]
    seen = await asyncio.gather(*visits)
    seconds = time.perf_counter() - started
    delays.cancel()
    late = await delays
    firsts, ends = [1e3 * first for first, _, _, _ in seen], [1e3 * end for _, end, _, _ in seen]
    figures = {
        "members": members,
        "characters_per_second": sum(size for _, _, size, _ in seen) / seconds,
        **millisecond_figures("first_piece", firsts),
        **millisecond_figures("whole_reply", ends),
        "refusals": sum(refused for _, _, _, refused in seen),
        "event_loop_late_ms_99": centile_99(late),
        "bytes_each": (resident_bytes() - before) / members,
    }
    show(
        f"{members:,} members in {bursts} bursts, one every {every:g} s: {figures['characters_per_second']:,.0f} "
        f"characters a second over {seconds:.0f} s, {figures['refusals']:,} refusals, "
        f"{figures['bytes_each']:,.0f} bytes of memory a member"
    )
    for name, words in (("first_piece", "first words"), ("whole_reply", "whole reply")):
        show(f"  {words} after {figures[f'{name}_ms']:,.0f} ms, 99th {figures[f'{name}_ms_99']:,.0f} ms")
    show(f"  the event loop is late by {figures['event_loop_late_ms_99']:.1f} ms at the 99th of 100 looks")
    return figures


async def visit(model: engine.Engine, number: int, arrival: float) -> tuple[float, float, int, int]:
    """One member: seconds to the first piece and to the last, characters, and how often they were refused."""
    await asyncio.sleep(arrival)
    conversation = model.conversation(sampling=engine.Sampling(seed=number, length=REPLY_LENGTH), owner=number)
    started, refused = time.perf_counter(), 0
    while True:
        try:
            reply = conversation.say(PROMPT)
            break
        except engine.EngineBusy as busy:
            refused += 1
            await asyncio.sleep(busy.seconds)
    first, size = 0.0, 0
    async for piece in reply:
        first = first or time.perf_counter() - started
        size += len(piece)
    return first, time.perf_counter() - started, size, refused


async def measure_delays() -> list[float]:
    """How late, in milliseconds, the event loop wakes a sleeping task; until cancelled."""
    late = [0.0]
    try:
        while True:
            wanted = time.perf_counter() + 0.02
            await asyncio.sleep(0.02)
            late.append(1e3 * (time.perf_counter() - wanted))
    except asyncio.CancelledError:
        return late


def resident_bytes() -> float:
    """The memory that this process holds now, where the system tells it, else what it held at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    program.run(main)
