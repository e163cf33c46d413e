"""Teachers: trained models whose predictions a student learns from, beside the text's own next tokens.

A target is then a distribution: the share `--hard-targets` is the next token itself, the rest is the mean of what the
teachers predict there (Hinton et al. 2015, arXiv 1503.02531; Kim and Rush 2016, arXiv 1606.07947, "word-level";
Furlanello et al. 2018, arXiv 1805.04770, where the only teacher is an earlier network of the same size). Teachers read
along with their own states and are never changed. Nothing of them is in the saved model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from engine.text.vocabulary import Vocabulary
from engine.train.network.build import StatelessNetwork, build_model
from engine.train.network.dropout import NO_MASKS
from engine.train.network.pretrained import Origin, Pretrained
from engine.train.settings import TrainSettings

Tensor = Any


class Teachers:
    """Some models as one: the mean of their distributions. There may be none."""

    def __init__(
        self, models: Sequence[Pretrained], vocabulary: Vocabulary, settings: TrainSettings, *, dtype: str,
        fused: bool, is_gpu: bool,
    ) -> None:  # fmt: skip
        """All of them have the tokens of `vocabulary`, perhaps with other ids."""
        self.origins: dict[str, Origin] = {model.word: model.origin for model in models}
        self._hard = settings.hard_targets
        self._networks = []
        for pretrained in models:
            model = build_model(len(vocabulary), pretrained.shape(settings))
            model.set_weights(pretrained.weights(vocabulary, settings.seed))
            self._networks.append(StatelessNetwork(model, dtype=dtype, fused=fused, is_gpu=is_gpu))

    def zero_state(self, batch: int) -> list[Tensor]:
        """The states `[B, H]` of all of them, one after the other."""
        return [state for network in self._networks for state in network.zero_state(batch)]

    def targets(
        self, ids: Tensor, targets: Tensor, states: Sequence[Tensor], keep: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """What a student learns for ids `[T, B]` whose next tokens are `targets [T, B]`, and the states after.

        It is `[T, B, V]`, each row summing to 1; without teachers it is None, for the targets themselves are learned.
        """
        if not self._networks:
            return None, []
        total: Tensor = 0.0
        after, begin = list[Tensor](), 0
        for network in self._networks:
            end = begin + network.state_count
            logits, last = network.forward(ids, list(states[begin:end]), NO_MASKS, keep)
            total += tf.nn.softmax(logits)
            after += last
            begin = end
        soft = total * ((1 - self._hard) / len(self._networks))
        return soft + self._hard * tf.one_hot(targets, soft.shape[-1]), after
