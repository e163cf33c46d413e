"""The parts of the benchmark of writing, on next to nothing."""

from __future__ import annotations

from pathlib import Path

import engine
from engine.bench import other_ways, speed
from engine.model.onnx_step import OnnxStep
from engine.program import import_tensorflow
from tests.networks import tiny_network

import_tensorflow()
import keras  # noqa: E402


def test_the_parts_of_the_benchmark(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir) as model:
        step = OnnxStep(tiny_network())
        stateful = keras.models.load_model(keras_model_dir / "model.keras", compile=False)
        assert other_ways.TutorialWay(stateful, model.vocabulary).rate(5) > 0
        assert speed.bare_rate(step, 4) > 0
        assert speed.engine_rate(model, 4, 20) > 0
        assert speed.same_alone_and_batched(model)
        from engine.model.network_reader import read_network

        compiled = OnnxStep(read_network(keras_model_dir / "model.keras"))
        assert speed.logit_difference(compiled, stateful, model.vocabulary) < 1e-4
        assert speed.logit_difference(step, stateful, model.vocabulary) > 1e-2  # other weights are told apart
