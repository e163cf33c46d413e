"""A conversation: says things, undoes them, forks. Knows no file and no network: a `Runner` runs its requests.

A conversation belongs to one thread at a time. Only `settle` turns a reply into a turn of the tree, and waits for its
end; whatever asks for turns, text or the present turn settles first.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.conversation.checkpoint import Checkpoint, Request
from engine.conversation.moves import Moves
from engine.conversation.prompt import Prompt, read_prompt
from engine.conversation.recall import Recall, typed
from engine.conversation.reply import Reply
from engine.conversation.tree import Snapshot, StoredTurn, Tree, Turn, recent_tokens
from engine.conversation.walk import Place, Token, branch
from engine.errors import EngineError
from engine.memory.counts import Index
from engine.memory.memory import Memory
from engine.sampling import Sampling, derive_key
from engine.text.vocabulary import Vocabulary

EXPORT_VERSION = 1
_BRANCH = 0x6272  # any number: it keeps a branch's random numbers apart from those of a retry
MAX_REMEMBERED = 5_000_000  # characters of a text that is remembered; counting them takes some 100 bytes each


@dataclass(frozen=True, slots=True)
class Writing:
    """A reply that is being written after the turn `parent`, or after a new prompt of these `tokens` and this `text`.

    The conversation goes on from it, unless it is one of several alternatives.
    """

    reply: Reply
    parent: int
    sampling: Sampling
    text: str = ""
    tokens: tuple[int, ...] = ()
    is_alternative: bool = False


class Runner(Protocol):
    """What runs requests: the engine."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def vocabulary(self) -> Vocabulary: ...

    def memory(self, remembered: Index | None = None) -> Memory: ...
    def zero_state(self) -> NDArray[np.float32]: ...
    def run(self, request: Request) -> Reply: ...
    def likeliest(
        self, checkpoint: Checkpoint, n: int, sampling: Sampling | None = None, recent: tuple[int, ...] = (),
        memory: Memory | None = None, said: int = 0,
    ) -> list[tuple[str, float]]: ...  # fmt: skip
    def places(
        self, before: Checkpoint, tokens: tuple[int, ...], n: int, memory: Memory | None, said: range, counts: str
    ) -> tuple[Place, ...]: ...


class Conversation(Moves):
    """A tree of turns. The next turn follows the present one."""

    def __init__(self, runner: Runner, sampling: Sampling | None = None, owner: Hashable = None) -> None:
        _check_sampling(sampling)
        self.sampling = sampling or Sampling()
        self.runner = runner
        self.saved_version: object = None
        """Which version of it a store has, so that the next save writes only what is new; None if it has none."""
        self._owner = object() if owner is None else owner
        seed = secrets.randbits(63) if self.sampling.seed is None else self.sampling.seed
        start = Checkpoint(runner.zero_state(), (), seed, derive_key(seed), 0)
        self._tree = Tree({0: Turn(0, "start", "", (), None, start)}, 0, {})
        self._writing: list[Writing] = []  # whose turns are not in the tree yet
        self._recall = Recall(runner.memory, len(runner.vocabulary))

    def say(self, text: str = "", *, length: int | None = None, sampling: Sampling | None = None) -> Reply:
        """Feed `text`, if any, and write a reply. Settings hold for this reply; another seed restarts its numbers.

        An empty conversation without a text begins with the vocabulary's start token, a line end.
        Raises `ValueError` for a bad argument, `EngineBusy` and `EngineClosed`; then nothing has changed.
        """
        if not isinstance(text, str):
            raise ValueError(f"text {text!r}: must be a str")
        _check_sampling(sampling)
        here = self.settle()
        settings = sampling or self.sampling
        if length is not None:
            settings = replace(settings, length=length)
        start = here.checkpoint
        if sampling is not None and sampling.seed not in (None, start.seed):
            start = _reseeded(start, sampling.seed)
        return self._write(here, read_prompt(self.runner.vocabulary, start, text), settings)

    def retry(self, sampling: Sampling | None = None) -> Reply:
        """Write another reply beside the present one, from the same checkpoint.

        Draws fresh numbers, derived from the seed, the turn and the attempt, or those of `sampling.seed`.
        Raises `ValueError` if there is no turn yet.
        """
        _check_sampling(sampling)
        here = self.settle()
        if here.kind == "start":
            raise ValueError("there is nothing to retry yet")
        before = self._tree.turns[here.parent or 0] if here.kind == "reply" else here
        start = before.checkpoint
        if sampling is not None and sampling.seed is not None:
            start = _reseeded(start, sampling.seed)
        else:
            start = _attempt(start, before.id, self._tree.replies_after(before))
        settings = sampling or here.sampling or self.sampling
        return self._write(before, Prompt(start), settings)

    def alternatives(self, n: int, sampling: Sampling | None = None) -> list[Reply]:
        """Write `n` replies side by side after the present turn, in one batch. The conversation stays where it is.

        They become turns beside each other, in order, and draw what `say` and then `n - 1` times `retry` would.
        Raises `ValueError` if there is no turn yet or `n` is below 1, `EngineBusy` and `EngineClosed`; then nothing has
        changed.
        """
        _check_sampling(sampling)
        _check_count(n)
        here = self.settle()
        if not here.checkpoint.pending:
            raise ValueError("there is nothing to go on from yet")
        settings, attempts = sampling or self.sampling, self._tree.replies_after(here)
        start = replace(here.checkpoint, source=here.checkpoint.state)
        if sampling is not None and sampling.seed not in (None, start.seed):
            start = _reseeded(start, sampling.seed)
        recent = recent_tokens(self._tree.turns, here, settings)
        replies: list[Reply] = []
        path = self._tree.path(here)
        memory, said = self._recall.at(path, settings.memory), typed(path)
        try:
            for attempt in range(attempts, attempts + n):
                begin = _attempt(start, here.id, attempt)
                own = None if memory is None else memory.copy()
                replies.append(self.runner.run(Request(begin, recent, settings, {}, self._owner, own, said)))
        except EngineError:
            for reply in replies:
                reply.stop()
            raise
        self._writing = [Writing(reply, here.id, settings, is_alternative=True) for reply in replies]
        return replies

    def remember(self, text: str, tell: Callable[[float], None] | None = None) -> dict[str, str]:
        """Add a text to the story's memory, as a turn of kind `"memory"`; the network does not read it.

        Returns characters or words that the model never saw, each with its substitute. `tell` gets the share that was
        counted; an exception from it ends that. Raises `ValueError` for a text that is too long or has nothing that the
        model knows; then nothing has changed.
        """
        if not isinstance(text, str):
            raise ValueError(f"text {text!r}: must be a str")
        if len(text) > MAX_REMEMBERED:
            raise ValueError(
                f"text of {len(text):,} characters: at most {MAX_REMEMBERED:,} are remembered at once; give a part, or "
                "train a model on it"
            )
        here, encoding = self.settle(), self.runner.vocabulary.encode(text)
        if not len(encoding.ids) or encoding.unseen > len(encoding.ids) // 2:
            raise ValueError(f"text {text[:20]!r}: the model knows hardly anything of it")
        tokens = tuple(encoding.ids.tolist())
        self._recall.read(self._tree.next_id, tokens, tell)
        self._tree.add("memory", encoding.text, tokens, here.id, here.checkpoint)
        return dict(encoding.replaced)

    def fork(self, turn_id: int | None = None) -> Conversation:
        """Another conversation: a copy of the present branch, or of the branch to a turn. Neither changes the other."""
        branch = Conversation(self.runner, self.sampling, self._owner)
        here = self.settle()
        branch._tree = self._tree.branch(here if turn_id is None else self._tree.turn(turn_id))
        branch._recall = self._recall.copy()
        return branch

    def snapshot(self) -> Snapshot:
        """The whole conversation as data; waits for a reply that is being written."""
        self.settle()
        return Snapshot(self.sampling, tuple(self._tree.turns.values()), self._tree.present, dict(self._tree.forward))

    def export(self) -> str:
        """The conversation as JSON, from which `engine.replay` writes it again, byte for byte."""
        snapshot = self.snapshot()
        weights = {turn.id: turn.checkpoint.weights for turn in snapshot.turns}

        def further(turn: Turn) -> dict[str, Any]:
            """What few turns have: new weights of the memory, tokens left unfed, the first ones of a branch."""
            found: dict[str, Any] = {}
            if turn.kind == "prompt" and weights[turn.id] != weights[turn.parent or 0]:
                found["weights"] = base64.b64encode(weights[turn.id]).decode()
            if turn.kind == "prompt" and (unfed := len(turn.checkpoint.settled) - 1) > 0:
                found["unfed"] = unfed
            if turn.begun:
                found["begun"] = turn.tokens[: turn.begun]
            return found

        return json.dumps(
            {
                "version": EXPORT_VERSION,
                "model": self.runner.name,
                "fingerprint": self.runner.fingerprint,
                "precision": self.runner.precision,
                "seed": snapshot.turns[0].checkpoint.seed,
                "sampling": asdict(snapshot.sampling),
                "present": snapshot.present,
                "turns": [
                    {
                        "id": turn.id,
                        "parent": turn.parent,
                        "kind": turn.kind,
                        "text": turn.text,
                        "sampling": turn.sampling and asdict(turn.sampling),
                        "seed": turn.checkpoint.seed,
                        "key": turn.checkpoint.key,
                        "place": turn.checkpoint.offset - turn.drawn,
                        "drawn": turn.drawn,
                        "reopened": turn.checkpoint.reopened,
                        "finish_reason": turn.finish_reason,
                        **further(turn),
                    }
                    for turn in snapshot.turns[1:]
                ],
            },
            ensure_ascii=False,
            indent=1,
        )

    @classmethod
    def restored(cls, runner: Runner, snapshot: Snapshot, owner: Hashable = None) -> Conversation:
        """The conversation that a snapshot was taken of."""
        conversation = cls(runner, snapshot.sampling, owner)
        conversation._tree = Tree({turn.id: turn for turn in snapshot.turns}, snapshot.present, snapshot.forward)
        return conversation

    def offload(self, stored: Callable[[Turn], StoredTurn], after: int) -> None:
        """Keep the present turn's state alone in memory, as `Tree.offload` does."""
        self.settle()
        self._tree.offload(stored, after)

    def settle(self) -> Turn:
        """Wait for what is being written and put its turns into the tree. Returns the present turn.

        Raises what ended a reply if that was an error (`EngineError`); the conversation is still where it was then.
        """
        while self._writing:
            writing = self._writing[0]
            try:
                result = writing.reply.result()  # Ctrl-C here must not lose the reply, so it stays in the list
            except EngineError:
                del self._writing[0]
                self._recall.forget()
                raise
            del self._writing[0]
            parent, here = writing.parent, self._tree.present
            if writing.tokens or writing.text:
                parent = self._tree.add("prompt", writing.text, writing.tokens, parent, result.prompt_end)
            if result.drawn:
                self._tree.add(
                    "reply", result.text, result.tokens, parent, result.end, writing.sampling, result.finish_reason,
                    result.drawn, result.begun,
                )  # fmt: skip
            if writing.is_alternative:
                self._tree.present = here
        return self._tree.here

    def walk(self, turn_id: int, n: int = 10) -> tuple[Place, ...]:
        """A turn token by token: each with its surprisal and the `n` likeliest others there.

        They are the network's, with the story's memory where the turn's settings have it (of a prompt: the
        conversation's). It is read once more from its start. Raises `ValueError` if there is no such turn, or it is one
        that is remembered.
        """
        _check_count(n)
        turn, before = self._turn_read(turn_id)
        return self._places(turn, before, turn.tokens, n)

    def choices(self, turn_id: int, place: int, n: int = 10) -> list[tuple[Token, float]]:
        """The `n` likeliest tokens at a place inside a turn with their probabilities, likeliest first.

        `place` is a token's index in `Turn.tokens`; otherwise as `walk`. Raises `ValueError` for a place that is not
        there, or that nothing comes before.
        """
        _check_count(n)
        turn, before = self._turn_read(turn_id, place)
        here = self._places(turn, before, turn.tokens[: place + 1], n)[-1]
        own = (here.token, 2.0 ** -(here.surprisal_bits or 0.0))
        return sorted([*here.others, own], key=lambda choice: -choice[1])[:n]

    def branch(
        self, turn_id: int, place: int, token: str | int, *, length: int | None = None,
        sampling: Sampling | None = None,
    ) -> Reply:  # fmt: skip
        """Go on from a place inside a turn with another token: the story up to there, that token, and a reply.

        The reply stands beside the turn, and its text begins with the tokens before the place, and then the token. Of a
        prompt, what comes before the place becomes a prompt of its own, before the reply. Then `length` more tokens are
        drawn, with fresh random numbers as `retry` has them and the turn's settings, unless others are given.
        `token` is one of `choices` or `walk`, an id, or a text: that of the likeliest token that looks so. Raises
        `ValueError` for a place that is not there or a token that cannot stand there.
        """
        _check_sampling(sampling)
        turn, before = self._turn_read(turn_id, place)
        vocabulary, start = self.runner.vocabulary, before.checkpoint
        begin = branch(vocabulary, start, turn, place, self._token_id(turn, before, place, token))
        settings = sampling or turn.sampling or self.sampling
        if length is not None:
            settings = replace(settings, length=length)
        if sampling is not None and sampling.seed is not None:
            start = _reseeded(start, sampling.seed)
        else:
            key = derive_key(start.seed, before.id, self._tree.children(before), _BRANCH)
            start = replace(start, key=key, offset=0)
        if begin.prompt:
            start = replace(start, pending=start.settled + begin.prompt, reopened=0)
        return self._write(before, Prompt(start, begin.text, begin.prompt), settings, begin.begun)

    def next_tokens(self, n: int = 10, sampling: Sampling | None = None) -> list[tuple[str, float]]:
        """The `n` likeliest next tokens with their probabilities, likeliest first.

        They are the network's own, or with `sampling` those that a token is drawn from, the story's memory included.
        """
        _check_sampling(sampling)
        _check_count(n)
        here = self.settle()
        checkpoint = here.checkpoint
        if not checkpoint.pending:
            checkpoint = replace(checkpoint, pending=(self.runner.vocabulary.start_id,))
        recent = recent_tokens(self._tree.turns, here, sampling or self.sampling)
        path = self._tree.path(here)
        memory = None if sampling is None else self._recall.at(path, sampling.memory)
        return self.runner.likeliest(checkpoint, n, sampling, recent, memory, typed(path))

    def _turn_read(self, turn_id: int, place: int | None = None) -> tuple[Turn, Turn]:
        """A turn that the network has read, and the one before it. Raises `ValueError`, also for a wrong place."""
        self.settle()
        turn = self._tree.turn(turn_id)
        if turn.parent is None or turn.kind == "memory":
            raise ValueError(f"turn_id {turn_id}: must be a prompt or a reply")
        before, size = self._tree.turns[turn.parent], len(turn.tokens)
        if place is not None:
            if not isinstance(place, int) or not 0 <= place < size:
                raise ValueError(f"place {place!r}: must be from 0 to {size - 1} in turn {turn_id}")
            if not place and not before.checkpoint.pending:
                raise ValueError("place 0: nothing comes before a story's first token, so nothing is likelier there")
        return turn, before

    def _places(self, turn: Turn, before: Turn, tokens: tuple[int, ...], n: int) -> tuple[Place, ...]:
        mode, path = (turn.sampling or self.sampling).memory, self._tree.path(before)
        memory, counts = self._recall.at(path, mode), "all" if mode == "all" else "mine"
        given = len(before.checkpoint.settled)
        said = range(given - typed(path), given + (len(tokens) if turn.kind == "prompt" else 0))
        try:
            return self.runner.places(before.checkpoint, tokens, n, memory, said, counts)
        except BaseException:  # nobody knows how far it came
            self._recall.forget()
            raise

    def _token_id(self, turn: Turn, before: Turn, place: int, token: str | int) -> int:
        if isinstance(token, Token):
            return token.id
        size = len(self.runner.vocabulary)
        if isinstance(token, str):
            here = self._places(turn, before, turn.tokens[: place + 1], size)[-1]
            found = next((one for one, _ in (*here.others, (here.token, 0.0)) if one == token), None)
            if found is not None:
                return found.id
        elif isinstance(token, int) and 0 <= token < size:
            return token
        raise ValueError(f"token {token!r}: is none of this model's that can stand there")

    def _write(self, before: Turn, prompt: Prompt, sampling: Sampling, begun: tuple[int, ...] = ()) -> Reply:
        start, text, tokens = prompt.start, prompt.text, prompt.tokens
        if sampling.length and not start.pending and not begun:
            vocabulary = self.runner.vocabulary
            tokens = (vocabulary.start_id,)
            start, text = replace(start, pending=tokens), text + vocabulary.decode(tokens)
        start = replace(start, source=start.state)
        recent = recent_tokens(self._tree.turns, before, sampling, tokens, start.reopened)
        path = self._tree.path(before)
        memory, said = self._recall.at(path, sampling.memory), typed(path) + len(tokens) - start.reopened
        reply = self.runner.run(Request(start, recent, sampling, prompt.unseen, self._owner, memory, said, begun))
        self._writing.append(Writing(reply, before.id, sampling, text, tokens))
        return reply


def _check_count(n: object) -> None:
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n {n!r}: must be a whole number, at least 1")


def _check_sampling(sampling: Sampling | None) -> None:
    if not isinstance(sampling, Sampling | None):
        raise ValueError(f"sampling {sampling!r}: must be an engine.Sampling")


def _attempt(start: Checkpoint, turn: int, attempt: int) -> Checkpoint:
    """The checkpoint of an attempt. The first goes on with the turn's random numbers, the others have their own."""
    return replace(start, key=derive_key(start.seed, turn, attempt), offset=0) if attempt else start


def _reseeded(checkpoint: Checkpoint, seed: int | None) -> Checkpoint:
    return replace(checkpoint, seed=seed or 0, key=derive_key(seed or 0), offset=0)
