"""What very many people cost: python -m engine.bench.simulate [MODEL] [--stored N] [--members N] [--precision int8]

Two simulations on this machine, with real parts. A store is filled with N conversations of a prompt and a reply each,
then opened, saved and deleted in at random. And N members arrive in bursts, each with a conversation of their own,
and read a reply in an event loop as a bot would; who is refused comes back when the engine said. The last line is
JSON.
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
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import engine
from engine.model import directory

PROMPT, REPLY_LENGTH = "ROMEO:", 200
COPIED_AT_ONCE, TRIED = 10_000, 500
COPY = (  # of the conversation with the first id, so many times from a number on; ids and names follow the number
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
    talk = model.conversation()
    talk.say(PROMPT, length=REPLY_LENGTH).result()
    with tempfile.TemporaryDirectory(dir=folder) as made, filled_store(Path(made), talk, count) as store:
        figures["bytes_each"] = sum(file.stat().st_size for file in Path(made).iterdir()) / count
        chosen = rng.sample(range(count), min(TRIED, count))
        for name, values in use_store(store, model, [f"channel {number}" for number in chosen]).items():
            figures[f"{name}_ms"], figures[f"{name}_ms_99"] = statistics.median(values), centile_99(values)
    show(
        f"{count:,} stored conversations ({model.info.name}, a prompt and {REPLY_LENGTH} tokens each): "
        f"{figures['bytes_each']:,.0f} bytes each"
    )
    for name in ("open", "save", "delete"):
        show(f"  {name}: {figures[f'{name}_ms']:.2f} ms, 99th {figures[f'{name}_ms_99']:.2f} ms")
    return figures


@contextlib.contextmanager
def filled_store(folder: Path, talk: engine.Conversation, count: int) -> Iterator[engine.Store]:
    """A store in an SQLite file with `count` copies of a conversation, named "channel 0" and on.

    They are copied within the database, a hundred times as fast as they could be saved one by one.
    """
    path = folder / "stored.db"
    with engine.Store(f"sqlite:///{path}") as store:
        store.save(talk, "copied")
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

    @contextlib.contextmanager
    def timed(what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent[what].append(1e3 * (time.perf_counter() - started))

    for name in names:
        with timed("open"):
            talk = store.open(model, name)
        talk.say("x", length=0).result()
        with timed("save"):
            store.save(talk, name)
    for name in names[: len(names) // 5]:
        with timed("delete"):
            store.delete(name)
    return spent


async def simulate_members(
    model: engine.Engine, members: int, bursts: int, every: float, show: Callable[[str], None]
) -> dict[str, float]:
    """Members come in bursts and read a reply each; times in milliseconds, memory in bytes."""
    rng = random.Random(2)
    before, started = resident_bytes(), time.perf_counter()
    arrivals = [number * bursts // members * every + rng.uniform(0, BURST_SECONDS) for number in range(members)]
    watch = asyncio.create_task(watch_loop())
    visits = [asyncio.create_task(visit(model, number, arrival)) for number, arrival in enumerate(arrivals)]
    seen = await asyncio.gather(*visits)
    seconds = time.perf_counter() - started
    watch.cancel()
    late = await watch
    firsts, ends = [1e3 * first for first, _, _, _ in seen], [1e3 * end for _, end, _, _ in seen]
    figures = {
        "members": members,
        "characters_per_second": sum(size for _, _, size, _ in seen) / seconds,
        "first_piece_ms": statistics.median(firsts),
        "first_piece_ms_99": centile_99(firsts),
        "whole_reply_ms": statistics.median(ends),
        "whole_reply_ms_99": centile_99(ends),
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
    talk = model.conversation(sampling=engine.Sampling(seed=number, length=REPLY_LENGTH), owner=number)
    started, refused = time.perf_counter(), 0
    while True:
        try:
            reply = talk.say(PROMPT)
            break
        except engine.EngineBusy as busy:
            refused += 1
            await asyncio.sleep(busy.seconds)
    first, size = 0.0, 0
    async for piece in reply:
        first = first or time.perf_counter() - started
        size += len(piece)
    return first, time.perf_counter() - started, size, refused


async def watch_loop() -> list[float]:
    """How late, in milliseconds, the event loop came back to a task that sleeps; until cancelled."""
    late = [0.0]
    try:
        while True:
            wanted = time.perf_counter() + 0.02
            await asyncio.sleep(0.02)
            late.append(1e3 * (time.perf_counter() - wanted))
    except asyncio.CancelledError:
        return late


def centile_99(values: list[float]) -> float:
    """The value that one in a hundred is above."""
    return statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0]


def resident_bytes() -> float:
    """The memory that this process holds now, where the system tells it, else what it held at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    program.run(main)
