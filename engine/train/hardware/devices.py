"""Where a run computes: on the processor, or on the GPU that TensorFlow sees."""

from __future__ import annotations

import tensorflow as tf

from engine.errors import TrainingError


def choose(device: str) -> bool:
    """Make TensorFlow take "auto", "cpu" or "gpu"; returns whether it is a GPU. Raises `TrainingError` if it cannot."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise TrainingError(
            "--device gpu: TensorFlow sees none: see that nvidia-smi lists one, install 'tensorflow[and-cuda]', or "
            "leave --device out"
        )
    try:
        tf.config.set_visible_devices([] if device == "cpu" else gpus, "GPU")
    except RuntimeError:
        if device == "cpu" and tf.config.get_visible_devices("GPU"):
            raise TrainingError("--device cpu: this program uses its GPU already: start a new one") from None
    return has_gpu()


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU here."""
    return bool(tf.config.get_visible_devices("GPU"))
