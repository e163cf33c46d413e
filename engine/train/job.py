"""A training run as people ask for it, on the command line or in a notebook: from what they name to a kept model.

Checks what was asked for, reads the text, and puts trainer, view and run together. Knows no flags and no terminal;
TensorFlow is imported only when the text is known to be well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingError
from engine.model_dir import CHECKPOINT, NETWORK
from engine.quiet import import_tensorflow
from engine.train import checkpoint
from engine.train.corpus import Corpus, known_vocabulary, read_corpus
from engine.train.quantities import seconds_of
from engine.train.settings import TrainSettings
from engine.train.spool import Inputs
from engine.train.watch import ReadingLine, Watch
from engine.vocabulary import Vocabulary

if TYPE_CHECKING:
    from engine.train.plan import Plan

CHANGEABLE = {"epochs", "patience", "sample_every", "sample_prompt", "sample_temperatures", "time"}  # when going on
TENSORBOARD = "tensorboard"  # in a run's directory, where no other place is named
Show = Callable[..., Watch]  # makes what shows a run, as `Watch(epochs, updates, tokens_an_update, level=, rate=)`


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for: the text, the directory, and the settings that were given a value."""

    out: Path
    inputs: Inputs
    given: dict[str, Any] = field(default_factory=dict)
    is_resumed: bool = False
    cache: Path | None = None  # where token files are kept; None for the user's own cache folder
    tensorboard: Path | None = None  # where TensorBoard's files go; None for nowhere

    @property
    def board(self) -> Path | None:
        """Where TensorBoard's files go; a resumed run goes on with those in its directory."""
        own = self.out / TENSORBOARD
        return own if self.tensorboard is None and self.is_resumed and own.is_dir() else self.tensorboard

    def settings(self) -> TrainSettings:
        """What was given, and defaults, in whose place a resumed run has its own.

        Raises `ValueError` for what cannot be asked for.
        """
        if not self.inputs.training and not self.is_resumed:
            raise ValueError("--data: name the text files to learn from")
        if self.is_resumed and (fixed := sorted(self.given.keys() - CHANGEABLE)):
            raise ValueError(f"--{fixed[0].replace('_', '-')}: is fixed when a run is resumed; start a new one")
        return TrainSettings(**self.given)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: whether it is done or was asked to stop, and a row for each of its epochs."""

    is_done: bool
    history: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is needed before TensorFlow is."""

    settings: TrainSettings
    inputs: Inputs
    corpus: Corpus
    saved: checkpoint.Checkpoint | None = None


def train(job: Job, show: Show) -> Outcome:
    """Train until done or asked to stop. Raises `TrainingError`, and `ValueError` as `Job.settings` does."""
    began = time.monotonic()
    ready = _ready(job, job.settings())
    _make(job.out, "--out")
    if job.board:
        _make(job.board, "--tensorboard")
    try:
        import_tensorflow()
    except ImportError:
        raise TrainingError("training needs TensorFlow: install it with \"pip install 'textrepl[train]'\"") from None
    import tensorflow as tf

    from engine.train.board import Board
    from engine.train.loop import Trainer
    from engine.train.run import Run

    tf.config.experimental.enable_op_determinism()  # so that a resumed run ends in the same weights
    settings, corpus, notes = ready.settings, ready.corpus, []
    if settings.time and ready.saved is None:
        chosen = _plan(job, ready, began)
        settings, notes = chosen.settings, [chosen.describe()]
    trainer = Trainer(settings, corpus)
    if ready.saved is not None:
        trainer.restore(ready.saved)
    notes.append(
        f"{corpus.describe()}; {trainer.parameters:,} parameters; "
        f"{trainer.total_updates:,} updates of {trainer.batch} lanes x {settings.steps} steps"
    )
    numbers, rate = (trainer.total_updates, trainer.tokens_an_update), corpus.training_rate
    board = Board(job.board, *numbers, rate) if job.board else None
    watch = show(settings.epochs, *numbers, level=settings.level, rate=rate)
    watch.history(trainer.progress.history)
    with watch:
        for note in notes:
            watch.note(note)
        is_done = Run(trainer, job.out, ready.inputs.words(), watch, board, began=began).train()
        if is_done:
            watch.note(f"done: write with it by 'textrepl {job.out}'")
        else:
            watch.note(f"saved; go on with 'python -m engine.train --out {job.out} --resume'")
    return Outcome(is_done, trainer.progress.history)


def _ready(job: Job, settings: TrainSettings) -> _Ready:
    if not job.is_resumed and any((job.out / name).exists() for name in (NETWORK, CHECKPOINT)):
        raise TrainingError(f"{job.out} holds a model or a run already: choose another --out, or go on with --resume")
    if job.is_resumed and not (job.out / CHECKPOINT).exists():
        raise TrainingError(f"there is nothing to resume in {job.out}: start without --resume")
    if job.out.exists() and not job.out.is_dir():
        raise TrainingError(f"{job.out} is a file: choose another --out")
    if not job.is_resumed:
        return _Ready(settings, job.inputs, _read(job.inputs, settings, None, job.cache))
    saved = checkpoint.load(job.out)
    settings = replace(saved.settings, **job.given)
    inputs = job.inputs if job.inputs.training else Inputs.from_words(saved.data)
    vocabulary = None if settings.level == "char" else known_vocabulary(job.out)
    return _Ready(settings, inputs, _read(inputs, settings, vocabulary, job.cache), saved)


def _plan(job: Job, ready: _Ready, began: float) -> Plan:
    """What --time chooses."""
    from engine.train import plan

    with ReadingLine() as line:
        line.say("measuring how fast this machine learns ...")
        seconds = seconds_of(ready.settings.time) - (time.monotonic() - began)
        return plan.choose(ready.settings, job.given, ready.corpus, seconds)


def _make(folder: Path, flag: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot make {folder} ({error.strerror}): choose another {flag}") from None


def _read(inputs: Inputs, settings: TrainSettings, vocabulary: Vocabulary | None, folder: Path | None) -> Corpus:
    with ReadingLine() as line:
        return read_corpus(inputs, settings.held_out, settings.steps, settings, vocabulary, folder, line.tell)
