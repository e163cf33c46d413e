"""Opens a `.keras` file without Keras: a zip of `config.json` (the layers) and `model.weights.h5` (their arrays).

Nothing in it is ever executed, and no class is looked up by name. Knows no layers.
"""

from __future__ import annotations

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import ModelLoadError
from engine.names import quoted

WEIGHTS, CONFIG, METADATA = "model.weights.h5", "config.json", "metadata.json"
MAX_UNPACKED, MAX_RATIO = 16 << 20, 20  # bytes that a file may unpack to, beside this many times its own size
HDF5 = b"\x89HDF\r\n\x1a\n"
KERAS_2 = "Keras 2 (TensorFlow before 2.16)"
ADOPT = "'python -m engine.adopt {} --data TEXT --out DIR'"  # which saves an HDF5 file anew


class UnfitError(Exception):
    """A model cannot be read or run. The message does not name the file."""


class KerasFile:
    """An open `.keras` file."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive, self._limit = archive, limit
        self.config: Mapping[str, Any] = json.loads(self._member(CONFIG))
        metadata = json.loads(self._member(METADATA)) if METADATA in archive.namelist() else {}
        self.is_keras_2 = str(metadata.get("keras_version")).startswith("2.")

    def weights(self) -> io.BytesIO:
        """The bytes of the HDF5 file of arrays."""
        return io.BytesIO(self._member(WEIGHTS))

    def _member(self, name: str) -> bytes:
        try:
            info = self._archive.getinfo(name)
        except KeyError:
            raise UnfitError(f"has no {name}, so it is no Keras 3 model: save it as .keras") from None
        if info.file_size > self._limit:
            raise UnfitError(f"{name} would take {info.file_size:,} bytes, more than the {self._limit:,} that are read")
        return self._archive.read(info)


@contextmanager
def opened(path: str | Path) -> Iterator[KerasFile]:
    """Open a `.keras` file. Raises `ModelLoadError` for whatever is wrong with its bytes, also within the block."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield KerasFile(archive, MAX_UNPACKED + MAX_RATIO * Path(path).stat().st_size)
    except FileNotFoundError:
        raise ModelLoadError(f"{path}: no such file") from None
    except UnfitError as error:
        raise ModelLoadError(f"{path}: {str(error)[:600]}") from None
    except zipfile.BadZipFile:
        raise ModelLoadError(f"{path} {_no_zip(Path(path))}") from None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror or 'its weights are damaged'}") from None
    except (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
            lzma.LZMAError, zlib.error):  # fmt: skip  # whatever damaged bytes make of the readers
        raise ModelLoadError(f"{path} is damaged or no Keras 3 model: save or copy it again") from None


def saving_advice(path: str | Path) -> str:
    """Advice that turns a `.keras` file of Keras 2 into one of Keras 3."""
    name = f"{Path(path).stem}.h5"
    return f"save it there as {name}, and let {ADOPT.format(quoted(name))} save that anew"


def tensors(node: Any) -> Iterator[list[Any]]:
    """The `[layer, node, index]` of every input tensor of a layer in a functional model."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            yield list(node["config"]["keras_history"])
            return
        node = list(node.values())
    if isinstance(node, list):
        if len(node) in (3, 4) and isinstance(node[0], str) and [type(part) for part in node[1:3]] == [int, int]:
            yield node[:3]  # as Keras 2 writes it: [layer, node, index, further arguments]
            node = node[3:]
        for inner in node:
            yield from tensors(inner)


def _no_zip(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(len(HDF5)) != HDF5:
            return "is not a whole .keras file: save or copy it again (a .h5 or SavedModel must be saved as .keras)"
    return f"is an HDF5 file, as {KERAS_2} wrote them: save it anew by {ADOPT.format(quoted(path))}"
