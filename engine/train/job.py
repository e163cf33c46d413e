"""A training run, from what people ask for on the command line or in a notebook to a saved model.

Checks the request, reads the text, and puts the trainer, the reporter and the run together. Knows no flags and no
terminal. Imports TensorFlow only after the text was read without an error.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import TrainingError
from engine.model.directory import CHECKPOINT, NETWORK, VOCABULARY
from engine.names import quoted, visible
from engine.private import own_folders
from engine.program import import_tensorflow
from engine.text.substitutes import SUBSTITUTES
from engine.text.unseen import some_of
from engine.text.vocabulary import Vocabulary
from engine.train import checkpoint, presets
from engine.train.data.batches import make_sequences, of_batch
from engine.train.data.corpus import Corpus, known_vocabulary, read_corpus
from engine.train.hardware import memory
from engine.train.network.pretrained import Pretrained, check_teachers
from engine.train.network.pretrained import read as read_pretrained
from engine.train.quantities import seconds_of
from engine.train.reading.spool import Inputs
from engine.train.report import card
from engine.train.report.plain import ReadingLine, Reporter
from engine.train.settings import TrainSettings

if TYPE_CHECKING:
    from engine.train.hardware.distributed import SingleReplica
    from engine.train.time_budget import Plan

CHANGEABLE = {  # when going on with a run
    "epochs", "patience", "sample_every", "sample_prompt", "sample_temperatures", "time", "device", "precision", "rate",
    "clip",
}  # fmt: skip
MUCH_STRANGE = 0.02  # of a text, in characters that the model it begins from never read
TENSORBOARD = "tensorboard"  # in a run's directory, unless another folder is named
MakeReporter = Callable[..., Reporter]  # called as `Reporter(epochs, updates, tokens_an_update, level=, rate=)`


@dataclass(frozen=True, slots=True)
class Job:
    """What a person asks for: the text, the directory, and the settings that were given a value."""

    out: Path
    inputs: Inputs
    given: dict[str, Any] = field(default_factory=dict)
    is_resumed: bool = False
    cache: Path | None = None  # where token files are kept; None for the user's own cache folder
    tensorboard: Path | None = None  # where TensorBoard's files go; None for nowhere
    start: str | None = None  # the model to begin with, as a path or name
    teachers: tuple[str, ...] = ()  # models to learn from, likewise

    @property
    def tensorboard_folder(self) -> Path | None:
        """Where TensorBoard's files go; a resumed run goes on with those in its directory."""
        own = self.out / TENSORBOARD
        return own if self.tensorboard is None and self.is_resumed and own.is_dir() else self.tensorboard

    def configure(self) -> Config:
        """Check the request. Raises `ValueError` where it makes no sense, `EngineError` if a model cannot be read."""
        if not self.inputs.training and not self.is_resumed:
            raise ValueError("--data: name the text files to learn from")
        if self.start == "":
            raise ValueError("--from '': names nothing; '.' is this folder")
        if "" in self.inputs.words():
            raise ValueError("--data '': names nothing; '.' is this folder")
        if self.is_resumed and self.start is not None:
            raise ValueError("--from: a run that is resumed has begun already; give one of the two")
        if self.is_resumed and (fixed := sorted(self.given.keys() - CHANGEABLE)):
            raise ValueError(f"--{fixed[0].replace('_', '-')}: is fixed when a run is resumed; start a new one")
        recipe = presets.load(self.given["preset"]) if self.given.get("preset") else {}
        if isinstance(widths := self.given.get("units"), tuple):
            recipe["layers"] = len(widths)
        given = recipe | self.given
        pretrained = read_pretrained(self.start) if self.start is not None else None
        teachers = tuple(map(read_pretrained, self.teachers))
        if not self.is_resumed:
            check_teachers(teachers, self.given, pretrained)
        for teacher in teachers[:1]:
            given |= {name: teacher.fixed[name] for name in ("level", "split") if name in teacher.fixed}
        settings = pretrained.settings(self.given, recipe) if pretrained else TrainSettings.from_arguments(given)
        if not self.is_resumed:
            settings.check_used(self.given)
        return Config(settings, given | (pretrained.fixed if pretrained else {}), pretrained, teachers)


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a new run, those of them that were given a value, and the model that it begins with.

    A resumed run takes its own settings in place of those that were not given.
    """

    settings: TrainSettings
    given: dict[str, Any]
    pretrained: Pretrained | None = None
    teachers: tuple[Pretrained, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: whether it is done or was asked to stop, and a row for each of its epochs."""

    is_done: bool
    history: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is known before TensorFlow is imported."""

    settings: TrainSettings
    inputs: Inputs
    corpus: Corpus
    saved: checkpoint.RunState | None = None
    teachers: tuple[Pretrained, ...] = ()


def train(job: Job, make_reporter: MakeReporter) -> Outcome:
    """Train until done or asked to stop. Raises `TrainingError`, and `ValueError` as `Job.configure` does."""
    began = time.monotonic()
    config = job.configure()
    prepared = _prepare(job, config)
    _make(job.out, "--out")
    if job.tensorboard_folder:
        _make(job.tensorboard_folder, "--tensorboard")
    try:
        import_tensorflow()
        with own_folders():
            importlib.import_module("matplotlib.figure")  # for what is written after the first epoch
    except ImportError as error:
        raise TrainingError(
            f"training needs TensorFlow and matplotlib ({error}): install them with \"pip install 'textrepl[train]'\""
        ) from None
    import tensorflow as tf

    from engine.train.hardware import cluster, devices

    tf.config.experimental.enable_op_determinism()  # so that a resumed run ends in the same weights
    is_gpu = devices.choose(prepared.settings.device)
    found = cluster.find()
    try:
        with found.taking_part():
            return _train(
                job, make_reporter if found.is_chief else Reporter, config, prepared, found, began, is_gpu=is_gpu
            )
    except tf.errors.ResourceExhaustedError:
        raise TrainingError(
            "the device that trains has too little memory: lower --batch, --steps or --units, or take --device cpu"
        ) from None


def _train(
    job: Job, make_reporter: MakeReporter, config: Config, prepared: _Prepared, found: SingleReplica, began: float,
    *, is_gpu: bool,
) -> Outcome:  # fmt: skip
    """Train on the devices and machines that were found."""
    from engine.train.report.tensorboard import TensorBoard
    from engine.train.run import Run
    from engine.train.trainer import Trainer

    settings, corpus, notes = prepared.settings, prepared.corpus, prepared.corpus.account.lines()
    if settings.time and prepared.saved is None:
        if found.workers > 1:
            raise TrainingError("--time: measures one machine, and these are several; name a network and --epochs")
        chosen = _plan(config, prepared, began)
        settings = chosen.settings
        notes.append(chosen.describe())
        if "batch" not in config.given:
            settings = replace(settings, batch=max(1, settings.batch // found.count) * found.count)
    if not is_gpu:
        free, lanes = memory.available(), of_batch(settings, corpus)
        teachers = [teacher.shape(settings) for teacher in prepared.teachers]
        memory.check(lanes, len(corpus.vocabulary), len(corpus.held_out), free, found.workers, teachers)
    trainer = Trainer(settings, corpus, replicas=found, teachers=prepared.teachers)
    if prepared.saved is not None:
        trainer.restore(prepared.saved)
    if config.pretrained is not None:
        trainer.begin_from(config.pretrained)
    origins = trainer.origin, list(trainer.teachers.origins.values())
    found.compare(trainer.settings, corpus.digest, trainer.progress.update, *origins)
    notes.append(
        f"{corpus.describe()}; {trainer.parameters:,} parameters; "
        f"{trainer.total_updates:,} updates of {trainer.batch} {settings.sequences} x {settings.steps} steps in "
        f"{trainer.precision}"
    )
    notes += _further_notes(settings, is_gpu, config.pretrained, prepared.teachers, corpus)
    numbers, rate = (trainer.total_updates, trainer.tokens_an_update), corpus.training_rate
    events = job.tensorboard_folder if found.is_chief else None
    tensorboard = TensorBoard(events, *numbers, rate) if events else None
    reporter = make_reporter(settings.epochs, *numbers, level=settings.level, rate=rate)
    reporter.history(trainer.progress.history, trainer.progress.update)
    with reporter:
        for note in notes:
            reporter.note(note)
        is_done = Run(trainer, job.out, prepared.inputs.words(), reporter, tensorboard, began=began).train()
        if is_done:
            reporter.note(f"done: write with it by 'textrepl {quoted(job.out)}'")
        else:
            reporter.note(f"saved; go on with '{_resuming(job.out, prepared.inputs)}'")
    return Outcome(is_done, trainer.progress.history)


def _resuming(out: Path, inputs: Inputs) -> str:
    """The command that goes on with a run; one that read standard input wants the same text again."""
    lists = (("--data", inputs.training), ("--validation", inputs.validation), ("--test", inputs.test))
    piped = "".join(f"{flag} {' '.join(map(quoted, names))} " for flag, names in lists if "-" in names)
    return f"python -m engine.train {piped}--out {quoted(out)} --resume"


def _further_notes(
    settings: TrainSettings, is_gpu: bool, pretrained: Pretrained | None, teachers: Sequence[Pretrained], corpus: Corpus
) -> list[str]:
    notes = []
    if is_gpu and settings.cell == "rnn":
        notes.append(
            "SimpleRNN has no cuDNN kernel: a GPU runs it a step at a time; --cell gru and lstm are faster there"
        )
    if pretrained is not None:
        new = len(corpus.vocabulary) - len(pretrained.vocabulary)
        notes.append(
            f"begins from {pretrained.origin.name}: its {len(pretrained.vocabulary):,} tokens, and {new:,} new ones"
        )
        if corpus.mapped:
            told = some_of([f"{one!r} as {SUBSTITUTES[one]!r}" for one in corpus.mapped])
            notes.append(f"reads {told}, for {pretrained.origin.name} has these alone")
        share, which = corpus.strange
        if share >= MUCH_STRANGE:
            notes.append(
                f"{share:.0%} of the text are characters that {pretrained.origin.name} has never read "
                f"({' '.join(map(visible, which))} ...): it learns them from nothing; compare with a run without --from"
            )
    if teachers:
        names = ", ".join(teacher.origin.name for teacher in teachers)
        notes.append(
            f"learns from the text and from {names}: the training loss is that of a mixture, {settings.hard_targets:g} "
            "of it the text"
        )
    return notes


def _prepare(job: Job, config: Config) -> _Prepared:
    _check_folder(job.out, is_resumed=job.is_resumed)
    if not job.is_resumed:
        old = config.pretrained.vocabulary if config.pretrained else None
        taught = config.teachers[0].vocabulary if config.teachers else None  # the student's, whatever else is read
        corpus = _read(job.inputs, config.settings, taught and (old or taught), job.cache, None if taught else old)
        make_sequences(config.settings, corpus)  # a text without the lines it wants is refused before anything is made
        return _Prepared(config.settings, job.inputs, corpus, teachers=config.teachers)
    saved = checkpoint.load(job.out)
    settings = replace(saved.settings, **job.given)
    inputs = job.inputs.or_else(Inputs.from_words(saved.data))
    if "-" in inputs.words() and "-" not in job.inputs.words() and sys.stdin.isatty():
        raise TrainingError(f"this run read standard input: pipe the same text into '{_resuming(job.out, inputs)}'")
    teachers = config.teachers or tuple(map(read_pretrained, saved.teachers))
    is_given = bool(saved.origin or teachers)  # and not found in the text
    vocabulary = known_vocabulary(job.out) if is_given or settings.level != "char" else None
    if vocabulary is None and is_given:
        raise TrainingError(
            f"{job.out / VOCABULARY} is not there, and it tells which row of the weights is which token's: put it back"
        )
    return _Prepared(settings, inputs, _read(inputs, settings, vocabulary, job.cache), saved, teachers)


def _check_folder(out: Path, *, is_resumed: bool) -> None:
    """Raises `TrainingError` where a run cannot begin, or go on, in this directory."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            out.stat()  # tells of a name too long, or a folder that may not be looked into
        if not is_resumed:
            _check_unused(out)
        elif not (out / CHECKPOINT).exists():
            way = "start without --resume"
            if (out / NETWORK).exists():
                way = f"it has a model, but no checkpoint; begin from that with --from {quoted(out)} and another --out"
            raise TrainingError(f"there is nothing to resume in {out}: {way}")
        if out.exists() and not out.is_dir():
            raise TrainingError(f"{out} is a file: choose another --out")
    except OSError as error:
        what = "read" if is_resumed else "write"
        raise TrainingError(f"cannot {what} {out}: {error.strerror}: choose another --out") from None


def _check_unused(out: Path) -> None:
    """Raises `TrainingError` where a run would write over what is not its own."""
    if any((out / name).exists() for name in (NETWORK, CHECKPOINT)):
        way = "go on with --resume" if (out / CHECKPOINT).exists() else f"begin from it with --from {quoted(out)}"
        raise TrainingError(f"{out} holds a model or a run already: choose another --out, or {way}")
    taken = next((name for name in card.FILES if (out / name).exists()), None)
    networks = [path for path in out.glob("*.keras") if not path.name.startswith(".")]
    if taken is not None or ((out / VOCABULARY).exists() and networks):
        raise TrainingError(f"{out / (taken or VOCABULARY)} is there already, and no run's: choose another --out")


def _plan(config: Config, prepared: _Prepared, began: float) -> Plan:
    """The network and the schedule that --time chooses."""
    from engine.train import time_budget

    with ReadingLine() as line:
        line.say("measuring how fast this machine learns ...")
        seconds = seconds_of(prepared.settings.time) - (time.monotonic() - began)
        return time_budget.choose(prepared.settings, config.given, prepared.corpus, seconds, prepared.teachers)


def _make(folder: Path, flag: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot make {folder} ({error.strerror}): choose another {flag}") from None


def _read(
    inputs: Inputs, settings: TrainSettings, vocabulary: Vocabulary | None, folder: Path | None,
    old: Vocabulary | None = None,
) -> Corpus:  # fmt: skip
    with ReadingLine() as line:
        return read_corpus(inputs, settings.held_out, settings.steps, settings, vocabulary, folder, line.tell, old=old)
