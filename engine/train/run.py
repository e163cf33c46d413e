"""A run from its first update to its last: saves checkpoints and the best model, reports, stops when asked."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import engine
from engine.memory import training
from engine.train.folder import RunFolder
from engine.train.hardware.distributed import Decision
from engine.train.network.scoring import Stopped
from engine.train.quantities import LN2, seconds_of, temperatures_of
from engine.train.report.plain import Reporter
from engine.train.report.tensorboard import TensorBoard
from engine.train.trainer import Trainer

CHECKPOINT_SECONDS = 60.0
MAX_WHOLE = 2_000_000  # held-out tokens to score in one lane; for more, the score in many lanes stands
TRIED_TOKENS = 1000  # to see how long that takes
COUNTS_TOKENS = 10_000  # held-out tokens that tell whether the training text's counts help
LEAST_GAIN = 0.005  # bits a character, or a larger folder is not worth it
SAMPLE_LENGTH = 120


class Run:
    """Trains into a directory. `train()` returns True when done, False when it was asked to stop."""

    def __init__(
        self, trainer: Trainer, out: Path, data: tuple[str, ...], reporter: Reporter,
        tensorboard: TensorBoard | None = None, *, began: float | None = None,
    ) -> None:  # fmt: skip
        self._trainer, self._reporter, self._tensorboard = trainer, reporter, tensorboard
        self._folder = RunFolder(out, trainer, data, reporter.note)
        self._began = (time.monotonic() if began is None else began) - trainer.progress.elapsed
        limit = seconds_of(trainer.settings.time)
        self._deadline = self._began + limit if limit else math.inf
        self._scoring_seconds = 0.0  # to score and keep an epoch, when last it was done
        self._is_asked = False  # to stop, here
        self._decision = Decision()  # of all machines, when they last agreed
        self._is_chief = trainer.replicas.is_chief  # who alone writes and prints
        self._saved_at = time.monotonic()
        self._unsaved: tuple[dict[str, float], list[NDArray[Any]]] | None = None  # a best epoch and its weights

    def train(self) -> bool:
        """Train what is left. Raises `TrainingError` for a useless loss or a disk that takes nothing."""
        trainer, progress = self._trainer, self._trainer.progress
        before = self._listen()
        try:
            self._folder.keep_vocabulary()
            self._score_beginning()
            while progress.epoch < trainer.settings.epochs and not self._is_over():
                self._reporter.pause()
                for loss in trainer.updates():
                    self._reporter.update(progress.epoch, progress.update, loss, progress.best, trainer.learning_rate)
                    if self._tensorboard:
                        self._tensorboard.update(progress.update, loss, trainer.learning_rate, progress.seconds)
                    decision = self._decide()
                    if decision.must_stop:
                        break
                    if decision.is_late:
                        self._end_epoch(is_over=progress.update >= trainer.total_updates)
                        break
                    if decision.is_due:
                        self._keep_checkpoint()
                else:
                    self._end_epoch()
            if progress.history and progress.best_epoch is None and self._unsaved is None:  # before it was stopped
                self._unsaved = progress.history[-1], trainer.weights()
            self._save_best()
            self._keep_checkpoint()
            self._tell_why()
            if not self._decide().must_stop and self._is_chief:
                with contextlib.suppress(Stopped):
                    self._finish()
            self._decide()  # where the others wait for the chief
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self._folder.check()
        return not self._decision.must_stop

    def _score_beginning(self) -> None:
        """Tell how a model predicts the text before it has learned from it. All machines must call it together."""
        trainer, progress = self._trainer, self._trainer.progress
        if trainer.origin is None or progress.update or progress.begun_nats or len(trainer.corpus.held_out) < 2:
            return
        with contextlib.suppress(Stopped):
            progress.begun_nats = trainer.held_out_nats(self._must_stop)
            loss = self._reporter.describe_loss(progress.begun_nats, trainer.corpus.held_out_rate)
            self._reporter.note(f"{trainer.origin.name} as it is: held out {loss}")

    def _decide(self, seconds: float = 0.0) -> Decision:
        """What all machines do next, before something that takes this many seconds. All must call it together."""
        wishes = Decision(self._is_asked, self._is_late(), self._is_due(seconds))
        self._decision = self._trainer.replicas.decide(wishes)
        return self._decision

    def _must_stop(self) -> bool:
        return self._decide().must_stop

    def _is_due(self, seconds: float = 0.0) -> bool:
        """Whether a checkpoint would be overdue after this many seconds."""
        return self._is_chief and time.monotonic() + seconds - self._saved_at > CHECKPOINT_SECONDS

    def _is_late(self) -> bool:
        """Whether only the time to score and save is left (--time)."""
        return time.monotonic() + self._scoring_seconds > self._deadline

    def _is_over(self) -> bool:
        trainer, decision = self._trainer, self._decide()
        is_late = decision.is_late and bool(trainer.progress.history)
        return decision.must_stop or trainer.has_no_more_updates or trainer.has_given_up or is_late

    def _tell_why(self) -> None:
        """Report why the run ended before its last update, if it did."""
        trainer, progress = self._trainer, self._trainer.progress
        if trainer.has_given_up:
            self._reporter.note(f"no better for {trainer.settings.patience} epochs: stopped early (--patience)")
        elif not (self._decision.must_stop or trainer.has_no_more_updates) and self._is_late():
            self._reporter.note(
                f"the time is up at update {progress.update:,} of {trainer.total_updates:,}: the best model so far is "
                f"kept (--time {trainer.settings.time}); --resume with a longer --time goes on"
            )

    def _listen(self) -> dict[int, Any]:
        """Let signals stop the run; returns the handlers that they had. Only the main thread can set any."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        heard = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            heard.append(signal.SIGHUP)
        return {number: signal.signal(number, self._ask_to_stop) for number in heard}

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True
        line = "stopping after this update, and saving (once more to stop at once) ..."
        threading.Thread(target=self._reporter.note, args=(line,)).start()  # this thread may be writing now

    def _end_epoch(self, *, is_over: bool = True) -> None:
        """Score the epoch, save the model if it is the best so far, and show a sample. Nothing if asked to stop."""
        trainer, progress, seconds = self._trainer, self._trainer.progress, self._scoring_seconds
        if self._decide(seconds).is_due or not seconds:  # that are not known before the first
            self._keep_checkpoint()
        started = time.monotonic()
        try:
            row = trainer.end_epoch(is_over=is_over, must_stop=self._must_stop)
        except Stopped:
            return
        best = progress.best if self._unsaved is None else self._unsaved[0]["held_out_nats"]
        is_best = best is None or row["held_out_nats"] < best
        if is_best:
            self._unsaved = row, trainer.weights()
        self._save_best()
        self._folder.keep_losses()
        self._reporter.epoch(row, is_best and self._unsaved is None)
        if self._tensorboard:
            self._tensorboard.epoch(progress.update, row)
        self._keep_checkpoint()
        self._scoring_seconds = time.monotonic() - started
        every = trainer.settings.sample_every
        if self._is_chief and every and progress.epoch % every == 0 and self._folder.has_model:
            temperatures = temperatures_of(trainer.settings.sample_temperatures)
            samples = self._folder.samples(temperatures, SAMPLE_LENGTH, seed=progress.epoch)
            for temperature, text in zip(temperatures, samples, strict=True):
                self._reporter.sample(text, temperature)
                if self._tensorboard:
                    self._tensorboard.sample(progress.update, temperature, text)

    def _save_best(self) -> None:
        """Write the best model and its card, unless that is done. All machines must call it together."""
        if self._unsaved is None:
            return
        row, weights = self._unsaved
        if self._folder.keep_model(weights):
            progress = self._trainer.progress
            self._unsaved = None
            progress.best, progress.best_epoch = row["held_out_nats"], int(row["epoch"])
            self._folder.keep_card(self._held_out_nats(row), None, is_final=False)

    def _finish(self) -> None:
        """Score the whole held-out text with the engine that serves the model, and write the card.

        Raises `Stopped` if it is asked to stop.
        """
        if self._trainer.progress.best_epoch is None or not self._folder.has_vocabulary:
            return
        self._folder.keep_losses()
        corpus, progress = self._trainer.corpus, self._trainer.progress
        nats = self._held_out_nats(progress.history[progress.best_epoch or 0])
        is_whole = 1 < len(corpus.held_out) <= MAX_WHOLE and self._has_time_for(corpus.held_out)
        if is_whole:
            nats = self._whole_nats("the held-out text", corpus.held_out, corpus.held_out_characters)
        test_nats = None
        if len(corpus.test) > 1 and not self._has_time_for(corpus.test):
            self._reporter.note("the test text is not scored, for the time is up: python -m engine.evaluate does it")
        elif len(corpus.test) > 1:
            test_nats = self._whole_nats("the test text", corpus.test, corpus.characters["test"])
        self._folder.keep_card(nats, test_nats, is_final=is_whole, counts_gain=self._keep_counts())
        origin, begun, best = self._trainer.origin, progress.begun_nats, progress.best
        if origin is not None and begun is not None and best is not None and best >= begun:
            self._reporter.note(
                f"no epoch predicts the held-out text better than {origin.name} as it is: write with that one, or "
                f"begin again with a lower --rate (now {self._trainer.settings.rate:g}) or less --dropout"
            )
        if nats is not None and is_whole:
            self._reporter.note(f"held out, whole: {self._reporter.describe_loss(nats, corpus.held_out_rate)}")
        if test_nats is not None:
            rate = len(corpus.test) / max(1, corpus.characters["test"])
            self._reporter.note(f"test, whole: {self._reporter.describe_loss(test_nats, rate)}")

    def _keep_counts(self) -> float | None:
        """Leave the counts of the training text beside the model if they help: the bits a character that they gain.

        None where there are none, or nothing to measure them by. Raises `Stopped`.
        """
        corpus, rate = self._trainer.corpus, self._trainer.corpus.held_out_rate
        if not self._trainer.settings.counts or len(corpus.training) > training.MOST_TOKENS:
            return None
        ids = np.asarray(corpus.held_out[:COUNTS_TOKENS], np.int32)
        has_held_out = len(ids) > 1
        if (has_held_out and not self._has_time_for(ids)) or not self._folder.keep_counts() or not has_held_out:
            return None
        with engine.load(self._folder.path) as model:
            score = model.score_tokens(ids, len(ids), self._go_on, memory=model.memory(), counts="none")
        gain = ((score.alone or score).nats - score.nats) / len(ids) * rate / LN2
        if gain < LEAST_GAIN:
            self._folder.drop_counts()
            return None
        self._reporter.note(f"what followed what in the training text is kept: with a memory, {gain:.3f} bits less")
        return gain

    def _has_time_for(self, ids: NDArray[Any]) -> bool:
        """Whether a text can be scored in one lane before the time is up, estimated from its first tokens."""
        if self._deadline == math.inf:
            return True
        some = np.asarray(ids[:TRIED_TOKENS], np.int32)
        with engine.load(self._folder.path) as model:
            started = time.monotonic()
            model.score_tokens(some, len(some))
            took = time.monotonic() - started
        return time.monotonic() + took * len(ids) / len(some) < self._deadline

    def _whole_nats(self, what: str, ids: NDArray[Any], characters: int) -> float:
        """Nats per token of a text, scored in one lane by the engine that serves the model."""
        self._reporter.note(f"scoring {what} whole ...")
        with engine.load(self._folder.path) as model:
            return model.score_tokens(np.asarray(ids, np.int32), characters, self._go_on).nats / len(ids)

    def _go_on(self, share: float) -> None:
        if self._is_asked:
            raise Stopped

    def _held_out_nats(self, row: dict[str, float]) -> float | None:
        return row["held_out_nats"] if len(self._trainer.corpus.held_out) > 1 else None

    def _keep_checkpoint(self) -> None:
        self._trainer.progress.elapsed = time.monotonic() - self._began
        is_kept = self._folder.keep_checkpoint()
        self._saved_at = time.monotonic()  # however long that took
        if is_kept and self._tensorboard:
            self._folder.keep("what TensorBoard shows", self._tensorboard.flush)
