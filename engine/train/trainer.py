"""The training loop: updates over sequences of the text, and the held-out score.

Knows arrays and Keras; prints nothing, and writes no file but the model. `report/` shows a run, `checkpoint` keeps it,
`job` puts them together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.errors import TrainingError
from engine.train.checkpoint import Progress, RunState
from engine.train.data.batches import make_sequences
from engine.train.data.corpus import Corpus
from engine.train.hardware import devices
from engine.train.hardware.distributed import Rank, SingleReplica
from engine.train.hardware.precision import fastest_precision
from engine.train.network import packing
from engine.train.network.averaging import Average
from engine.train.network.build import StatelessNetwork, build_model
from engine.train.network.dropout import Masks, activation_penalty
from engine.train.network.pretrained import Origin, Pretrained
from engine.train.network.scoring import MustStop, Scorer, never
from engine.train.network.teachers import Teachers
from engine.train.settings import TrainSettings

EXPLODED = 3.0  # times the first loss


def rate_at(settings: TrainSettings, update: int, updates: int) -> float:
    """The learning rate of an update: a linear warm-up, then what the schedule has.

    "cosine" goes down to `final_rate` of it at the end; "step" takes it times `decay` after each epoch from
    `decay_after` on (Zaremba et al. 2014), "exponential" the same smoothly from the warm-up on.
    """
    if update < settings.warmup:
        return settings.rate * (update + 1) / settings.warmup
    epochs = update / max(1, updates) * settings.epochs
    if settings.schedule == "constant":
        return settings.rate
    if settings.schedule == "step":
        return settings.rate * math.pow(settings.decay, max(0, math.floor(epochs + 1e-9) - settings.decay_after + 1))
    if settings.schedule == "exponential":
        warmed_up = settings.warmup / max(1, updates) * settings.epochs
        return settings.rate * math.pow(settings.decay, epochs - warmed_up)
    share = (update - settings.warmup) / max(1, updates - settings.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    return settings.rate * (settings.final_rate + (1 - settings.final_rate) * cosine)


def make_optimizer(settings: TrainSettings, updates: int) -> Any:
    """The optimizer of the settings, where an epoch has so many updates.

    Keras' weight decay is decoupled for all of them: weights * rate * decay.
    """
    decay: Any = settings.decay_of_weights(updates)
    kinds = {
        "adam": lambda: keras.optimizers.Adam(settings.rate, beta_2=settings.beta_2, weight_decay=decay or None),
        "adamw": lambda: keras.optimizers.AdamW(settings.rate, beta_2=settings.beta_2, weight_decay=decay),
        "rmsprop": lambda: keras.optimizers.RMSprop(settings.rate, rho=settings.beta_2, weight_decay=decay or None),
        "sgd": lambda: keras.optimizers.SGD(
            settings.rate, momentum=settings.momentum, nesterov=settings.nesterov, weight_decay=decay or None
        ),
    }
    return kinds[settings.optimizer]()


class Trainer:
    """One run. `updates()` trains and yields after each update, where it may be stopped and continued."""

    def __init__(
        self,
        settings: TrainSettings,
        corpus: Corpus,
        *,
        fused: bool | None = None,
        replicas: SingleReplica | None = None,
        teachers: Sequence[Pretrained] = (),
    ) -> None:
        is_gpu = devices.has_gpu()
        fused = is_gpu if fused is None else fused
        self.replicas = replicas or SingleReplica()
        (is_slower,) = self.replicas.agree(
            fastest_precision(is_gpu=fused) == "float32"
        )  # on every machine, whatever its settings
        fastest = "float32" if is_slower else "bfloat16"
        self.precision = fastest if settings.precision == "auto" else settings.precision
        if fused and settings.reset != "never":
            raise TrainingError(
                f"--reset {settings.reset}: a GPU's fused kernels cannot begin anew in the midst of a chunk; take "
                "--sequences lines or --reset never, or --device cpu"
            )
        self.settings, self.corpus, self.progress = settings, corpus, Progress()
        self.sequences = make_sequences(settings, corpus)
        self.batch = self.replicas.whole(self.sequences.batch, settings.batch)
        if self.batch != self.sequences.batch:
            self.sequences = make_sequences(replace(settings, batch=self.batch), corpus)
        self.model = build_model(len(corpus.vocabulary), settings)
        self.network = StatelessNetwork(
            self.model, dtype=self.precision, fused=fused, is_tied=settings.tied, is_gpu=is_gpu
        )
        self.teachers = Teachers(
            teachers, corpus.vocabulary, settings, dtype=self.precision, fused=fused, is_gpu=is_gpu
        )
        self.states: list[Any] = self._zero_state(self.batch)
        self._optimizer = make_optimizer(settings, self.sequences.count(0))
        self._optimizer.build(self.network.variables)
        self.average = Average(self.network.variables, settings.average)
        self.origin: Origin | None = None
        whole = sum(map(self.sequences.count, range(settings.epochs)))
        self.total_updates = min(whole, settings.updates or whole)
        self._step = tf.function(self._update)
        self.scorer = Scorer(self.network, self.replicas)

    def _zero_state(self, batch: int) -> list[Any]:
        states = [*self.network.zero_state(batch), *self.teachers.zero_state(batch)]
        return self.replicas.share_all(map(np.asarray, states), 0)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(math.prod(variable.shape) for variable in self.network.variables)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return rate_at(self.settings, self.progress.update, self.total_updates)

    @property
    def has_given_up(self) -> bool:
        """Whether the held-out score has not improved for `patience` epochs."""
        patience, best = self.settings.patience, self.progress.best_epoch
        return bool(patience) and best is not None and self.progress.epoch - 1 - best >= patience

    @property
    def has_no_more_updates(self) -> bool:
        """Whether all updates are done, and the epoch of the last one is scored."""
        return self.progress.update >= self.total_updates and self.progress.chunk == 0

    @property
    def tokens_an_update(self) -> int:
        """Tokens learned from in one update."""
        return self.sequences.tokens_an_update

    def updates(self) -> Iterator[float]:
        """Train the rest of the present epoch; yields each update's loss in nats per token.

        Raises `TrainingError` when the loss is not a number or three times the first one. The weights are then useless,
        so nothing must be saved after it.
        """
        settings, progress = self.settings, self.progress
        if progress.chunk == 0:
            self.states = self._zero_state(self.batch)
        for batch in self.sequences.read(progress.epoch, start=progress.chunk):
            if settings.updates and progress.update >= settings.updates:
                return
            started = time.perf_counter()
            inputs, targets, keep, weights = self.replicas.share_all(
                [batch.inputs, batch.targets, batch.keep, batch.weights]
            )
            rate, update = tf.constant(self.learning_rate, tf.float32), tf.constant(progress.update)
            loss_value, after = self._step(inputs, targets, self.states, rate, update, keep, weights)
            if self.sequences.is_carried:
                self.states = after
            loss = float(loss_value)
            if progress.first_loss is None and math.isfinite(loss):
                progress.first_loss = max(loss, math.log(len(self.corpus.vocabulary)))  # no less than that of chance
            if not math.isfinite(loss) or loss > EXPLODED * (progress.first_loss or math.inf):
                raise self._useless("the loss", loss)
            progress.update += 1
            progress.chunk += 1
            progress.epoch_loss += loss
            progress.seconds += time.perf_counter() - started
            yield loss

    def _useless(self, what: str, loss: float) -> TrainingError:
        return TrainingError(
            f"{what} became {loss:.3g} at update {self.progress.update}: lower --rate (now {self.settings.rate:g}) or "
            f"--clip (now {self.settings.clip:g}), and start again, or go on with them from the last good checkpoint, "
            "which is kept, by --resume"
        )

    def end_epoch(self, *, is_over: bool = True, must_stop: MustStop = never) -> dict[str, float]:
        """Score the held-out text, add the epoch to the history and move on to the next one.

        An epoch that is not over is scored at this point and can be continued; the better of its scores counts. Raises
        `TrainingError` when that loss is not a number, `Stopped` as `held_out_nats` does.
        """
        progress, held_out = self.progress, self.held_out_nats(must_stop)
        if not math.isfinite(held_out):
            raise self._useless("the held-out loss", held_out)
        row = {
            "epoch": progress.epoch,
            "training_nats": progress.epoch_loss / max(1, progress.chunk),
            "held_out_nats": held_out,
            "training_rate": self.corpus.training_rate,  # tokens a character
            "held_out_rate": self.corpus.held_out_rate,
            "rate": self.learning_rate,
            "seconds": round(progress.seconds, 1),
        }
        earlier = progress.history[progress.epoch :]  # of the same epoch
        progress.history[progress.epoch :] = [min([*earlier, row], key=lambda one: one["held_out_nats"])]
        if is_over:
            progress.epoch, progress.chunk, progress.epoch_loss = progress.epoch + 1, 0, 0.0
        return row

    def held_out_nats(self, must_stop: MustStop = never) -> float:
        """Nats per token over the whole held-out text; the training loss where nothing is held out.

        With averaged weights, the averages are scored. Raises `Stopped` as `Scorer.nats` does.
        """
        if len(self.corpus.held_out) < 2:
            return self.progress.epoch_loss / max(1, self.progress.chunk)
        with self.average.in_place():
            return self.scorer.nats(self.corpus.held_out, must_stop)

    def weights(self) -> list[NDArray[Any]]:
        """The weights to save: the averages, if weights are averaged."""
        with self.average.in_place():
            self.network.finish()
            weights: list[NDArray[Any]] = self.model.get_weights()
        return weights

    def save_model(self, path: Path, weights: list[NDArray[Any]]) -> None:
        """Write the `.keras` file with these weights."""
        trained, bits = self.model.get_weights(), self.settings.fraction_bits
        self.model.set_weights([packing.rounded(weight, bits) for weight in weights])
        try:
            self.model.save(path)
        finally:
            self.model.set_weights(trained)
        if bits < packing.FRACTION:
            packing.pack(path)

    def begin_from(self, pretrained: Pretrained) -> None:
        """Take the weights of a pretrained model, with each token's rows at its id in this run's vocabulary."""
        self.model.set_weights(pretrained.weights(self.corpus.vocabulary, self.settings.seed))
        self.average.begin()
        self.origin = pretrained.origin

    def run_state(self, data: tuple[str, ...]) -> RunState:
        """Everything that `restore` needs, as arrays. Raises `TrainingError` if a weight is not a number."""
        weights = [np.asarray(variable) for variable in self.network.variables]
        if not all(np.isfinite(weight).all() for weight in weights):
            raise self._useless("a weight", math.nan)
        arrays = {
            "weights": weights,
            "optimizer": [np.asarray(variable) for variable in self._optimizer.variables],
            "states": self.replicas.gather(self.states),
            "average": [np.asarray(variable) for variable in self.average.variables],
        }
        return RunState(
            self.settings, data, self.corpus.digest, self.progress, arrays, self.origin, self.teachers.origins
        )

    def restore(self, saved: RunState) -> None:
        """Continue from a checkpoint. Raises `TrainingError` if it belongs to another text, network or teachers."""
        if list(saved.teachers.values()) != list(self.teachers.origins.values()):
            raise TrainingError("the teachers have changed since this run began: give the same --teachers to --resume")
        if saved.digest != self.corpus.digest:
            raise TrainingError("the text has changed since this run began: give the same --data to --resume")
        if any(len(state) != self.batch for state in saved.arrays["states"]):
            raise TrainingError("this run had another number of lanes: go on with as many devices as it began with")
        self.progress, self.origin = saved.progress, saved.origin
        self.states = self.replicas.share_all(saved.arrays["states"], 0)
        groups = (
            ("weights", self.network.variables), ("optimizer", self._optimizer.variables),
            ("average", self.average.variables),
        )  # fmt: skip
        for group, variables in groups:
            values = saved.arrays[group]
            if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
                raise TrainingError(
                    "the checkpoint is of another network than this run makes: start again without --resume"
                )
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _update(
        self, inputs: Any, targets: Any, states: Any, rate: Any, update: Any, keep: Any, weights: Any
    ) -> tuple[Any, Any]:
        def gradients_of(rank: Rank, *arguments: Any) -> tuple[Any, list[Any], Any]:
            masks = Masks.draw(self.settings, self.batch, update, len(self.corpus.vocabulary)).of(rank)
            return self._gradients(masks, *arguments)

        loss, gradients, after = self.replicas.mean(gradients_of, inputs, targets, states, keep, weights)
        if math.isfinite(self.settings.clip):  # else the clipped ones would be no numbers
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip)
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply(gradients)
        self.average.add(update)
        return loss, after

    def _gradients(
        self, masks: Masks, inputs: Any, targets: Any, states: Any, keep: Any, weights: Any
    ) -> tuple[Any, list[Any], Any]:
        """The loss of some lanes, weighted as in the whole batch, its gradients, and the states after."""
        own = self.network.state_count  # states of the student; those of its teachers follow
        taught, teachers_after = self.teachers.targets(inputs, targets, states[own:], keep)
        with tf.GradientTape() as tape:
            dropped, whole, after = self.network.hidden(inputs, list(states[:own]), masks, keep)
            losses = self.network.losses(dropped, targets if taught is None else taught)
            if weights is None:
                loss = tf.reduce_mean(losses)
            else:
                loss = tf.reduce_sum(losses * weights) / self.replicas.average(tf.reduce_sum(weights))
            total = loss + activation_penalty(self.settings, dropped, whole)
        gradients = tape.gradient(total, [variable.value for variable in self.network.variables])
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients], [*after, *teachers_after]
