"""Give a model made elsewhere its vocabulary: python -m engine.adopt FILE --data TEXT...

FILE is a `.keras` or a `.h5` file, the latter of Keras 2 or 3. The tokens are the characters of the text that the model
was trained on, sorted, as nearly all tutorials do it; where the network takes one token more, "[UNK]" comes first, as
TensorFlow's StringLookup has it. Or --tokens names a JSON file with them, see `token_lists`.

All is tried before anything is written: the file is read, the vocabulary fits, the network takes a step.
"""

from __future__ import annotations

from engine import program

if __name__ == "__main__":
    program.begin()

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import engine
from engine.adopt import familiarity
from engine.adopt.foreign import LegacyModel, look_at
from engine.adopt.tokens import UNKNOWN, read_tokens
from engine.model.directory import KERAS_MEND, NETWORK, VOCABULARY, json_text, replace_file
from engine.model.network import read_network
from engine.model.onnx_step import OnnxStep
from engine.model.step import Step
from engine.program import fail
from engine.text.files import read_text

CHECKED_CHARACTERS = 5000
BACKENDS = ("auto", "onnx", "keras")
KERAS, PERHAPS_KERAS = "--backend keras", ", or try --backend keras"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model goes: its vocabulary, and its network unless that stays the file that was given."""

    vocabulary: Path
    network: Path | None
    model: Path
    """What textrepl is called with."""


@dataclass(frozen=True, slots=True)
class Runner:
    """What runs the network; `reason` is why the fast backend could not."""

    step: Step
    backend: str
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
    legacy = look_at(model)
    text = "".join(read_text(path, _say) for path in data)
    with _as_keras(model, legacy) as source:
        runner = _runner(source, model, backend)
        size = runner.step.vocabulary_size
        vocabulary = read_tokens(tokens, size) if tokens else tokens_of(text, size)
        place = _place(model, out, legacy is not None)
        found = _measure(runner, vocabulary, text) if text else None
        _write(place, source, vocabulary)
    if runner.reason:
        print(f"{runner.reason}; Keras runs it, more slowly")
    command = _command(place.model, runner.backend)
    print(f"wrote {place.vocabulary} with {size} tokens; write with it by: {command}")
    if found is not None:
        print(found.told(tokens), file=sys.stdout if found.is_known else sys.stderr)
    return 0


def _say(line: str) -> None:
    """Tell how a text was read."""
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


def _place(model: Path, out: Path | None, is_new: bool) -> Place:
    """Raises `ModelLoadError` where something lies already."""
    if out is not None:
        place = Place(out / VOCABULARY, out / NETWORK, out)
    elif is_new or model.suffix != ".keras":
        beside = model.with_suffix(".keras")
        place = Place(model.with_name(VOCABULARY), beside, beside)
    else:
        place = Place(model.with_name(VOCABULARY), None, model)
    for path in (place.vocabulary, place.network):
        if path is not None and os.path.lexists(path):
            way = "move it away first" if out else "move it away first, or give --out DIR"
            raise engine.ModelLoadError(f"{path} is there already: {way}")
    return place


@contextmanager
def _as_keras(model: Path, legacy: LegacyModel | None) -> Iterator[Path]:
    """The file itself, or what a `.h5` file is saved anew as meanwhile."""
    if legacy is None:
        yield model
        return
    from engine.adopt.legacy_h5 import save_anew

    with tempfile.TemporaryDirectory() as folder:
        save_anew(model, legacy, made := Path(folder) / NETWORK)
        yield made


def _runner(source: Path, model: Path, backend: str) -> Runner:
    """The fast backend if it can run the network, else Keras. Raises `ModelLoadError`, told of the file `model`."""
    reason = ""
    if backend != "keras":
        try:
            return Runner(_tried(OnnxStep(read_network(source)), model), "onnx")
        except engine.ModelLoadError as error:
            reason = _told(error, source, model)
            if backend == "onnx" or KERAS not in reason:
                raise engine.ModelLoadError(reason) from None
    try:
        return Runner(_tried(_keras(source, model), model), "keras", reason.removesuffix(KERAS_MEND))
    except engine.ModelLoadError as error:
        if reason.endswith(PERHAPS_KERAS):  # and it was no use
            raise engine.ModelLoadError(reason.removesuffix(PERHAPS_KERAS)) from None
        if reason and "needs TensorFlow" in str(error):
            raise engine.ModelLoadError(f"{reason.removesuffix(KERAS_MEND)}; {error}") from None
        raise engine.ModelLoadError(_told(error, source, model)) from None


def _keras(source: Path, model: Path) -> Step:
    from engine.model.keras_step import KerasStep

    try:
        return KerasStep(source)
    except engine.ModelLoadError:
        raise
    except Exception as error:  # Keras raises whatever its layers raise
        raise engine.ModelLoadError(f"{model}: Keras cannot run it a token at a time ({_last_line(error)})") from None


def _tried(step: Step, model: Path) -> Step:
    """The step after it has fed one token. Raises `ModelLoadError` where it cannot."""
    try:
        logits, _ = step(np.zeros(1, np.int32), np.zeros((1, step.state_size), np.float32))
    except Exception as error:  # a backend raises whatever its layers raise
        raise engine.ModelLoadError(f"{model} cannot be run a token at a time ({_last_line(error)})") from None
    if logits.shape != (1, step.vocabulary_size):
        raise engine.ModelLoadError(f"{model} must give one number for each of its {step.vocabulary_size} tokens")
    if np.isnan(logits).any():
        raise engine.ModelLoadError(f"{model} gives values that are no numbers: train it again")
    return step


def _told(error: Exception, source: Path, model: Path) -> str:
    """An error's text, of the file that the user gave."""
    text = str(error).replace(str(source), str(model))
    return text if str(model) in text else f"{model}: {text}"


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]


def _measure(runner: Runner, vocabulary: engine.Vocabulary, text: str) -> familiarity.Familiarity:
    from engine.serving.engine import Engine

    with Engine("adopted", runner.step, vocabulary, runner.backend, 1) as loaded:
        return familiarity.measure(loaded, text[:CHECKED_CHARACTERS])


def _write(place: Place, source: Path, vocabulary: engine.Vocabulary) -> None:
    """Both files or neither. Raises `ModelLoadError` that names the one that could not be written."""
    with (
        _folder(place.vocabulary.parent),
        _gone_unless_done(place.network),
        _named(place.vocabulary),
        replace_file(place.vocabulary) as temporary,
    ):
        temporary.write_text(json_text(vocabulary.to_json()), encoding="utf-8")
        if place.network is not None:
            with _named(place.network), replace_file(place.network) as copy:
                shutil.copyfile(source, copy)


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """A folder that is there meanwhile; those that were made for it go if it is not filled."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        with _named(path):
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
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise engine.ModelLoadError(f"{path} cannot be written: {error.strerror}") from None


def _command(model: Path, backend: str) -> str:
    """What a shell takes to write with the model."""
    given = str(model)
    given = f"./{given}" if given.startswith("-") else given
    return shlex.join(["textrepl", given, *(["--backend", "keras"] if backend == "keras" else [])])


if __name__ == "__main__":
    program.run(main)
