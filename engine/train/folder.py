"""A run's directory: writes the model, the checkpoint and the card, and handles a disk that takes nothing.

Of several machines only one, the chief, writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import engine
from engine.errors import EngineError, TrainingError
from engine.memory import training
from engine.memory.counts import Index
from engine.model.directory import CHECKPOINT, NETWORK, VOCABULARY, remove_halves, replace_file, write_json
from engine.names import quoted
from engine.train import checkpoint
from engine.train.report import card
from engine.train.trainer import Trainer

CARD_SAMPLE_LENGTH, CARD_TEMPERATURE = 400, 0.8


class RunFolder:
    """Writes what a trainer makes. `note` reports what could not be saved; training goes on and tries again."""

    def __init__(self, path: Path, trainer: Trainer, data: tuple[str, ...], note: Callable[[str], None]) -> None:
        self.path, self._trainer, self._data, self._note = path, trainer, data, note
        self.has_vocabulary = False
        self._errors: dict[str, str] = {}  # of what could not be saved the last time
        if trainer.replicas.is_chief:
            for name in (NETWORK, CHECKPOINT):
                remove_halves(path / name)

    @property
    def has_model(self) -> bool:
        """Whether a model was saved."""
        return (self.path / NETWORK).exists()

    def keep(self, what: str, write: Callable[[], None]) -> bool:
        """Write something. False if the disk does not take it, which is reported, or if another machine writes it."""
        if not self._trainer.replicas.is_chief:
            return False
        try:
            write()
        except (OSError, RuntimeError) as error:  # h5py raises RuntimeError where a file cannot be flushed
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            self._errors[what] = f"could not save {what} in {self.path} ({reason})"
            self._note(f"{self._errors[what]}; training goes on and tries again")
            return False
        self._errors.pop(what, None)
        return True

    def check(self) -> None:
        """Raise `TrainingError` if anything is still unsaved."""
        for error in self._errors.values():
            raise TrainingError(f"{error}: make room, then {self._way_on()}; what was saved before is whole")

    def _way_on(self) -> str:
        if (self.path / CHECKPOINT).exists():
            return "go on with --resume"
        return f"begin from the model with --from {quoted(self.path)}" if self.has_model else "start again"

    def keep_vocabulary(self) -> None:
        """Write the vocabulary, once."""
        if not self.has_vocabulary:
            self.has_vocabulary = self.keep("the vocabulary", self._write_vocabulary)

    def _write_vocabulary(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.drop_counts()  # of a model that was here before
        write_json(self.path / VOCABULARY, self._trainer.corpus.vocabulary.to_json())

    def keep_checkpoint(self) -> bool:
        """Write the run's present state."""
        made = self._trainer.run_state(self._data)
        self.keep_vocabulary()
        return self.keep("a checkpoint", lambda: checkpoint.save(self.path, made))

    def keep_model(self, weights: list[NDArray[Any]]) -> bool:
        """Write the model with these weights; whether it was saved. All machines must call it at the same time."""

        def write() -> None:
            with replace_file(self.path / NETWORK) as temporary:
                self._trainer.save_model(temporary, weights)

        (is_kept,) = self._trainer.replicas.agree(self.keep("the best model", write))
        return is_kept

    def keep_counts(self) -> bool:
        """Write the counts of the training text; whether they were saved."""
        corpus = self._trainer.corpus

        def write() -> None:
            ids = np.asarray(corpus.training, np.int32)
            with replace_file(self.path / training.FILE) as temporary:
                temporary.write_bytes(training.packed(Index.of(len(corpus.vocabulary), [(ids, None)])))

        return self.keep("the counts of the text", write)

    def drop_counts(self) -> None:
        """Remove them."""
        (self.path / training.FILE).unlink(missing_ok=True)

    def keep_losses(self) -> None:
        """Write the history and the picture of it."""
        self.keep("the losses", lambda: card.write_history(self.path, self._trainer.progress.history))

    def keep_card(
        self, held_out_nats: float | None, test_nats: float | None, *, is_final: bool, counts_gain: float | None = None
    ) -> None:
        """Write the settings and the card of the saved model."""
        self.keep("the card", lambda: self._write_card(held_out_nats, test_nats, is_final, counts_gain))

    def _write_card(
        self, held_out_nats: float | None, test_nats: float | None, is_final: bool, counts_gain: float | None
    ) -> None:
        trainer, progress, corpus = self._trainer, self._trainer.progress, self._trainer.corpus
        best = progress.history[progress.best_epoch or 0]  # of the model that is on the disk
        figures = card.Figures(
            int(best["epoch"]) + 1, best["training_nats"], held_out_nats, corpus.held_out_characters,
            corpus.training_characters, len(corpus.held_out), len(corpus.training), trainer.parameters,
            progress.seconds, is_final, test_nats, corpus.characters["test"], progress.begun_nats, counts_gain,
        )  # fmt: skip
        card.write(
            self.path, trainer.settings, self._data, corpus.digest, figures, progress.history,
            self.samples([CARD_TEMPERATURE], CARD_SAMPLE_LENGTH, seed=1)[0], trainer.origin,
            list(trainer.teachers.origins.values()), corpus.account.speakers,
        )  # fmt: skip

    def samples(self, temperatures: Sequence[float], length: int, seed: int) -> list[str]:
        """The saved model's continuations of the sample prompt, one for each temperature."""
        prompt = self._trainer.settings.sample_prompt
        try:
            with engine.load(self.path) as model:
                replies = [
                    model.conversation(sampling=engine.Sampling(temperature=t, length=length, seed=seed)).say(prompt)
                    for t in temperatures
                ]
                return [prompt + reply.text for reply in replies]
        except EngineError as error:
            return [f"(no sample: {error})" for _ in temperatures]
