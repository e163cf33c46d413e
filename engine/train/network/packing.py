"""Smaller model files: weights rounded to fewer bits, so that the zip that a `.keras` file is packs them well.

The network is as good as before (docs/results.md has figures), and the file is what any Keras 3 loads.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRACTION = 23  # bits of a float32 after its point


def rounded(weights: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Weights to the nearest numbers that have `bits` of a float32's 23 after the point; the others are zeros."""
    dropped = FRACTION - bits
    if not dropped:
        return weights
    whole = weights.view(np.uint32).astype(np.uint64) + (1 << dropped - 1)
    return (whole >> dropped << dropped).astype(np.uint32).view(np.float32)


def pack(path: Path) -> None:
    """Write a zip anew with all of its files compressed."""
    with zipfile.ZipFile(path) as file:
        parts: list[tuple[str, Any]] = [(name, file.read(name)) for name in file.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in parts:
            file.writestr(name, data)
