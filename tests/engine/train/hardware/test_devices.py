"""Where a run computes. What needs a GPU is tried as far as a CPU goes: there, cuDNN must be an error, not silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train.__main__ import main  # noqa: E402
from engine.train.hardware import devices  # noqa: E402
from engine.train.network.build import StatelessNetwork, build_model  # noqa: E402
from engine.train.network.dropout import NO_MASKS  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402

if tf.config.list_physical_devices("GPU"):
    pytest.skip("there is a GPU here", allow_module_level=True)


def test_a_gpu_that_is_not_there_is_told(plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not devices.choose("auto")
    assert not devices.choose("cpu")
    assert not devices.has_gpu()
    arguments = ["--data", str(plain_text), "--out", str(tmp_path / "out"), "--device", "gpu", "--batch", "4"]
    assert main([*arguments, "--steps", "8"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("engine.train: --device gpu: TensorFlow sees none")
    assert told.count("\n") == 1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_layer_that_would_lose_cudnn_is_an_error(cell: str) -> None:
    made = build_model(7, TrainSettings(cell=cell, units=6, embedding=5))
    with pytest.raises(TrainingError, match=f"cuDNN cannot run {cell}_1 on this GPU .* --device cpu"):
        StatelessNetwork(made, fused=True, is_gpu=True)


def test_simple_layers_have_no_such_kernel_and_run() -> None:
    made = build_model(7, TrainSettings(cell="rnn", units=6, embedding=5))
    network = StatelessNetwork(made, fused=True, is_gpu=True)
    logits, _ = network.forward(tf.zeros([4, 2], tf.int32), network.zero_state(2), NO_MASKS)
    assert logits.shape == (4, 2, 7)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_fused_layers_in_bfloat16_come_near(cell: str) -> None:
    made = build_model(7, TrainSettings(cell=cell, units=16, embedding=5))
    ids = tf.constant(np.random.default_rng(1).integers(7, size=(9, 3)), tf.int32)
    logits = []
    for dtype in ("float32", "bfloat16"):
        network = StatelessNetwork(made, fused=True, dtype=dtype)
        found, after = network.forward(ids, network.zero_state(3), NO_MASKS)
        logits.append(found.numpy())
        assert {state.dtype for state in after} == {tf.float32}
    assert logits[1] == pytest.approx(logits[0], abs=0.02)
    assert (logits[1] != logits[0]).any()
