"""Give a model made elsewhere its vocabulary: python -m engine.adopt FILE --data TEXT...

FILE is a `.keras` file, or a `.h5` file of Keras 2 or 3. The tokens are the sorted characters of the text that the
model was trained on, as in nearly all tutorials. If the network takes one token more, "[UNK]" comes first, as in
TensorFlow's StringLookup. Or --tokens names a JSON file with them, see `tokens`.

Everything is checked before anything is written: the vocabulary fits, and the network takes a step.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import engine
from engine.adopt import familiarity
from engine.adopt.foreign import LegacyModel, identify
from engine.adopt.tokens import UNKNOWN, read_tokens
from engine.model.directory import KERAS_REMEDY, NETWORK, VOCABULARY, json_text, replace_file
from engine.model.network_reader import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.step import StepFunction
from engine.names import quoted, visible
from engine.program import fail
from engine.text.files import read_text

CHECKED_CHARACTERS = 5000
BACKENDS = ("auto", "onnx", "keras")
KERAS, PERHAPS_KERAS = "--backend keras", ", or try --backend keras"


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """What is written: the vocabulary, and the network unless the given file stays in use."""

    vocabulary: Path
    network: Path | None
    model: Path
    """What textrepl takes."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The backend that runs the network; `reason` is why the fast one could not."""

    step_function: StepFunction
    name: str
    reason: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = program.parser(
        prog="python -m engine.adopt", description="Give a .keras or .h5 file made elsewhere its vocabulary."
    )
    parser.add_argument("model", metavar="FILE", type=Path, help="a .keras file, or a .h5 file of Keras 2 or 3")
    parser.add_argument("--data", nargs="+", metavar="TEXT", help="the text that it was trained on")
    parser.add_argument(
        "--tokens", metavar="JSON", type=Path, help='its tokens: a list, ids by token, or tokens by id; "" is no token'
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="what is to run it (auto: the fast one)")
    parser.add_argument("--out", metavar="DIR", help="a model directory to make; else beside the file")
    arguments = parser.parse_args(argv)
    if not arguments.data and not arguments.tokens:
        parser.error("give --data with the text that the model was trained on, or --tokens")
    if arguments.out is not None and not arguments.out.strip():
        parser.error("--out: give the name of a folder")
    try:
        out = None if arguments.out is None else Path(arguments.out)
        return _adopt(arguments.model, arguments.data or [], arguments.tokens, out, arguments.backend)
    except engine.EngineError as error:
        return fail("engine.adopt", str(error))
    except OSError as error:
        return fail("engine.adopt", f"{error.filename or 'stdout'}: {error.strerror}")
    except KeyboardInterrupt:
        return 130


def _adopt(model: Path, data: list[str], tokens: Path | None, out: Path | None, backend: str) -> int:
    legacy = identify(model)
    text = "".join(read_text(path, _say) for path in data)
    with _as_keras(model, legacy) as source:
        chosen = _choose_backend(source, model, backend)
        size = chosen.step_function.vocabulary_size
        vocabulary = read_tokens(tokens, size) if tokens else tokens_of(text, size)
        paths = _output_paths(model, out, legacy is not None)
        measured = _measure(chosen, vocabulary, text) if text else None
        _write(paths, source, vocabulary)
    if chosen.reason:
        print(f"{visible(chosen.reason)}; Keras runs it, more slowly")
    command = _command(paths.model, chosen.name)
    print(f"wrote {visible(paths.vocabulary)} with {size} tokens; write with it by: {command}")
    if measured is not None:
        print(visible(measured.line(tokens)), file=sys.stdout if measured.is_known else sys.stderr)
    return 0


def _say(line: str) -> None:
    """Print how a text was read."""
    program.say("engine.adopt", line)


def tokens_of(text: str, size: int) -> engine.Vocabulary:
    """The sorted characters of a text, with "[UNK]" before them if that makes `size`."""
    characters = sorted(set(text))
    if len(characters) == size:
        return engine.Vocabulary(tuple(characters))
    if len(characters) + 1 == size:
        return engine.Vocabulary((UNKNOWN, *characters), unknown=UNKNOWN)
    raise engine.ModelLoadError(
        f"the text has {len(characters)} different characters but the network takes {size} tokens: give the very "
        "text that it was trained on, or --tokens with the list"
    )


def _output_paths(model: Path, out: Path | None, is_new: bool) -> OutputPaths:
    """Raises `ModelLoadError` if one of them exists."""
    if out is not None:
        paths = OutputPaths(out / VOCABULARY, out / NETWORK, out)
    elif is_new or model.suffix != ".keras":
        beside = model.with_suffix(".keras")
        paths = OutputPaths(model.with_name(VOCABULARY), beside, beside)
    else:
        paths = OutputPaths(model.with_name(VOCABULARY), None, model)
    for path in (paths.vocabulary, paths.network):
        if path is not None and os.path.lexists(path):
            way = "move it away first" if out else "move it away first, or give --out DIR"
            raise engine.ModelLoadError(f"{path} is there already: {way}")
    return paths


@contextmanager
def _as_keras(model: Path, legacy: LegacyModel | None) -> Iterator[Path]:
    """The file itself; for a `.h5` file, a temporary `.keras` file made from it."""
    if legacy is None:
        yield model
        return
    from engine.adopt.legacy_h5 import save_as_keras

    with program.temporary_folder() as folder:
        save_as_keras(model, legacy, made := folder / NETWORK)
        yield made


def _choose_backend(source: Path, model: Path, backend: str) -> Backend:
    """The fast backend if it can run the network, else Keras. Raises `ModelLoadError` that names the file `model`."""
    reason = ""
    if backend != "keras":
        try:
            return Backend(_tested(OnnxStep(read_network(source)), model), "onnx")
        except engine.ModelLoadError as error:
            reason = _naming(error, source, model)
            if backend == "onnx" or KERAS not in reason:
                raise engine.ModelLoadError(reason) from None
    try:
        return Backend(_tested(_keras(source, model), model), "keras", reason.removesuffix(KERAS_REMEDY))
    except engine.ModelLoadError as error:
        if reason.endswith(PERHAPS_KERAS):  # and it was no use
            raise engine.ModelLoadError(reason.removesuffix(PERHAPS_KERAS)) from None
        if reason and "needs TensorFlow" in str(error):
            raise engine.ModelLoadError(f"{reason.removesuffix(KERAS_REMEDY)}; {error}") from None
        raise engine.ModelLoadError(_naming(error, source, model)) from None


def _keras(source: Path, model: Path) -> StepFunction:
    from engine.model.keras_step import KerasStep

    try:
        return KerasStep(source)
    except engine.ModelLoadError:
        raise
    except Exception as error:  # Keras raises whatever its layers raise
        raise engine.ModelLoadError(f"{model}: Keras cannot run it a token at a time ({_last_line(error)})") from None


def _tested(step_function: StepFunction, model: Path) -> StepFunction:
    """The step function, once it has fed a token. Raises `ModelLoadError` if it cannot."""
    try:
        logits, _ = step_function(np.zeros(1, np.int32), np.zeros((1, step_function.state_size), np.float32))
    except Exception as error:  # a backend raises whatever its layers raise
        raise engine.ModelLoadError(f"{model} cannot be run a token at a time ({_last_line(error)})") from None
    if logits.shape != (1, step_function.vocabulary_size):
        raise engine.ModelLoadError(
            f"{model} must give one number for each of its {step_function.vocabulary_size} tokens"
        )
    if np.isnan(logits).any():
        raise engine.ModelLoadError(f"{model} gives values that are no numbers: train it again")
    return step_function


def _naming(error: Exception, source: Path, model: Path) -> str:
    """An error's text, naming the file that the user gave."""
    text = str(error).replace(str(source), str(model))
    return text if str(model) in text else f"{model}: {text}"


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]


def _measure(chosen: Backend, vocabulary: engine.Vocabulary, text: str) -> familiarity.Familiarity:
    from engine.serving.engine import Engine

    with Engine("adopted", chosen.step_function, vocabulary, chosen.name, 1) as loaded:
        return familiarity.measure(loaded, text[:CHECKED_CHARACTERS])


def _write(paths: OutputPaths, source: Path, vocabulary: engine.Vocabulary) -> None:
    """Both files or neither. Raises `ModelLoadError` that names the one that could not be written."""
    with (
        _folder(paths.vocabulary.parent),
        _gone_unless_done(paths.network),
        _write_errors(paths.vocabulary),
        replace_file(paths.vocabulary) as temporary,
    ):
        temporary.write_text(json_text(vocabulary.to_json()), encoding="utf-8")
        if paths.network is not None:
            with _write_errors(paths.network), replace_file(paths.network) as copy:
                shutil.copyfile(source, copy)


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make a folder. If the block fails, remove what was made."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        with _write_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _gone_unless_done(path: Path | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if path is not None:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise engine.ModelLoadError(f"{path} cannot be written: {error.strerror}") from None


def _command(model: Path, backend: str) -> str:
    """The shell command that writes with the model."""
    given = str(model)
    given = f"./{given}" if given.startswith("-") else given
    return f"textrepl {quoted(given)}{' --backend keras' if backend == 'keras' else ''}"


if __name__ == "__main__":
    program.run(main)
