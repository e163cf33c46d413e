"""Speed, side by side in one run: python -m engine.bench [MODEL] [--train] [--json]

The same weights run, in turns in one process, in TensorFlow's tutorial way (one `tf.function` step a character), as
the bare ONNX step, in this engine alone, and in this engine with 64 conversations. The machine's speed drifts, so
each round measures all of them, and the ratios are medians over rounds. Before that, in fresh processes, the time
from start to the first written character, and peak memory. With --train, training is measured instead,
by `engine.bench.training`. The last line is JSON.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import engine
from engine.bench import serving
from engine.model import directory
from engine.model.network import Network, read_network
from engine.model.onnx_step import OnnxStep, thread_count
from engine.program import import_tensorflow

ROWS, ROUNDS, STEPS_COMPARED, STARTS = 64, 7, 1000, 7
PROMPT = "ROMEO:"


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(prog="python -m engine.bench", description="Measure speed, side by side.")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="without it: the bundled model, and a GRU 1x1024")
    parser.add_argument("--train", action="store_true", help="measure training instead")
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    arguments = parser.parse_args(argv)
    if arguments.train and arguments.model:
        parser.error(f"{arguments.model}: --train measures networks of its own; leave the model out")
    show: Callable[[str], None] = (lambda line: None) if arguments.json else print
    try:
        report = run_training(show) if arguments.train else run(arguments.model, show)
    except engine.EngineError as error:
        return program.fail("engine.bench", directory.only_fast(error, "engine.bench"))
    except ImportError:
        return program.fail("engine.bench", "needs TensorFlow: install it with \"pip install 'textrepl[train]'\"")
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report))
    return 0


def run(model: str | None, show: Callable[[str], None]) -> dict[str, Any]:
    """All figures, by model; each is shown as a line once it is there."""
    report: dict[str, Any] = {"start": measure_start(model)}  # first: a child's peak counts its parent's size
    start = report["start"]
    show(
        f"textrepl --prompt, {STARTS} fresh processes: first character after {start['seconds_median']:.2f} s "
        f"(at most {start['seconds_max']:.2f} s), peak memory {start['peak_megabytes']:.0f} MB"
    )
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        paths = [directory.find(model).network]
        if model is None:
            paths.append(random_model(Path(folder) / "gru-1x1024", units=1024, layers=1))
        for path in paths:
            files = directory.find(path.parent if path.name == directory.NETWORK else path)
            show(f"{files.name}: characters a second, median of {ROUNDS} rounds (ratio to the row alone)")
            report[files.name] = measure(files, show)
    return report


def run_training(show: Callable[[str], None]) -> dict[str, Any]:
    """The figures of training."""
    import_tensorflow()
    from engine.bench import training

    return training.measure(show)


def random_model(folder: Path, units: int, layers: int) -> Path:
    """A GRU model with random weights over the bundled model's vocabulary; returns its `.keras` file."""
    from engine.train.network.build import build_model
    from engine.train.settings import TrainSettings

    vocabulary = directory.read_vocabulary(directory.find(None))
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
        ways: dict[str, Callable[[], float]] = {
            "tutorial": TutorialWay(stateful, loaded.vocabulary).rate,
            "onnx_step": lambda: bare_rate(step, 1),
            "engine_1": lambda: engine_rate(loaded, 1, 1500),
            f"onnx_step_{ROWS}": lambda: bare_rate(step, ROWS),
            f"engine_{ROWS}": lambda: engine_rate(loaded, ROWS, 240),
            "engine_1_int8": lambda: engine_rate(small, 1, 1500),
            f"onnx_step_{ROWS}_int8": lambda: bare_rate(small_step, ROWS),
            f"engine_{ROWS}_int8": lambda: engine_rate(small, ROWS, 240),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()  # to warm up
        for _ in range(ROUNDS):
            for name, way in ways.items():
                rates[name].append(way())
        figures: dict[str, Any] = {}
        for name, values in rates.items():
            ratios = [value / one for value, one in zip(values, rates["engine_1"], strict=True)]
            figures[name] = statistics.median(values)
            show(f"  {name:14} {figures[name]:10,.0f}   x {statistics.median(ratios):.3f}")
        for name, other in (
            ("engine_1", "tutorial"), ("engine_1_int8", "tutorial"), ("engine_1", "onnx_step"),
            (f"engine_{ROWS}", "engine_1"), (f"engine_{ROWS}_int8", "engine_1"),
            (f"engine_{ROWS}", f"onnx_step_{ROWS}"), (f"engine_{ROWS}_int8", f"onnx_step_{ROWS}_int8"),
        ):  # fmt: skip
            ratios = [one / two for one, two in zip(rates[name], rates[other], strict=True)]
            figures[f"{name}_to_{other}"] = statistics.median(ratios)
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
        f"  logits against Keras over {STEPS_COMPARED:,} steps: at most {figures['logit_difference']:.1e} apart; "
        f"one seed alone and with {ROWS - 1} neighbours: "
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
        for busy in (0, os.cpu_count() or 1):
            others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
            try:
                measured: dict[str, list[float]] = {}
                for _ in range(ROUNDS):
                    for rows in (1, ROWS):
                        for threads, step in steps.items():
                            measured.setdefault(f"{rows} x {threads}", []).append(bare_rate(step, rows))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            name = f"{precision} {'beside other load' if busy else 'alone'}"
            rates[name] = {what: statistics.median(values) for what, values in measured.items()}
            one, all_rows = (rates[name][f"{rows} x {chosen}"] / rates[name][f"{rows} x 1"] for rows in (1, ROWS))
            show(f"  {chosen} threads against one, {name}: {one:.2f} x with a row, {all_rows:.2f} x with {ROWS}")
    return rates


def engine_rate(model: engine.Engine, rows: int, length: int) -> float:
    """Characters a second through the public interface, read by iterating."""
    talks = [model.conversation(sampling=engine.Sampling(seed=seed, length=length)) for seed in range(rows)]
    started = time.perf_counter()
    count = 0
    for reply in [talk.say(PROMPT) for talk in talks]:
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
        talks = [model.conversation(sampling=engine.Sampling(seed=seed, length=300)) for seed in range(ROWS)]
        if together:
            texts.append([reply.text for reply in [talk.say(PROMPT) for talk in talks]])
        else:
            texts.append([talk.say(PROMPT).text for talk in talks])
    return texts[0] == texts[1]


def measure_start(model: str | None) -> dict[str, float]:
    """From the start of a process to its first written character, in seconds, and its peak memory."""
    command = [sys.executable, "-m", "repl", *([model] if model else []), "--prompt", PROMPT, "--length", "200"]
    seconds, megabytes = [], []
    for _ in range(STARTS):
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            seconds.append(time.perf_counter() - started)
            process.stdout.read()
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
        megabytes.append(usage.ru_maxrss / 1024)
    return {
        "seconds_median": statistics.median(seconds),
        "seconds_max": max(seconds),
        "peak_megabytes": max(megabytes),
    }


if __name__ == "__main__":
    program.run(main)
