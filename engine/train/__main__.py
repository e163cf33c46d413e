"""Train a model on text: python -m engine.train --data FILE... --out DIR"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import EngineError, TrainingError
from engine.model_dir import CHECKPOINT, NETWORK
from engine.quiet import fail, import_tensorflow
from engine.train import memory, origin, presets
from engine.train.corpus import Corpus, known_vocabulary, read_corpus
from engine.train.origin import Parent
from engine.train.sequences import make_sequences
from engine.train.settings import TrainSettings, add_arguments
from engine.train.spool import Inputs
from engine.train.watch import ReadingLine
from engine.vocabulary import Vocabulary

CHANGEABLE = {"epochs", "patience", "sample_every", "sample_prompt", "device"}  # when going on with a run


def main(argv: Sequence[str] | None = None) -> int:
    """0 done, 1 could not, 2 usage, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m engine.train", description="Train a model on your own text.")
    parser.add_argument(
        "--data", nargs="+", action="extend", metavar="PATH", help="text to learn from: files, folders, patterns, "
        "packed files, http(s) addresses, - for standard input; text, a chat's JSON or CSV export, JSON lines",
    )  # fmt: skip
    parser.add_argument(
        "--validation", nargs="+", action="extend", metavar="PATH", help="text to hold out, no tail then"
    )
    parser.add_argument("--test", nargs="+", action="extend", metavar="PATH", help="text to score once, at the end")
    parser.add_argument("--cache", metavar="DIR", type=Path, help="where token files are kept, to be found again")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="the model directory to make")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    beginning.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights and tokens of a model: a directory or a name",
    )
    add_arguments(parser)
    arguments = vars(parser.parse_args(argv))
    out, is_resumed, folder = arguments.pop("out"), arguments.pop("resume"), arguments.pop("cache")
    start = arguments.pop("start")
    inputs = Inputs(*(tuple(arguments.pop(name) or ()) for name in ("data", "validation", "test")))
    try:
        if not inputs.training and not is_resumed:
            raise ValueError("--data: name the text files to learn from")
        if is_resumed and (fixed := sorted(arguments.keys() - CHANGEABLE)):
            raise ValueError(f"--{fixed[0].replace('_', '-')}: is fixed when a run is resumed; start a new one")
        given = presets.load(arguments["preset"]) | arguments if arguments.get("preset") else arguments
        parent = origin.read(start) if start is not None else None
        made = parent.settings if parent else TrainSettings.from_arguments
        settings = made({} if is_resumed else given)
    except ValueError as error:
        parser.error(str(error))
    except EngineError as error:
        return fail("engine.train", str(error))
    try:
        return _train(settings, arguments, inputs, out, folder, is_resumed, parent)
    except KeyboardInterrupt:
        print("stopped at once; what was saved before is whole", file=sys.stderr)
        return 130
    except EngineError as error:
        return fail("engine.train", str(error))


def _train(
    settings: TrainSettings, overrides: dict[str, Any], inputs: Inputs, out: Path, folder: Path | None,
    is_resumed: bool, parent: Parent | None,
) -> int:  # fmt: skip
    if not is_resumed and any((out / name).exists() for name in (NETWORK, CHECKPOINT)):
        raise TrainingError(f"{out} holds a model or a run already: choose another --out, or go on with --resume")
    if is_resumed and not (out / CHECKPOINT).exists():
        raise TrainingError(f"there is nothing to resume in {out}: start without --resume")
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file: choose another --out")
    old = parent.vocabulary if parent else None
    corpus = None if is_resumed else _read(inputs, settings, None, folder, old)
    if corpus is not None:
        make_sequences(settings, corpus)  # a text without the lines it wants is refused before anything is made
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot make {out} ({error.strerror}): choose another --out") from None
    try:
        import_tensorflow()
    except ImportError:
        raise TrainingError("training needs TensorFlow: install it with \"pip install 'textrepl[train]'\"") from None
    import tensorflow as tf

    from engine.train import checkpoint, devices
    from engine.train.loop import Trainer
    from engine.train.run import Run
    from engine.train.watch import Watch

    tf.config.experimental.enable_op_determinism()  # so that a resumed run ends in the same weights
    saved = checkpoint.load(out) if is_resumed else None
    if saved is not None:
        settings = replace(saved.settings, **overrides)
        inputs = inputs if inputs.training else Inputs.from_words(saved.data)
        vocabulary = known_vocabulary(out) if saved.origin or settings.level != "char" else None
        corpus = _read(inputs, settings, vocabulary, folder)
    assert corpus is not None
    is_gpu = devices.choose(settings.device)
    if not is_gpu:
        given = replace(settings, batch=make_sequences(settings, corpus).batch)
        memory.check(given, len(corpus.vocabulary), len(corpus.held_out), memory.available())
    trainer = Trainer(settings, corpus)
    if saved is not None:
        trainer.restore(saved)
    if parent is not None:
        trainer.begin_from(parent)
    watch = Watch(
        settings.epochs, trainer.total_updates, trainer.tokens_an_update, level=settings.level,
        rate=corpus.training_rate,
    )  # fmt: skip
    watch.note(
        f"{corpus.describe()}; {trainer.parameters:,} parameters; "
        f"{trainer.total_updates:,} updates of {trainer.batch} {settings.sequences} x {settings.steps} steps"
    )
    if is_gpu and settings.cell == "rnn":
        watch.note(
            "SimpleRNN has no cuDNN kernel: a GPU runs it a step at a time; --cell gru and lstm are faster there"
        )
    if parent is not None:
        new = len(corpus.vocabulary) - len(parent.vocabulary)
        watch.note(f"begins from {parent.origin.name}: its {len(parent.vocabulary):,} tokens, and {new:,} new ones")
    if Run(trainer, out, inputs.words(), watch).train():
        watch.note(f"done: write with it by 'textrepl {out}'")
        return 0
    watch.note(f"saved; go on with 'python -m engine.train --out {out} --resume'")
    return 130


def _read(
    inputs: Inputs, settings: TrainSettings, vocabulary: Vocabulary | None, folder: Path | None,
    old: Vocabulary | None = None,
) -> Corpus:  # fmt: skip
    with ReadingLine() as line:
        return read_corpus(inputs, settings.held_out, settings.steps, settings, vocabulary, folder, line.tell, old=old)


if __name__ == "__main__":
    sys.exit(main())
