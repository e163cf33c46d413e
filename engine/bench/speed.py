"""How fast the same weights write in several ways, side by side in one process. Part of `python -m engine.bench`.

The ways are TensorFlow's tutorial (one `tf.function` step a character), the bare ONNX step, this engine alone, and this
engine with 64 conversations. Needs TensorFlow.
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
from engine.bench import serving
from engine.bench.timing import Way, in_turn, median_ratio
from engine.model import directory
from engine.model.network import Network
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep, thread_count

ROWS, ROUNDS, STEPS_COMPARED = 64, 7, 1000
REMEMBERED = 20_000  # tokens that the story's memory knows
PROMPT, CHARACTERS = "ROMEO:", "shakespeare"  # a bundled model whose tokens are characters


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

    with engine.load(files.network) as loaded, engine.load(files.network, precision="int8") as small:
        network = read_network(files.network)
        step, small_step = OnnxStep(network), OnnxStep(network, precision="int8")
        stateful = keras.models.load_model(files.network, compile=False)
        remembered = loaded.conversation(sampling=engine.Sampling(seed=1, length=REMEMBERED)).say(PROMPT).text
        ways: dict[str, Way] = {
            "tutorial": TutorialWay(stateful, loaded.vocabulary).rate,
            "onnx_step": lambda: bare_rate(step, 1),
            "engine_1": lambda: engine_rate(loaded, 1, 1500),
            f"onnx_step_{ROWS}": lambda: bare_rate(step, ROWS),
            f"engine_{ROWS}": lambda: engine_rate(loaded, ROWS, 240),
            "engine_1_int8": lambda: engine_rate(small, 1, 1500),
            f"onnx_step_{ROWS}_int8": lambda: bare_rate(small_step, ROWS),
            f"engine_{ROWS}_int8": lambda: engine_rate(small, ROWS, 240),
            "engine_1_memory": lambda: engine_rate(loaded, 1, 1500, remembered),
            f"engine_{ROWS}_memory": lambda: engine_rate(loaded, ROWS, 240, remembered),
        }
        in_turn(ways, 1)  # to warm up
        rates = in_turn(ways, ROUNDS)
        figures: dict[str, Any] = {}
        for name, values in rates.items():
            figures[name] = statistics.median(values)
            show(f"  {name:18} {figures[name]:10,.0f}   x {median_ratio(values, rates['engine_1']):.3f}")
        for name, other in (
            ("engine_1", "tutorial"), ("engine_1_int8", "tutorial"), ("engine_1", "onnx_step"),
            (f"engine_{ROWS}", "engine_1"), (f"engine_{ROWS}_int8", "engine_1"),
            ("engine_1_memory", "engine_1"), (f"engine_{ROWS}_memory", f"engine_{ROWS}"),
            (f"engine_{ROWS}", f"onnx_step_{ROWS}"), (f"engine_{ROWS}_int8", f"onnx_step_{ROWS}_int8"),
        ):  # fmt: skip
            figures[f"{name}_to_{other}"] = median_ratio(rates[name], rates[other])
        figures["logit_difference"] = logit_difference(step, stateful, loaded.vocabulary)
        figures["same_alone_and_batched"] = same_alone_and_batched(loaded)
        figures["threads"] = thread_rates(network, show)
        figures["serving"] = serving.measure(loaded)
    show(
        f"  engine alone: {figures['engine_1_to_tutorial']:.1f} x the tutorial's way "
        f"(int8 {figures['engine_1_int8_to_tutorial']:.1f} x), "
        f"{figures['engine_1_to_onnx_step']:.2f} of the bare step; {ROWS} together: "
        f"{figures[f'engine_{ROWS}_to_engine_1']:.1f} x one "
        f"(int8 {figures[f'engine_{ROWS}_int8_to_engine_1']:.1f} x), "
        f"{figures[f'engine_{ROWS}_to_onnx_step_{ROWS}']:.2f} of the bare step "
        f"(int8 {figures[f'engine_{ROWS}_int8_to_onnx_step_{ROWS}_int8']:.2f})"
    )
    show(
        f"  with a memory of {REMEMBERED:,} tokens: {figures['engine_1_memory_to_engine_1']:.2f} of the speed, "
        f"{ROWS} together {figures[f'engine_{ROWS}_memory_to_engine_{ROWS}']:.2f}"
    )
    show(
        f"  logits against Keras over {STEPS_COMPARED:,} steps: at most {figures['logit_difference']:.1e} apart; "
        f"one seed alone and with {ROWS - 1} neighbors: "
        f"{'the same text' if figures['same_alone_and_batched'] else 'ANOTHER TEXT'}"
    )
    for line in serving.show(figures["serving"]):
        show(line)
    return figures


class TutorialWay:
    """TensorFlow's text-generation tutorial: one `tf.function` call a character, strings in and out."""

    def __init__(self, model: Any, vocabulary: engine.Vocabulary) -> None:
        import keras
        import tensorflow as tf

        tokens = list(vocabulary.tokens)
        ids_of = keras.layers.StringLookup(vocabulary=tokens, mask_token=None, num_oov_indices=0)
        tokens_of = keras.layers.StringLookup(vocabulary=tokens, mask_token=None, num_oov_indices=0, invert=True)
        embedding, *grus, dense = model.layers
        twins = []
        for layer in grus:
            twin = type(layer).from_config({**layer.get_config(), "stateful": False, "return_state": True})
            twin.build((None, None, layer.cell.kernel.shape[0]))
            twin.set_weights(layer.get_weights())
            twins.append(twin)

        @tf.function  # type: ignore[untyped-decorator]
        def one_step(inputs: Any, states: Any) -> tuple[Any, Any]:
            characters = tf.strings.unicode_split(inputs, "UTF-8")
            x, after = embedding(ids_of(characters).to_tensor()), []
            for twin, state in zip(twins, states, strict=True):
                x, state = twin(x, initial_state=state)
                after.append(state)
            logits = dense(x)[:, -1, :] / 0.8
            chosen = tf.squeeze(tf.random.categorical(logits, num_samples=1), axis=-1)
            return tokens_of(chosen), after

        self._step = one_step
        self._start = [tf.zeros([1, layer.units]) for layer in grus]
        known = all(character in tokens for character in PROMPT)
        self._prompt = tf.constant([PROMPT if known else vocabulary.tokens[vocabulary.start_id]])

    def rate(self, count: int = 200) -> float:
        """Characters a second."""
        text, states = self._step(self._prompt, self._start)
        started = time.perf_counter()
        for _ in range(count):
            text, states = self._step(text, states)
        text[0].numpy().decode()
        return count / (time.perf_counter() - started)


def bare_rate(step: OnnxStep, rows: int) -> float:
    """Characters a second of the step alone, without sampling or text."""
    ids, state = np.zeros(rows, np.int32), np.zeros((rows, step.state_size), np.float32)
    count = 1500 if rows == 1 else 60
    started = time.perf_counter()
    for _ in range(count):
        _, state = step(ids, state)
    return rows * count / (time.perf_counter() - started)


def thread_rates(network: Network, show: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """The bare step's rates with one thread and with those chosen, alone and beside a busy process a core."""
    chosen, rates = thread_count(network), dict[str, dict[str, float]]()
    for precision in ("float32", "int8"):
        steps = {threads: OnnxStep(network, precision=precision, threads=threads) for threads in {1, chosen}}
        ways = {
            f"{rows} x {threads}": functools.partial(bare_rate, step, rows)
            for rows in (1, ROWS)
            for threads, step in steps.items()
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
            one, all_rows = (rates[name][f"{rows} x {chosen}"] / rates[name][f"{rows} x 1"] for rows in (1, ROWS))
            show(f"  {chosen} threads against one, {name}: {one:.2f} x with a row, {all_rows:.2f} x with {ROWS}")
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
