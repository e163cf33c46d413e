"""A run from its first update to its last: keeps checkpoints and the best model, prints, stops when asked."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import engine
from engine.errors import EngineError, TrainingError
from engine.model_dir import CHECKPOINT, NETWORK, VOCABULARY, remove_halves, replace_file, write_json
from engine.names import quoted
from engine.train import card, checkpoint
from engine.train.board import Board
from engine.train.loop import Stopped, Trainer
from engine.train.quantities import seconds_of, temperatures_of
from engine.train.watch import Watch

CHECKPOINT_SECONDS = 60.0
MAX_WHOLE = 2_000_000  # held-out tokens that are scored one after the other; of more, the score in lanes is told
TRIED_TOKENS = 1000  # to see how long that takes
SAMPLE_LENGTH, CARD_SAMPLE_LENGTH, CARD_TEMPERATURE = 120, 400, 0.8


class Run:
    """Trains into a directory. `train()` returns True when done, False when it was asked to stop."""

    def __init__(
        self, trainer: Trainer, out: Path, data: tuple[str, ...], watch: Watch, board: Board | None = None,
        *, began: float | None = None,
    ) -> None:  # fmt: skip
        self._trainer, self._out, self._data, self._watch, self._board = trainer, out, data, watch, board
        self._began = (time.monotonic() if began is None else began) - trainer.progress.elapsed
        limit = seconds_of(trainer.settings.time)
        self._deadline = self._began + limit if limit else math.inf
        self._scoring_seconds = 0.0  # to score and keep an epoch, when last it was done
        self._is_asked = self._is_stopping = False  # to stop: here, and on any machine
        self._is_chief = trainer.replicas.is_chief  # who alone writes and prints
        self._has_vocabulary = False
        self._save_errors: dict[str, str] = {}  # of what could not be saved the last time
        self._saved_at = time.monotonic()
        self._test_nats: float | None = None
        self._unsaved: tuple[dict[str, float], list[NDArray[Any]]] | None = None  # a best epoch and its weights

    def train(self) -> bool:
        """Train what is left. Raises `TrainingError` for a useless loss or a disk that takes nothing."""
        trainer, progress = self._trainer, self._trainer.progress
        before = self._listen()
        try:
            if self._is_chief:
                for name in (NETWORK, CHECKPOINT):
                    remove_halves(self._out / name)
            self._keep_vocabulary()
            while progress.epoch < trainer.settings.epochs and not (self._must_stop() or self._is_over()):
                self._watch.pause()
                for loss in trainer.updates():
                    self._watch.update(progress.epoch, progress.update, loss, progress.best, trainer.learning_rate)
                    if self._board:
                        self._board.update(progress.update, loss, trainer.learning_rate, progress.seconds)
                    flags = trainer.replicas.agree(self._is_asked, self._is_late(), self._is_due())
                    self._is_stopping, is_late, is_due = flags
                    if self._is_stopping:
                        break
                    if is_late:
                        self._end_epoch(is_over=progress.update >= trainer.total_updates)
                        break
                    if is_due:
                        self._keep_checkpoint()
                else:
                    self._end_epoch()
            if progress.history and progress.best_epoch is None and self._unsaved is None:  # before it was stopped
                self._unsaved = progress.history[-1], trainer.weights()
            self._save_best()
            self._keep_checkpoint()
            self._tell_why()
            if not self._must_stop() and self._is_chief:
                with contextlib.suppress(Stopped):
                    self._finish()
            self._must_stop()  # where the others wait for the chief
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        for error in self._save_errors.values():
            raise TrainingError(f"{error}: make room, then {self._way_on()}; what was saved before is whole")
        return not self._is_stopping

    def _way_on(self) -> str:
        if (self._out / CHECKPOINT).exists():
            return "go on with --resume"
        has_model = (self._out / NETWORK).exists()
        return f"begin from the model with --from {quoted(self._out)}" if has_model else "start again"

    def _must_stop(self) -> bool:
        """Whether any machine was asked to stop. All machines must look at the same time."""
        (self._is_stopping,) = self._trainer.replicas.agree(self._is_asked)
        return self._is_stopping

    def _is_due(self, seconds: float = 0.0) -> bool:
        """Whether a checkpoint would come too late after so many seconds."""
        return self._is_chief and time.monotonic() + seconds - self._saved_at > CHECKPOINT_SECONDS

    def _is_late(self) -> bool:
        """Whether there is just time to score and keep what was learned (--time)."""
        return time.monotonic() + self._scoring_seconds > self._deadline

    def _is_over(self) -> bool:
        trainer = self._trainer
        (is_late,) = trainer.replicas.agree(self._is_late())
        is_late = is_late and bool(trainer.progress.history)
        return trainer.has_no_more_updates or trainer.has_given_up or is_late

    def _tell_why(self) -> None:
        """Why the run ended before its last update, if it did."""
        trainer, progress = self._trainer, self._trainer.progress
        if trainer.has_given_up:
            self._watch.note(f"no better for {trainer.settings.patience} epochs: stopped early (--patience)")
        elif not (self._is_stopping or trainer.has_no_more_updates) and self._is_late():
            self._watch.note(
                f"the time is up at update {progress.update:,} of {trainer.total_updates:,}: the best model so far is "
                f"kept (--time {trainer.settings.time}); --resume with a longer --time goes on"
            )

    def _listen(self) -> dict[int, Any]:
        """Let signals that would end the process stop the run; returns what they did. A thread hears none."""
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
        threading.Thread(target=self._watch.note, args=(line,)).start()  # this one may be in the midst of writing

    def _end_epoch(self, *, is_over: bool = True) -> None:
        """Score the epoch, keep the model if it is the best so far, and show a sample; nothing if asked to stop."""
        trainer, progress, seconds = self._trainer, self._trainer.progress, self._scoring_seconds
        (is_due,) = trainer.replicas.agree(self._is_due(seconds) or not seconds)  # that are not known before the first
        if is_due:
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
        self._write_history()
        self._watch.epoch(row, is_best and self._unsaved is None)
        if self._board:
            self._board.epoch(progress.update, row)
        self._keep_checkpoint()
        self._scoring_seconds = time.monotonic() - started
        every = trainer.settings.sample_every
        if self._is_chief and every and progress.epoch % every == 0 and (self._out / NETWORK).exists():
            temperatures = temperatures_of(trainer.settings.sample_temperatures)
            samples = self._samples(temperatures, SAMPLE_LENGTH, seed=progress.epoch)
            for temperature, text in zip(temperatures, samples, strict=True):
                self._watch.sample(text, temperature)
                if self._board:
                    self._board.sample(progress.update, temperature, text)

    def _save_best(self) -> None:
        """Write the best model and its card, if that is still to be done. All machines must do so at the same time."""
        if self._unsaved is None:
            return
        row, weights = self._unsaved
        trainer, progress = self._trainer, self._trainer.progress

        def write() -> None:
            with replace_file(self._out / NETWORK) as temporary:
                trainer.save_model(temporary, weights)

        (is_kept,) = trainer.replicas.agree(self._keep("the best model", write))
        if is_kept:
            self._unsaved = None
            progress.best, progress.best_epoch = row["held_out_nats"], int(row["epoch"])
            self._keep("the card", lambda: self._write_card(self._held_out_nats(row), is_final=False))

    def _write_history(self) -> None:
        self._keep("the losses", lambda: card.write_history(self._out, self._trainer.progress.history))

    def _finish(self) -> None:
        """Score the held-out text whole, with the engine that serves the model, and write the card.

        Raises `Stopped` if asked to stop meanwhile.
        """
        if self._trainer.progress.best_epoch is None or not self._has_vocabulary:
            return
        if "the losses" in self._save_errors or not (self._out / card.HISTORY).exists():
            self._write_history()
        corpus, progress = self._trainer.corpus, self._trainer.progress
        nats = self._held_out_nats(progress.history[progress.best_epoch or 0])
        is_whole = 1 < len(corpus.held_out) <= MAX_WHOLE and self._has_time_for(corpus.held_out)
        if is_whole:
            nats = self._whole_nats("the held-out text", corpus.held_out, corpus.held_out_characters)
        if len(corpus.test) > 1 and not self._has_time_for(corpus.test):
            self._watch.note("the test text is not scored, for the time is up: python -m engine.evaluate does it")
        elif len(corpus.test) > 1:
            self._test_nats = self._whole_nats("the test text", corpus.test, corpus.characters["test"])
        self._keep("the card", lambda: self._write_card(nats, is_final=is_whole))
        if nats is not None and is_whole:
            self._watch.note(f"held out, whole: {self._watch.told(nats, corpus.held_out_rate)}")
        if self._test_nats is not None:
            rate = len(corpus.test) / max(1, corpus.characters["test"])
            self._watch.note(f"test, whole: {self._watch.told(self._test_nats, rate)}")

    def _has_time_for(self, ids: NDArray[Any]) -> bool:
        """Whether a text can be scored in one lane before the time is up, by the time that its beginning takes."""
        if self._deadline == math.inf:
            return True
        some = np.asarray(ids[:TRIED_TOKENS], np.int32)
        with engine.load(self._out) as model:
            started = time.monotonic()
            model.score_tokens(some, len(some))
            took = time.monotonic() - started
        return time.monotonic() + took * len(ids) / len(some) < self._deadline

    def _whole_nats(self, what: str, ids: NDArray[Any], characters: int) -> float:
        """Nats a token of a text, by the engine that serves the model, in one lane."""
        self._watch.note(f"scoring {what} whole ...")
        with engine.load(self._out) as model:
            return model.score_tokens(np.asarray(ids, np.int32), characters, self._go_on).nats / len(ids)

    def _go_on(self, share: float) -> None:
        if self._is_asked:
            raise Stopped

    def _keep_vocabulary(self) -> None:
        """Write it, unless that is done."""
        if not self._has_vocabulary:
            self._has_vocabulary = self._keep("the vocabulary", self._write_vocabulary)

    def _write_vocabulary(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        write_json(self._out / VOCABULARY, self._trainer.corpus.vocabulary.to_json())

    def _held_out_nats(self, row: dict[str, float]) -> float | None:
        return row["held_out_nats"] if len(self._trainer.corpus.held_out) > 1 else None

    def _write_card(self, held_out_nats: float | None, *, is_final: bool) -> None:
        trainer, progress, corpus = self._trainer, self._trainer.progress, self._trainer.corpus
        best = progress.history[progress.best_epoch or 0]  # of the model that is on the disk
        figures = card.Figures(
            int(best["epoch"]) + 1, best["training_nats"], held_out_nats, corpus.held_out_characters,
            corpus.training_characters, len(corpus.held_out), len(corpus.training), trainer.parameters,
            progress.seconds, is_final, self._test_nats, corpus.characters["test"],
        )  # fmt: skip
        card.write(
            self._out, trainer.settings, self._data, trainer.corpus.digest, figures, progress.history,
            self._samples([CARD_TEMPERATURE], CARD_SAMPLE_LENGTH, seed=1)[0], trainer.origin,
        )  # fmt: skip

    def _samples(self, temperatures: Sequence[float], length: int, seed: int) -> list[str]:
        """What the best model so far writes on from the sample prompt, at each temperature."""
        prompt = self._trainer.settings.sample_prompt
        try:
            with engine.load(self._out) as model:
                replies = [
                    model.conversation(sampling=engine.Sampling(temperature=t, length=length, seed=seed)).say(prompt)
                    for t in temperatures
                ]
                return [prompt + reply.text for reply in replies]
        except EngineError as error:
            return [f"(no sample: {error})" for _ in temperatures]

    def _keep_checkpoint(self) -> None:
        self._trainer.progress.elapsed = time.monotonic() - self._began
        made = self._trainer.checkpoint(self._data)
        self._keep_vocabulary()
        is_kept = self._keep("a checkpoint", lambda: checkpoint.save(self._out, made))
        self._saved_at = time.monotonic()  # however long that took
        if is_kept and self._board:
            self._keep("what TensorBoard shows", self._board.flush)

    def _keep(self, what: str, write: Callable[[], None]) -> bool:
        """Write something; where the disk does not take it, say so and train on, to try again later.

        False, also where another machine writes it.
        """
        if not self._is_chief:
            return False
        try:
            write()
        except (OSError, RuntimeError) as error:  # h5py raises RuntimeError where a file cannot be flushed
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            self._save_errors[what] = f"could not save {what} in {self._out} ({reason})"
            self._watch.note(f"{self._save_errors[what]}; training goes on and tries again")
            return False
        self._save_errors.pop(what, None)
        return True
