"""What a run writes for TensorBoard, read back from its event files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

import engine  # noqa: E402
from engine.train import checkpoint, fit  # noqa: E402
from engine.train.report.tensorboard import POINTS, TensorBoard  # noqa: E402

SMALL: dict[str, Any] = {"units": 16, "layers": 1, "embedding": 8, "batch": 8, "steps": 16, "epochs": 2}


def events(folder: Path) -> dict[str, list[tuple[int, str, Any]]]:
    """By tag: the step, the plugin that shows it, and the value."""
    found: dict[str, list[tuple[int, str, Any]]] = {}
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                array = tf.make_ndarray(value.tensor)
                found.setdefault(value.tag, []).append((event.step, value.metadata.plugin_data.plugin_name, array))
    return found


def test_a_run_is_written_and_a_resumed_one_goes_on(plain_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = list(fit(plain_text, out, tensorboard=True, sample_temperatures="0.5,1", **SMALL))
    rows = list(fit((), out, resume=True, epochs=3))
    found = events(out / "tensorboard")
    updates = checkpoint.load(out).progress.update
    assert [step for step, _, _ in found["training/nats"]] == list(range(1, updates + 1))  # none twice
    assert {plugin for tag in found for _, plugin, _ in found[tag] if tag[:6] != "sample"} == {"scalars"}
    assert [float(value) for _, _, value in found["held_out/nats"]] == pytest.approx([r["held_out_nats"] for r in rows])
    bits = float(found["held_out/bits_per_character"][-1][2])
    assert bits == pytest.approx(rows[-1]["held_out_nats"] / math.log(2))
    assert found["learning_rate"][0][2] > 0
    assert all(value > 0 for _, _, value in found["characters_per_second"])
    assert [(step, plugin) for step, plugin, _ in found["sample/0.5"]][-1] == (updates, "text")
    assert set(found) >= {"sample/1", "training/bits_per_character"}


def test_nothing_is_written_before_its_checkpoint(tmp_path: Path) -> None:
    tensorboard = TensorBoard(tmp_path, 10, 8, 1.0)
    for update in range(1, 6):
        tensorboard.update(update, 1.0, 0.1, float(update))
    assert not list(tmp_path.iterdir())
    tensorboard.flush()
    tensorboard.flush()
    assert [step for step, _, _ in events(tmp_path)["training/nats"]] == [1, 2, 3, 4, 5]
    assert [float(value) for _, _, value in events(tmp_path)["characters_per_second"]] == [8.0] * 4


def test_many_updates_make_few_points_of_their_means(tmp_path: Path) -> None:
    tensorboard = TensorBoard(tmp_path, 4 * POINTS, 8, 1.0)
    for update in range(1, 9):
        tensorboard.update(update, float(update), 0.1, update / 2)
    tensorboard.flush()
    assert [(step, float(value)) for step, _, value in events(tmp_path)["training/nats"]] == [(4, 2.5), (8, 6.5)]


def test_a_folder_that_cannot_be_made_is_told_before_training(plain_text: Path, tmp_path: Path) -> None:
    with pytest.raises(engine.EngineError, match=r"cannot make .*: choose another --tensorboard"):
        fit(plain_text, tmp_path / "out", tensorboard=plain_text, **SMALL)


def test_a_disk_that_takes_nothing_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tensorboard = TensorBoard(tmp_path / "file", 10, 8, 1.0)
    tensorboard.update(1, 1.0, 0.1, 1.0)
    with pytest.raises(OSError, match=r"^Not a directory$"):
        tensorboard.flush()
