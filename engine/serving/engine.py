"""A loaded model, as programs use it: begins conversations and scores texts, which a `Worker` runs. Knows no file."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import math
import sys
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Checkpoint, Request
from engine.conversation.conversation import Conversation
from engine.conversation.reply import Reply
from engine.conversation.walk import Choices, Place, Token, allowed, texts
from engine.errors import EngineError
from engine.memory.counts import Index
from engine.memory.memory import Memory, mix
from engine.memory.weights import classes_of
from engine.model.step import StepFunction
from engine.sampling import Sampler, Sampling, only
from engine.serving.rows import Logits, ReplyRow, ScoringRow
from engine.serving.worker import Worker
from engine.text.vocabulary import Vocabulary

MAX_WAITING = 4096
TELL_SECONDS = 0.1  # between two calls of `tell` while a long text is read


@dataclass(frozen=True, slots=True)
class Info:
    """What an engine runs. `state_bytes` is the size of one conversation's state."""

    name: str
    level: str
    cell: str
    units: int
    layers: int
    vocabulary_size: int
    parameters: int
    state_bytes: int
    backend: str
    precision: str


@dataclass(frozen=True, slots=True)
class Activity:
    """What an engine does at a moment: running and waiting replies, and the tokens written since it was loaded."""

    running: int
    waiting: int
    tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """How surprising a text is. The first token, which nothing precedes, counts as one of V equally likely ones.

    `tokens` are the ids `[N]` with their `surprisal_bits` `[N]`; `perplexity` is per token.
    """

    nats: float
    bits: float
    characters: int
    bits_per_character: float
    perplexity: float
    tokens: NDArray[np.int32]
    surprisal_bits: NDArray[np.float64]
    alone: Score | None = None
    """Where a memory was used: the same by the network alone."""


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _score(ids: NDArray[np.int32], characters: int, first: float, others: NDArray[np.float64] | list[float]) -> Score:
    """The figures of ids `[N]`, of which the first took so many nats, and the others `[N - 1]`."""
    nats = np.concatenate([[first], others])
    total = float(nats.sum())
    bits = total / math.log(2)
    return Score(total, bits, characters, bits / characters, _exp(total / len(ids)), ids, nats / math.log(2))


class Engine:
    """A loaded model and the thread that runs it. Close it, or use it as a context manager."""

    def __init__(
        self,
        name: str,
        step_function: StepFunction,
        vocabulary: Vocabulary,
        backend: str,
        max_batch: int,
        precision: str = "float32",
        read_counts: Callable[[], Index | None] = lambda: None,
    ) -> None:
        self.vocabulary, self._read_counts = vocabulary, read_counts
        shape = step_function.shape
        self.info = Info(
            name, vocabulary.level, shape.cell, shape.units, shape.layers, len(vocabulary), shape.parameters,
            4 * step_function.state_size, backend, precision,
        )  # fmt: skip
        self.max_waiting = MAX_WAITING
        self._step_function = step_function
        self._worker = Worker(name, step_function, vocabulary.never_written, max_batch)
        atexit.register(self.close)

    def conversation(self, *, sampling: Sampling | None = None, owner: Hashable = None) -> Conversation:
        """A new conversation, with the settings that its replies have by default.

        Where more replies are asked for than fit the batch, owners take turns; without one, each conversation
        is its own.
        """
        return Conversation(self, sampling, owner)

    def score(
        self, text: str, tell: Callable[[float], None] | None = None, *, memory: str = "off",
        remembered: Sequence[str] = (),
    ) -> Score:  # fmt: skip
        """How surprising `text` is from a state of zeros. Raises `ValueError` if no character of it is known.

        With `memory="all"` the text's own words help to predict the rest of it, and so do those of `remembered` texts;
        `Score.alone` then is what the network says alone. `tell` gets the share that was read, several times a second;
        an exception from it ends the scoring.
        """
        if not isinstance(text, str):
            raise ValueError(f"text {text!r}: must be a str")
        if memory not in ("off", "all"):
            raise ValueError(f"memory {memory!r}: must be off or all")
        encoding = self.vocabulary.encode(text)
        if not len(encoding.ids):
            raise ValueError(f"text {text[:20]!r}: has nothing that the model knows")
        known = None
        if memory != "off":
            texts = [(self.vocabulary.encode(one).ids, None) for one in remembered]
            known = self.memory(Index.of(len(self.vocabulary), texts))
        return self.score_tokens(encoding.ids, encoding.characters, tell, memory=known)

    def score_tokens(
        self, ids: NDArray[np.int32], characters: int, tell: Callable[[float], None] | None = None, *,
        memory: Memory | None = None, counts: str = "all",
    ) -> Score:  # fmt: skip
        """How surprising the tokens `ids` `[N]` are, which stand for so many characters; as `score` does it.

        A `memory` counts them, or with `counts="none"` it does not.
        """
        if memory is not None:
            memory.add(int(ids[0]), is_counted=counts != "none")
        row = self._read(ids, self.zero_state(), tell, memory, counts=counts)
        first = math.log(len(self.vocabulary))
        alone = _score(ids, characters, first, row.nats)
        return alone if memory is None else replace(_score(ids, characters, first, row.mixed_nats), alone=alone)

    def activity(self) -> Activity:
        """What the engine does now."""
        worker = self._worker
        return Activity(worker.running, worker.waiting, worker.written)

    @property
    def is_running(self) -> bool:
        """Whether it takes requests: it was not closed, and its thread has not failed."""
        return not self._worker.is_closed and self._worker.failure is None

    def close(self) -> None:
        """End running replies with what they have ("cancelled") and stop the thread. May be called twice."""
        self._worker.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What a conversation asks of its runner

    @property
    def name(self) -> str:
        """The model's name."""
        return self.info.name

    @property
    def precision(self) -> str:
        """The precision of the weights in use: another one writes other texts."""
        return self.info.precision

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of weights and vocabulary, for the states of one model mean nothing to another."""
        digest = hashlib.sha256(json.dumps(self.vocabulary.to_json()).encode())
        digest.update(self._step_function.fingerprint)
        return digest.hexdigest()

    @functools.cached_property
    def token_classes(self) -> tuple[int, ...]:
        """Each token's class, for a memory's weights."""
        return classes_of(self.vocabulary.tokens)

    @functools.cached_property
    def training_counts(self) -> Index | None:
        """Those of the text that the model was trained on, if it has brought them. Raises `ModelLoadError`."""
        return self._read_counts()

    def memory(self, remembered: Index | None = None) -> Memory:
        """A memory that knows nothing of a story yet, only the training text and these texts.

        Raises `ModelLoadError` where the training text's counts are damaged.
        """
        return Memory(self.token_classes, remembered, training=self.training_counts)

    def zero_state(self) -> NDArray[np.float32]:
        """The state `[S]` before anything was fed."""
        return np.zeros(self._step_function.state_size, np.float32)

    def run(self, request: Request) -> Reply:
        """Queue a reply. Raises `EngineBusy` if `max_waiting` replies wait already, `EngineClosed`, and `EngineError`
        for a damaged state."""
        _check(self._step_function, request.start, request.begun)
        self._worker.check_room(self.max_waiting)
        reply = Reply(request.unseen, self._worker.wake)
        self._worker.submit(ReplyRow(request, self.vocabulary, reply))
        return reply

    def likeliest(
        self, checkpoint: Checkpoint, n: int, sampling: Sampling | None = None, recent: tuple[int, ...] = (),
        memory: Memory | None = None, said: int = 0,
    ) -> list[tuple[str, float]]:  # fmt: skip
        """The `n` likeliest tokens after a checkpoint with their probabilities, likeliest first.

        With `sampling`, the probabilities are those that a token is drawn with after the `recent` ones. `memory` is the
        story's, up to the first of the pending tokens, of whose settled ones the last `said` were typed.
        """
        _check(self._step_function, checkpoint)
        counts = "all" if sampling is not None and sampling.memory == "all" else "mine"
        if memory is not None and not len(memory):
            memory.add(checkpoint.settled[0], is_counted=True)
        settled = np.array(checkpoint.settled, np.int32)
        last = range(len(settled) - said, len(settled))
        row = self._read(settled, checkpoint.state, memory=memory, said=last, counts=counts)
        logits = row.logits
        if memory is not None:
            logits = mix(logits[None], [memory]).logits[0].astype(np.float32)
        if checkpoint.reopened:
            logits = only(logits, self.vocabulary.continuing(checkpoint.open))
        if sampling is None:
            weights = np.exp(logits.astype(np.float64) - logits.max())
            weights[list(self.vocabulary.unwritten)] = 0  # they stand for no text
            shares = weights / weights.sum()
        else:
            shares = Sampler([sampling], self.vocabulary.never_written).probabilities(logits[None], [recent])[0]
        order = np.argsort(-shares, kind="stable")[:n]
        before, show = checkpoint.settled[-1], self.vocabulary.shown
        never = {*self.vocabulary.unwritten}
        shown = (int(i) for i in order if i not in never and (shares[i] > 0 or not (sampling or checkpoint.reopened)))
        return [(show(i, before), float(shares[i])) for i in shown]

    def places(
        self, before: Checkpoint, tokens: tuple[int, ...], n: int, memory: Memory | None, said: range, counts: str
    ) -> tuple[Place, ...]:
        """The tokens of a turn after the checkpoint `before`, each with its surprisal and the `n` likeliest others.

        `memory` is the story's, up to the first of the pending tokens. Of these and the turn's together, those with the
        indices `said` were typed. It `counts` these ("mine"), or "all".
        """
        if not tokens:
            return ()
        _check(self._step_function, before)
        given, may = before.settled, allowed(self.vocabulary, before, tokens)
        ids = np.array((*given, *tokens), np.int32)
        found = dict[int, tuple[float, Choices]]()  # by index

        def look(index: int, logits: Logits) -> None:
            if index >= len(given):
                found[index] = _others(
                    self.vocabulary, logits, int(ids[index]), int(ids[index - 1]), may[index - len(given)], n
                )

        if memory is not None and not len(memory):
            memory.add(int(ids[0]), is_counted=True)
        self._read(ids, before.state, memory=memory, said=said, counts=counts, look=look)
        shown, pieces = self.vocabulary.shown, texts(self.vocabulary, before, tokens)
        made = []
        for index, (token, piece) in enumerate(zip(tokens, pieces, strict=True), len(given)):
            bits, others = found.get(index, (None, ()))
            made.append(Place(Token(shown(token, int(ids[index - 1]) if index else None), token), piece, bits, others))
        return tuple(made)

    def _read(
        self, ids: NDArray[np.int32], state: NDArray[np.float32], tell: Callable[[float], None] | None = None,
        memory: Memory | None = None, said: range | None = None, counts: str = "all",
        look: Callable[[int, Logits], None] | None = None,
    ) -> ScoringRow:  # fmt: skip
        """Feed ids in a row of the batch and wait for its end."""
        done, errors = threading.Event(), list[Exception]()

        def finished(error: Exception | None) -> None:
            if error is not None:
                errors.append(error)
            done.set()

        row = ScoringRow(ids, state, finished, memory, said, counts, look)
        self._worker.submit(row)
        try:
            while not done.wait(None if tell is None else TELL_SECONDS):
                if tell is not None:
                    tell(row.share)
        except BaseException:
            row.is_cancelled = True
            self._worker.wake()
            raise
        if errors:
            raise errors[0]
        return row


def _check(step_function: StepFunction, start: Checkpoint, begun: tuple[int, ...] = ()) -> None:
    """Raise `EngineError` for what the network cannot take: in the batch it would end everybody's replies."""
    tokens = (*start.pending, *begun) or (0,)
    fits = min(tokens) >= 0 and max(tokens) < step_function.vocabulary_size
    fits = fits and 0 <= start.reopened < max(1, len(start.pending))
    if start.state.shape != (step_function.state_size,) or not fits:
        raise EngineError("the state of this turn is damaged: go to another turn, or begin another conversation")


def _others(
    vocabulary: Vocabulary, logits: Logits, token: int, before: int, may: list[int] | None, n: int
) -> tuple[float, Choices]:
    """A token's surprisal in bits, and the `n` likeliest others, of those that `may` stand there.

    `logits [V]` are those after the token `before`.
    """
    if may is not None:
        logits = only(logits, may)
    shares = np.exp(logits - logits.max(), dtype=np.float64)
    shares[list(vocabulary.unwritten)] = 0  # they stand for no text
    shares /= shares.sum()
    bits = -math.log2(max(float(shares[token]), sys.float_info.min))
    shares[[token, *vocabulary.never_written]] = 0
    most = np.argpartition(-shares, min(n, len(shares)) - 1)[:n]
    order = most[np.lexsort((most, -shares[most]))].tolist()
    return bits, tuple((Token(vocabulary.shown(one, before), one), float(shares[one])) for one in order if shares[one])
