"""How fast the same weights write and read in several ways, side by side in one process.

The ways are TensorFlow's tutorial (one `tf.function` step a character), thirty lines of NumPy, PyTorch where it is
installed, the bare ONNX steps with the best threads (many a call, nothing drawn and no text made), this engine alone,
and this engine with 64 conversations. Part of `python -m engine.bench`. Needs TensorFlow.
"""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import engine
from engine.bench import serving, torch_ways
from engine.bench.other_ways import PROMPT, NumpyWay, TutorialWay, memory_limit
from engine.bench.timing import Way, in_turn, median_ratio
from engine.model import directory
from engine.model.network import Embedding, Network
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.threads import possible

ROWS, ROUNDS, STEPS_COMPARED = 64, 7, 1000
READ = 8192  # characters read at once
REMEMBERED = 20_000  # tokens that the story's memory knows
CHARACTERS = "shakespeare"  # a bundled model whose tokens are characters
WEIGHT_BYTES = {"numpy": 4, "onnx_step": 4, "engine_1": 4, "onnx_step_int8": 1, "engine_1_int8": 1}  # of a number
COMPARED = {
    "engine_1": ["tutorial", "numpy", "pytorch", "onnx_step"],
    "engine_1_int8": ["tutorial", "numpy", "onnx_step_int8"],
    f"engine_{ROWS}": ["engine_1", f"onnx_step_{ROWS}"],
    f"engine_{ROWS}_int8": ["engine_1", f"onnx_step_{ROWS}_int8"],
    "engine_1_memory": ["engine_1"],
    f"engine_{ROWS}_memory": [f"engine_{ROWS}"],
    "reading": ["engine_1", "onnx_step"],
    "reading_int8": ["engine_1_int8", "onnx_step_int8"],
}


def random_model(folder: Path, units: int, layers: int) -> Path:
    """A GRU model with random weights over shakespeare's characters; returns its `.keras` file."""
    from engine.train.network.build import build_model
    from engine.train.settings import TrainSettings

    vocabulary = directory.read_vocabulary(directory.find(CHARACTERS))
    folder.mkdir()
    model = build_model(len(vocabulary), TrainSettings(units=units, layers=layers))
    model.save(folder / directory.NETWORK)
    directory.write_json(folder / directory.VOCABULARY, vocabulary.to_json())
    return folder / directory.NETWORK


def measure(files: directory.ModelFiles, show: Callable[[str], None]) -> dict[str, Any]:
    """One model's rates, their ratios, and its agreement with Keras."""
    import keras

    network = read_network(files.network)
    first, count = network.layers[0], 400
    assert isinstance(first, Embedding)
    shape = (network.recurrent[0].units, len(network.recurrent), network.vocabulary_size, first.table.shape[1], count)
    with (
        engine.load(files.network) as loaded, engine.load(files.network, precision="int8") as small,
        torch_ways.process("write", *shape) as pytorch,
    ):  # fmt: skip
        step, small_step = OnnxStep(network), OnnxStep(network, precision="int8")
        stateful = keras.models.load_model(files.network, compile=False)
        remembered = loaded.conversation(sampling=engine.Sampling(seed=1, length=REMEMBERED)).say(PROMPT).text
        text = remembered[:READ]
        ways: dict[str, Way] = {"tutorial": TutorialWay(stateful, loaded.vocabulary).rate}
        if NumpyWay.fits(network):
            ways["numpy"] = NumpyWay(network).rate
        if pytorch is not None:
            ways["pytorch"] = lambda: count / pytorch()
        ways |= {
            "memory_limit": lambda: memory_limit(network),
            "onnx_step": lambda: bare_rate(step, 1),
            "engine_1": lambda: engine_rate(loaded, 1, 1500),
            f"onnx_step_{ROWS}": lambda: bare_rate(step, ROWS),
            f"engine_{ROWS}": lambda: engine_rate(loaded, ROWS, 240),
            "onnx_step_int8": lambda: bare_rate(small_step, 1),
            "engine_1_int8": lambda: engine_rate(small, 1, 1500),
            f"onnx_step_{ROWS}_int8": lambda: bare_rate(small_step, ROWS),
            f"engine_{ROWS}_int8": lambda: engine_rate(small, ROWS, 240),
            "engine_1_memory": lambda: engine_rate(loaded, 1, 1500, remembered),
            f"engine_{ROWS}_memory": lambda: engine_rate(loaded, ROWS, 240, remembered),
            "reading": lambda: reading_rate(loaded, text),
            "reading_int8": lambda: reading_rate(small, text),
        }
        in_turn(ways, 1)  # to warm up
        rates = in_turn(ways, ROUNDS)
        figures: dict[str, Any] = {}
        for name, values in rates.items():
            figures[name] = statistics.median(values)
            line = f"  {name:18} {figures[name]:10,.0f}   x {median_ratio(values, rates['engine_1']):.3f}"
            if name in WEIGHT_BYTES:
                share = median_ratio(values, rates["memory_limit"]) * WEIGHT_BYTES[name] / 4
                figures[f"{name}_to_limit"] = share
                line += f"   {share:.2f} of the memory's limit"
            show(line)
        for name, others in COMPARED.items():
            for other in others:
                if other in rates:
                    figures[f"{name}_to_{other}"] = median_ratio(rates[name], rates[other])
        figures["logit_difference"] = logit_difference(step, stateful, loaded.vocabulary)
        figures["same_alone_and_batched"] = same_alone_and_batched(loaded)
        figures["threads"] = thread_rates(network, show)
        figures["serving"] = serving.measure(loaded)
    for name, others in COMPARED.items():
        known = [(other, figures[f"{name}_to_{other}"]) for other in others if f"{name}_to_{other}" in figures]
        show(f"  {name} against " + ", ".join(f"{other} {ratio:.2f}" for other, ratio in known))
    show(
        f"  logits against Keras over {STEPS_COMPARED:,} steps: at most {figures['logit_difference']:.1e} apart; "
        f"one seed alone and with {ROWS - 1} neighbors: "
        f"{'the same text' if figures['same_alone_and_batched'] else 'ANOTHER TEXT'}"
    )
    for line in serving.show(figures["serving"]):
        show(line)
    return figures


def bare_rate(step: OnnxStep, rows: int) -> float:
    """Characters a second of the network alone, many steps a call, without sampling or text."""
    state, count = np.zeros((rows, step.state_size), np.float32), 1500 if rows == 1 else 60
    started = time.perf_counter()
    for _ in range(count // 30):
        state = step.bare(np.zeros(rows, np.int32), state, 30)
    return rows * count / (time.perf_counter() - started)


def reading_rate(model: engine.Engine, text: str) -> float:
    """Characters a second of a text that is scored."""
    started = time.perf_counter()
    model.score(text)
    return len(text) / (time.perf_counter() - started)


def thread_rates(network: Network, show: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """The bare steps' rates with each choice of threads and with what is chosen, beside a busy process a core, too."""
    rates = dict[str, dict[str, float]]()
    for precision in ("float32", "int8"):
        steps = {
            f"{way.number}{' spinning' if way.spin else ''}": OnnxStep(network, precision=precision, way=way)
            for way in possible(network.parameters, None)
        }
        steps["chosen"] = OnnxStep(network, precision=precision)
        ways = {
            f"{rows} rows, {name}": functools.partial(bare_rate, step, rows)
            for rows in (1, ROWS)
            for name, step in steps.items()
        }
        for busy in (0, os.cpu_count() or 1):
            others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
            try:
                measured = in_turn(ways, ROUNDS)
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            name = f"{precision} {'beside other load' if busy else 'alone'}"
            rates[name] = {what: statistics.median(values) for what, values in measured.items()}
            show(f"  threads, {name}: " + ", ".join(f"{what} {rate:,.0f}" for what, rate in rates[name].items()))
    return rates


def engine_rate(model: engine.Engine, rows: int, length: int, remembered: str = "") -> float:
    """Characters a second through the public interface, read by iterating; with a memory of a text, if there is one."""
    memory = "mine" if remembered else "off"
    settings = [engine.Sampling(seed=seed, length=length, memory=memory) for seed in range(rows)]
    conversations = [model.conversation(sampling=sampling) for sampling in settings]
    for conversation in conversations if remembered else ():
        conversation.remember(remembered)
    started = time.perf_counter()
    count = 0
    for reply in [conversation.say(PROMPT) for conversation in conversations]:
        for piece in reply:
            count += len(piece)
    return count / (time.perf_counter() - started)


def logit_difference(step: OnnxStep, stateful: Any, vocabulary: engine.Vocabulary) -> float:
    """The largest difference of any logit from the stateful Keras model's, the state carried over all steps."""
    ids = np.random.default_rng(1).integers(len(vocabulary), size=STEPS_COMPARED).astype(np.int32)
    for layer in stateful.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
    expected = np.asarray(stateful(ids[None]))[0]
    state, worst = np.zeros((1, step.state_size), np.float32), 0.0
    for index, wanted in zip(ids, expected, strict=True):
        logits, state = step(np.array([index], np.int32), state)
        worst = max(worst, float(np.abs(logits[0] - wanted).max()))
    return worst


def same_alone_and_batched(model: engine.Engine) -> bool:
    """Whether 64 conversations together write what each of them writes alone."""
    texts: list[list[str]] = []
    for together in (True, False):
        conversations = [model.conversation(sampling=engine.Sampling(seed=seed, length=300)) for seed in range(ROWS)]
        if together:
            texts.append([reply.text for reply in [conversation.say(PROMPT) for conversation in conversations]])
        else:
            texts.append([conversation.say(PROMPT).text for conversation in conversations])
    return texts[0] == texts[1]
