"""The step function on ONNX Runtime: sessions of the graphs of `onnx_graph`, with the threads that suit the machine.

Threads are chosen when a network is loaded; a session is made when it is first needed. All sessions give the same bits,
so which one runs is a matter of speed. Knows no vocabulary.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import onnxruntime

from engine.errors import ModelLoadError
from engine.model.network import Network
from engine.model.onnx_graph import Graph, compile_reader, compile_writer
from engine.model.step import Ids, Logits, Shape, State, fingerprint, read_one_by_one
from engine.model.threads import Choice, Threads, possible
from engine.sampling import Draws

onnxruntime.disable_telemetry_events()  # for a program that imported it before `engine.private` could stop it

FEWEST_READ = 12  # tokens that are worth the way through the reader
STEPS_TRIED, ROWS_TRIED = 6, 16  # to find the threads that suit
NO_DRAWS = Draws(np.zeros((1, 1)), np.zeros((1, 5)), filters=False, never=np.zeros(1, np.bool_))

Run = Callable[[Sequence[str], dict[str, Any], None], list[Any]]


class OnnxStep:
    """A network's sessions and its shape. Safe to call from any thread.

    A step is shared by so many `threads`, or by as many as are fastest here; with a `way`, by just those. Raises
    `ModelLoadError` for what ONNX Runtime cannot run.
    """

    def __init__(
        self, network: Network, *, precision: str = "float32", threads: int | None = None, way: Threads | None = None
    ) -> None:
        self._network, first = network, network.recurrent[0]
        self.shape = Shape(first.cell, first.units, len(network.recurrent), network.parameters)
        self.state_size = network.state_size
        self.vocabulary_size = network.vocabulary_size
        ways = possible(network.parameters, threads) if way is None else [way]
        name = f"{' '.join(map(str, astuple(self.shape)))} {network.vocabulary_size} {precision}"
        calm = [way for way in ways if not way.spin] or ways
        self._writers = _Sessions(network.name, lambda: compile_writer(network, precision))
        self._readers = _Sessions(network.name, lambda: compile_reader(network, precision))
        self._one = Choice(f"{name} {len(ways)} one", ways, lambda way: self._seconds_to_write(way, 1))
        self._many = Choice(f"{name} {len(ways)} many", calm, lambda way: self._seconds_to_write(way, ROWS_TRIED))
        self._writers.keep_only({self._one.way, self._many.way})

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """The sha256 of the weights."""
        return fingerprint(self._network.weights)

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row: `ids [B]`, `state [B, S]` to `logits [B, V]`, `state [B, S]`."""
        choice = self._choice(ids)
        way = choice.way
        run = self._writers.run(way)
        began = time.perf_counter()
        logits, after = run(_LOGITS, _feed(ids, state, _ONE, NO_DRAWS, _FALSE), None)
        choice.took(way, time.perf_counter() - began)
        return logits, after

    def write(self, ids: Ids, state: State, draws: Draws) -> tuple[Ids, State]:
        """Feed `ids [B]`, draw, feed what was drawn, and so on: to the tokens `[N, B]` and the `state [B, S]` before
        the last is fed."""
        choice, count = self._choice(ids), len(draws.numbers)
        way = choice.way
        run = self._writers.run(way)
        began = time.perf_counter()
        tokens, after = run(_TOKENS, _feed(ids, state, np.array(count), draws, _TRUE), None)
        choice.took(way, (time.perf_counter() - began) / count)
        return tokens, after

    def read(self, ids: Ids, state: State, begin: int = 0) -> tuple[Logits, State]:
        """Feed many tokens a row: `ids [T, B]` to the `logits [T - begin, B, V]` from the token at `begin` on, and
        `state [B, S]`."""
        if len(ids) < FEWEST_READ:
            return read_one_by_one(self, ids, state, begin)
        way = self._one.way  # many tokens of a row depend on each other as those of many steps do
        run = self._readers.run(way)
        began = time.perf_counter()
        logits, after = run(_LOGITS, {"ids": ids, "state": state, "begin": np.array([begin])}, None)
        if ids.shape[1] == 1:  # it is faster than a step, unless neighbors are busy
            self._one.took(way, (time.perf_counter() - began) / len(ids))
        return logits, after

    def _choice(self, ids: Ids) -> Choice:
        return self._one if len(ids) == 1 else self._many

    def bare(self, ids: Ids, state: State, count: int) -> State:
        """Feed the same tokens so many times and draw nothing: to the state after them."""
        run = self._writers.run(self._choice(ids).way)
        after: State = run(_LOGITS, _feed(ids, state, np.array(count), NO_DRAWS, _FALSE), None)[1]
        return after

    def _seconds_to_write(self, way: Threads, rows: int) -> float:
        ids, state = np.zeros(rows, np.int32), np.zeros((rows, self.state_size), np.float32)
        run = self._writers.run(way)
        began = time.perf_counter()
        run(_LOGITS, _feed(ids, state, np.array(STEPS_TRIED), NO_DRAWS, _FALSE), None)
        return (time.perf_counter() - began) / STEPS_TRIED


_LOGITS, _TOKENS = ["logits", "after"], ["tokens", "after"]
_ONE, _TRUE, _FALSE = np.array(1), np.array(True), np.array(False)


def _feed(ids: Ids, state: State, count: Any, draws: Draws, is_drawn: Any) -> dict[str, Any]:
    """The inputs of the writer's graph."""
    return {
        "ids": ids, "state": state, "count": count, "draws": is_drawn, "filters": _TRUE if draws.filters else _FALSE,
        "numbers": draws.numbers, "settings": draws.settings, "never": draws.never,
    }  # fmt: skip


class _Sessions:
    """The sessions of one graph, by their threads."""

    def __init__(self, name: str, compiled: Callable[[], Graph]) -> None:
        self._name, self._compiled = name, compiled
        self._runs: dict[Threads, Run] = {}

    def run(self, threads: Threads) -> Run:
        """The function that runs the graph. Raises `ModelLoadError`."""
        if threads not in self._runs:
            self._runs[threads] = self._made(threads)
        return self._runs[threads]

    def keep_only(self, kept: Collection[Threads]) -> None:
        """Let the sessions with other threads go."""
        self._runs = {threads: run for threads, run in self._runs.items() if threads in kept}

    def _made(self, threads: Threads) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads.number
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if threads.spin else "0")
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        try:
            graph = self._compiled()
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in graph.arrays.values()]
            options.add_external_initializers(list(graph.arrays), values)
            session = onnxruntime.InferenceSession(
                graph.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except ModelLoadError:
            raise
        except Exception as error:  # the runtime's errors share no other class
            raise ModelLoadError(f"{self._name}: ONNX Runtime cannot run it ({error}): use --backend keras") from None
        run: Run = session._sess.run  # the session's own run() checks and copies its arguments in Python at every call
        return run
