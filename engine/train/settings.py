"""What a training run is made of: one frozen dataclass, from which the command line is made.

Knows no TensorFlow, so that `--help` and wrong flags answer at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from engine.train.quantities import seconds_of, temperatures_of
from engine.vocabulary import LEVELS
from engine.words import SPLITS

METAVARS: dict[type, str] = {int: "N", float: "X", str: "TEXT", bool: "yes|no"}


def _option(
    default: Any, help: str, *, low: float = -math.inf, high: float = math.inf, choices: tuple[str, ...] = ()
) -> Any:
    """A field with what the command line needs; `low` and `high` are the allowed ends."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything that decides what a run computes. The recipe is that of docs/training.md."""

    level: str = _option("char", "what a token is", choices=LEVELS)
    vocabulary: int = _option(10_000, "most tokens of --level word or bpe", low=2, high=10_000_000)
    split: str = _option(
        "auto",
        "how --level word splits: words and punctuation, or at spaces; auto: at spaces where the text has <unk>",
        choices=("auto", *SPLITS),
    )
    cell: str = _option("gru", "the recurrent cell", choices=("gru", "lstm", "rnn"))
    input: str = _option("embedding", "what the first layer reads of a token", choices=("embedding", "one-hot"))
    tied: bool = _option(False, "take the embedding's weights for the output, too; they must have the units' width")
    normalization: bool = _option(False, "layer normalization after each recurrent layer")
    min_count: int = _option(1, "times a character or word must occur to be in the vocabulary", low=1, high=10**9)
    lower: bool = _option(False, "read everything in lower case")
    ascii: bool = _option(False, "read letters without accents and straight quotes; leave out what has no ASCII")
    keep: str = _option("", 'read only these characters, as in "a-z .,!?\'", and line ends')
    field: str = _option("", "what is read of JSON lines (text) and of tables (Content)")
    names: bool = _option(False, "begin each message of a chat with its author's name")
    units: int = _option(512, "hidden units of each layer", low=1, high=65536)
    layers: int = _option(2, "recurrent layers", low=1, high=64)
    embedding: int = _option(256, "size of the embedding", low=1, high=65536)
    batch: int = _option(64, "lanes read side by side", low=1, high=65536)
    steps: int = _option(128, "tokens between two updates: the reach of the gradient", low=1, high=65536)
    epochs: int = _option(30, "times to read the whole text", low=1, high=1_000_000)
    rate: float = _option(4e-3, "learning rate at its highest", low=0.0, high=10.0)
    warmup: int = _option(100, "updates until the rate is reached", low=0, high=1_000_000)
    final_rate: float = _option(0.02, "share of the rate left at the end of the cosine", low=0.0, high=1.0)
    optimizer: str = _option("adamw", "how weights follow gradients", choices=("adam", "adamw", "rmsprop", "sgd"))
    momentum: float = _option(0.9, "of --optimizer sgd", low=0.0, high=0.9999)
    schedule: str = _option(
        "cosine", "of the rate after the warm-up", choices=("cosine", "constant", "step", "exponential")
    )
    decay: float = _option(0.8, "the rate times this each epoch of --schedule step or exponential", low=1e-6, high=1.0)
    decay_after: int = _option(4, "epochs before --schedule step begins to decay", low=0, high=1_000_000)
    patience: int = _option(0, "stop after this many epochs without a better score; 0 for never", low=0, high=10**6)
    beta_2: float = _option(0.99, "Adam's second decay", low=0.0, high=0.999999)
    weight_decay: float = _option(0.01, "decoupled weight decay, times the rate", low=0.0, high=1.0)
    clip: float = _option(1.0, "largest norm of the whole gradient", low=1e-9)
    dropout: float = _option(
        0.4, "share of units dropped between layers, one mask a lane and update", low=0.0, high=0.95
    )
    weight_drop: float = _option(0.3, "share of recurrent weights dropped, one mask an update", low=0.0, high=0.95)
    held_out: float = _option(0.1, "share of the text, at its end, kept for validation", low=0.0, high=0.9)
    held_out_every: int = _option(0, "keep every n-th file for validation, and no tail; 0 for none", low=0, high=10**6)
    precision: str = _option(
        "float32",
        "of matrix products; bfloat16 is faster on CPUs that have it",
        choices=("float32", "bfloat16"),
    )
    seed: int = _option(1, "of weights, dropout and offsets", low=0, high=2**31 - 1)
    updates: int = _option(0, "end after so many updates, and the schedule with them; 0 for all", low=0, high=10**9)
    time: str = _option("", "choose a network and a schedule to be done in this time, such as 45s, 30m or 1h30m")
    sample_every: int = _option(1, "epochs between two printed samples; 0 for none", low=0)
    sample_prompt: str = _option("\n", "what a sample goes on from")
    sample_temperatures: str = _option("0.5,0.8,1.1", "temperatures of the samples, with commas between")

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            check_range(item, getattr(self, item.name))
        temperatures_of(self.sample_temperatures)
        seconds_of(self.time)
        if self.tied and self.input == "one-hot":
            raise ValueError("--tied yes: there is no embedding to tie with --input one-hot")
        if self.tied and self.embedding != self.units:
            raise ValueError(f"--tied yes: needs --embedding {self.units}, as wide as --units (now {self.embedding})")


def check_range(item: dataclasses.Field[Any], value: Any) -> None:
    """Raise a `ValueError` that names the setting, its value and what is allowed."""
    limits, name = item.metadata, item.name.replace("_", "-")
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"--{name} {value}: must be {' or '.join(limits['choices'])}")
    if isinstance(value, int | float) and not limits["low"] <= value <= limits["high"]:
        raise ValueError(f"--{name} {value}: must be from {limits['low']:g} to {limits['high']:g}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting. A flag that was not given leaves no trace in the namespace."""
    group = parser.add_argument_group("settings")
    for item in dataclasses.fields(TrainSettings):
        alone: dict[str, Any] = {"nargs": "?", "const": True} if isinstance(item.default, bool) else {}
        group.add_argument(
            f"--{item.name.replace('_', '-')}",
            dest=item.name,
            type=_truth if isinstance(item.default, bool) else type(item.default),
            **alone,
            default=argparse.SUPPRESS,
            choices=item.metadata["choices"] or None,
            metavar=None if item.metadata["choices"] else METAVARS[type(item.default)],
            help=f"{item.metadata['help']} ({item.default!r})",
        )


def _truth(text: str) -> bool:
    """For flags that may stand alone or have a value."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r}: must be yes or no")
