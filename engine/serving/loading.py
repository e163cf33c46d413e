"""`load`: from a path or a name to a running engine."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from engine.errors import ModelLoadError
from engine.memory import training
from engine.memory.counts import Index
from engine.model import directory
from engine.model.network_reader import read_network
from engine.model.step import StepFunction
from engine.names import visible
from engine.serving.engine import Engine

BACKENDS = ("auto", "onnx", "keras")
PRECISIONS = ("float32", "int8")


def load(
    path: str | Path | None = None,
    *,
    backend: str = "auto",
    precision: str = "float32",
    max_batch: int = 64,
    threads: int | None = None,
) -> Engine:
    """Load a model directory, a `.keras` file beside its `vocabulary.json`, or a name under `models/`.

    Without a path, the bundled model. `threads` is how many share a step of the ONNX backend; by default as many as
    are fastest on this machine, which the first load measures. Raises `ModelLoadError` that names the file and
    the remedy, and `ValueError` for a bad argument.
    """
    for name, value, allowed in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if value not in allowed:
            raise ValueError(f"{name} {value!r}: must be {' or '.join(map(repr, allowed))}")
    if path is not None and not isinstance(path, str | os.PathLike):
        raise ValueError(f"path {path!r}: must be a path or a name")
    if not isinstance(max_batch, int) or max_batch < 1:
        raise ValueError(f"max_batch {max_batch!r}: must be a whole number, at least 1")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads {threads!r}: must be a whole number, at least 1")
    files = directory.find(path)
    vocabulary = directory.read_vocabulary(files)
    step_function: StepFunction
    if backend == "keras":
        if precision != "float32":
            raise ValueError(f"precision {precision!r}: the keras backend computes in 'float32'")
        from engine.model.keras_step import KerasStep

        step_function = KerasStep(files.network)
    else:
        from engine.model.onnx_step import OnnxStep

        backend, step_function = "onnx", OnnxStep(read_network(files.network), precision=precision, threads=threads)
    directory.check_fit(files, vocabulary, step_function.vocabulary_size)
    read_counts = partial(_read_counts, files.network.with_name(training.FILE), len(vocabulary))
    return Engine(visible(files.name), step_function, vocabulary, backend, max_batch, precision, read_counts)


def _read_counts(path: Path, vocabulary_size: int) -> Index | None:
    """The counts of a model's training text, which is in no conversation; None if it has none."""
    try:
        return training.unpacked(path.read_bytes(), vocabulary_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ModelLoadError(
            f"{path} {error}: copy it again, remove it (the model works without), or switch the memory off"
        ) from None
