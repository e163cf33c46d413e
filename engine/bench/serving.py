"""Measures what serving many people costs: waiting, fairness, memory, the store. Part of `python -m engine.bench`."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import engine
from engine.bench.simulate import filled_store, use_store
from engine.bench.timing import millisecond_figures, timed

LONG_REPLIES, SHORT_REQUESTS = 64, 200
REQUESTS, OWNERS, REQUEST_LENGTH = 1000, 100, 50
IDLE_CONVERSATIONS, SAVES, STORED, OPENED = 2000, 300, 100_000, 200
PROMPT = "ROMEO:"


def measure(model: engine.Engine) -> dict[str, Any]:
    """All figures of serving with one model; times in milliseconds."""
    return {
        **first_piece(model),
        "slowest_owner_to_fair_share": slowest_owner(model),
        "idle_conversation_bytes": idle_bytes(model),
        "idle_processor_share": idle_processor_share(),
        **store(model),
    }


def show(figures: dict[str, Any]) -> list[str]:
    """The figures in words."""
    return [
        f"  a short request while {LONG_REPLIES} long ones run: first piece after {figures['first_piece_ms']:.1f} ms, "
        f"99th {figures['first_piece_ms_99']:.1f} ms",
        f"  {REQUESTS:,} requests of {OWNERS} owners at once: the slowest owner is done after "
        f"{figures['slowest_owner_to_fair_share']:.2f} x the fair share",
        f"  an idle conversation takes {figures['idle_conversation_bytes']:,.0f} bytes beside its state; "
        f"an idle engine {100 * figures['idle_processor_share']:.1f} % of a processor",
        f"  SQLite: a turn is saved in {figures['save_ms']:.2f} ms, 99th {figures['save_ms_99']:.2f} ms; one of "
        f"{STORED:,} conversations is opened in {figures['open_ms']:.2f} ms, 99th {figures['open_ms_99']:.2f} ms",
    ]


def first_piece(model: engine.Engine) -> dict[str, float]:
    """From `say` to the first piece of a short reply, while the batch is full of long ones of other owners."""
    long = [model.conversation().say(PROMPT, length=10**9) for _ in range(LONG_REPLIES)]
    time.sleep(0.5)
    waits: list[float] = []
    for _ in range(SHORT_REQUESTS):
        with timed(waits):
            pieces = iter(model.conversation().say(PROMPT, length=20))
            next(pieces)
        for _ in pieces:
            pass
    for reply in long:
        reply.stop()
    for reply in long:
        reply.result()
    return millisecond_figures("first_piece", waits)


def slowest_owner(model: engine.Engine) -> float:
    """The time of the slowest owner over that of the median one; all make equal requests, so 1 is fair."""
    done: dict[int, float] = {}
    started = time.perf_counter()
    replies = [
        model.conversation(owner=number % OWNERS).say(PROMPT, length=REQUEST_LENGTH) for number in range(REQUESTS)
    ]

    def wait(owner: int) -> None:
        for reply in replies[owner::OWNERS]:
            reply.result()
        done[owner] = time.perf_counter() - started

    threads = [threading.Thread(target=wait, args=[owner]) for owner in range(OWNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(done.values()) / statistics.median(done.values())


def idle_bytes(model: engine.Engine) -> float:
    """What Python's allocator gave for a conversation, less its state vector."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [model.conversation() for _ in range(IDLE_CONVERSATIONS)]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(kept) - model.info.state_bytes


def idle_processor_share() -> float:
    """The share of one processor that this process takes while its engines have nothing to do."""
    time.sleep(0.3)
    before, started = time.process_time(), time.perf_counter()
    time.sleep(2.0)
    return (time.process_time() - before) / (time.perf_counter() - started)


def store(model: engine.Engine) -> dict[str, float]:
    """Saving a turn of a growing conversation, and opening one of very many, on this machine's disk."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, engine.Store(f"sqlite:///{folder}/bench.db") as growing:
        conversation = model.conversation()
        saves: list[float] = []
        for _ in range(SAVES):
            conversation.say("x", length=0).result()
            with timed(saves):
                growing.save(conversation, "a growing one")
        short = model.conversation()
        short.say(PROMPT, length=20).result()
        with filled_store(Path(folder), short, STORED) as full:
            names = [f"channel {number}" for number in range(0, STORED, STORED // OPENED)]
            opens = use_store(full, model, names)["open"]
    return {**millisecond_figures("save", saves), **millisecond_figures("open", opens)}
