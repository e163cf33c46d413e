"""The settings of a training run: one frozen dataclass, from which the command line is made.

Knows no TensorFlow, so that `--help` and wrong flags answer at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.names import typed
from engine.text.vocabulary import LEVELS
from engine.text.words import SPLITS
from engine.train.quantities import seconds_of, temperatures_of

PRESETS = (
    "small", "best", "tutorial", "novels", "speeches", "lines", "minimal", "ptb-small", "ptb-medium", "ptb-large",
)  # fmt: skip
METAVARS: dict[type, str] = {int: "N", float: "X", str: "TEXT", bool: "yes|no"}
GATES = {"gru": 3, "lstm": 4, "rnn": 1}  # of a cell: so many times its units is its kernels' width
NEEDS = {  # settings that have an effect only with these values of another one
    "vocabulary": ("level", ("word", "bpe")), "split": ("level", ("word",)), "min_count": ("level", ("char", "word")),
    "embedding": ("input", ("embedding",)),
    "momentum": ("optimizer", ("sgd",)), "nesterov": ("optimizer", ("sgd",)),
    "beta_2": ("optimizer", ("adam", "adamw", "rmsprop")), "final_rate": ("schedule", ("cosine",)),
    "decay": ("schedule", ("step", "exponential")), "decay_after": ("schedule", ("step",)),
}  # fmt: skip
TEXTS = ("keep", "field", "sample_prompt")  # settings that are compared with texts, or read as one
MOST_DECAY, DECAY_EPOCHS = 0.3, 6.8  # of AdamW's weights, where --weight-decay is "auto"


def _option(
    default: Any, help: str, *, low: float = -math.inf, high: float = math.inf, choices: tuple[str, ...] = (),
    read: Callable[[str], Any] | None = None, metavar: str | None = None,
) -> Any:  # fmt: skip
    """A field with its help, choices and range, from `low` to `high`.

    `read` makes a value of a flag's text, if the default's type does not.
    """
    further = {"choices": choices, "read": read, "metavar": metavar}
    return field(default=default, metadata={"help": help, "low": low, "high": high, **further})


def _number_or(word: str) -> Callable[[str], float | str]:
    """Reads a number, or a word that stands for one."""

    def read(text: str) -> float | str:
        try:
            return word if text == word else float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r}: must be a number or {word}") from None

    return read


def _read_units(text: str) -> int | tuple[int, ...]:
    """Read "512" or "512,512,1024"."""
    try:
        widths = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number, or one a layer as in 512,512,1024") from None
    return widths if len(widths) > 1 else widths[0]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Everything that decides what a run computes. docs/training.md explains the defaults."""

    preset: str = _option(
        "", f"a recipe to begin with, which any other flag overrides: {', '.join(PRESETS)}; a wrong name tells of each"
    )
    level: str = _option("char", "what a token is", choices=LEVELS)
    vocabulary: int = _option(10_000, "most tokens of --level word or bpe", low=2, high=10_000_000)
    split: str = _option(
        "auto",
        "how --level word splits: words and punctuation, or at spaces; auto: at spaces where the text has <unk>",
        choices=("auto", *SPLITS),
    )
    cell: str = _option("gru", "the recurrent cell", choices=("gru", "lstm", "rnn"))
    input: str = _option("embedding", "what the first layer reads of a token", choices=("embedding", "one-hot"))
    init_scale: float = _option(
        0.0,
        "draw all initial weights evenly from minus this to plus this; 0 for Keras' initializers",
        low=0.0,
        high=10.0,
    )
    tied: bool = _option(
        False, "use the embedding's weights for the output, too; they must be as wide as the last layer"
    )
    normalization: bool = _option(False, "layer normalization after each recurrent layer")
    min_count: int = _option(1, "times a character or word must occur to be in the vocabulary", low=1, high=10**9)
    lower: bool = _option(False, "read everything in lower case")
    ascii: bool = _option(False, "read letters without accents and straight quotes; leave out what has no ASCII")
    keep: str = _option("", 'read only these characters, as in "a-z .,!?\'", and line ends')
    field: str = _option("", "what is read of JSON objects (text, content ...) and of tables (Content ...)")
    names: bool = _option(False, "begin each message of a chat with its author's name")
    bots: bool = _option(False, "also read what bots said in a chat")
    units: int | tuple[int, ...] = _option(
        512, "hidden units of each layer, or of one after the other", low=1, high=65536, read=_read_units,
        metavar="N[,N...]",
    )  # fmt: skip
    layers: int = _option(2, "recurrent layers; as many as --units names, where it names more", low=1, high=64)
    embedding: int = _option(256, "size of the embedding", low=1, high=65536)
    batch: int = _option(64, "lanes read side by side", low=1, high=65536)
    steps: int = _option(128, "tokens between two updates: the reach of the gradient", low=1, high=65536)
    sequences: str = _option(
        "lanes",
        "what is read side by side: lanes with the state carried on, or, each from the zero state, shuffled windows "
        "of --steps tokens, or a line a row",
        choices=("lanes", "windows", "lines"),
    )
    reset: str = _option(
        "never",
        "where the state of --sequences lanes begins anew: at each line, after each blank line, at each file",
        choices=("never", "line", "blank", "file"),
    )
    epochs: int = _option(30, "times to read the whole text", low=1, high=1_000_000)
    rate: float = _option(4e-3, "peak learning rate", low=0.0, high=1000.0)
    warmup: int = _option(100, "updates until the peak rate is reached", low=0, high=1_000_000)
    final_rate: float = _option(0.02, "share of the peak rate that is left at the end of the cosine", low=0.0, high=1.0)
    optimizer: str = _option("adamw", "the optimizer", choices=("adam", "adamw", "rmsprop", "sgd"))
    momentum: float = _option(0.9, "of --optimizer sgd", low=0.0, high=0.9999)
    nesterov: bool = _option(False, "use Nesterov's momentum")
    schedule: str = _option(
        "cosine", "of the learning rate after the warm-up", choices=("cosine", "constant", "step", "exponential")
    )
    decay: float = _option(0.8, "factor of the rate each epoch, for --schedule step or exponential", low=1e-6, high=1.0)
    decay_after: int = _option(4, "epochs before --schedule step begins to decay", low=0, high=1_000_000)
    patience: int = _option(0, "stop after this many epochs without a better score; 0 for never", low=0, high=10**6)
    beta_2: float = _option(0.99, "Adam's beta 2, RMSprop's rho", low=0.0, high=0.999999)
    weight_decay: float | str = _option(
        "auto", f"decoupled weight decay, times the rate; auto: for adamw {MOST_DECAY}, less for long texts, else none",
        low=0.0, high=1.0, read=_number_or("auto"), metavar="X|auto",
    )  # fmt: skip
    clip: float = _option(1.0, "largest norm of the gradient; larger ones are scaled down", low=1e-9)
    dropout: float = _option(
        0.4, "share of units dropped between layers, one mask a lane and update", low=0.0, high=0.95
    )
    dropout_input: float = _option(0.0, "share of inputs dropped before the first layer", low=0.0, high=0.95)
    dropout_output: float | str = _option(
        "same", "share of units dropped before the output; same: as --dropout", low=0.0, high=0.95,
        read=_number_or("same"), metavar="X|same",
    )  # fmt: skip
    dropout_embedding: float = _option(
        0.0, "share of tokens whose whole row of the embedding is dropped, one mask an update", low=0.0, high=0.95
    )
    weight_drop: float = _option(0.3, "share of recurrent weights dropped, one mask an update", low=0.0, high=0.95)
    ar: float = _option(
        0.0,
        "activation regularization: this times the mean square of the last layer's outputs is added to the loss",
        low=0.0,
    )
    tar: float = _option(
        0.0, "temporal activation regularization: as --ar, of the outputs' change from step to step", low=0.0
    )
    average: float = _option(
        0.0, "judge and save a running average of the weights that keeps this share of itself each update; 0 for none",
        low=0.0, high=0.999999,
    )  # fmt: skip
    hard_targets: float = _option(
        0.5, "share of the next token itself in what a student of --teachers learns; the rest is what they predict",
        low=0.0, high=1.0,
    )  # fmt: skip
    fraction_bits: int = _option(
        23, "bits kept of the fraction of each saved weight; 8 cost nothing to speak of and halve the file", low=4,
        high=23,
    )  # fmt: skip
    counts: bool = _option(
        True, "leave what followed what in the training text beside the model, for the story's memory, where that helps"
    )
    held_out: float = _option(0.1, "share of the text, at its end, kept for validation", low=0.0, high=0.9)
    held_out_every: int = _option(0, "keep every n-th file for validation, and no tail; 0 for none", low=0, high=10**6)
    precision: str = _option(
        "auto",
        "of matrix products, on a GPU of whole layers; auto: bfloat16 where this CPU multiplies it, float32 elsewhere",
        choices=("float32", "bfloat16", "auto"),
    )
    device: str = _option("auto", "where to compute; auto: on a GPU if there is one", choices=("auto", "cpu", "gpu"))
    seed: int = _option(1, "of weights, dropout and offsets", low=0, high=2**31 - 1)
    updates: int = _option(0, "end, and end the schedule, after this many updates; 0 for all", low=0, high=10**9)
    time: str = _option("", "choose a network and a schedule that take this time, such as 45s, 30m or 1h30m")
    sample_every: int = _option(1, "epochs between printed samples; 0 for none", low=0)
    sample_prompt: str = _option("\n", "the text that a sample continues")
    sample_temperatures: str = _option("0.5,0.8,1.1", "temperatures of the samples, separated by commas")

    def __post_init__(self) -> None:
        if isinstance(self.units, tuple | list):
            self._normalize_widths(tuple(self.units))
        for name in TEXTS:
            object.__setattr__(self, name, typed(getattr(self, name)))
        for item in dataclasses.fields(self):
            check_range(item, getattr(self, item.name))
        if self.reset != "never" and self.sequences != "lanes":
            raise ValueError(f"--reset {self.reset}: is for --sequences lanes; {self.sequences} begin anew each")
        temperatures_of(self.sample_temperatures)
        seconds_of(self.time)
        if self.tied and self.input == "one-hot":
            raise ValueError("--tied yes: there is no embedding to tie with --input one-hot")
        if self.tied and self.embedding != self.widths[-1]:
            raise ValueError(
                f"--tied yes: needs --embedding {self.widths[-1]}, as wide as the last layer (now {self.embedding})"
            )

    def check_used(self, given: Collection[str]) -> None:
        """Raises `ValueError` for a setting that was given a value and has no effect with the others."""
        for name, (other, values) in NEEDS.items():
            if name in given and getattr(self, other) not in values:
                raise ValueError(
                    f"--{name.replace('_', '-')}: is for --{other} {' or '.join(values)} (now {getattr(self, other)})"
                )

    def _normalize_widths(self, widths: tuple[int, ...]) -> None:
        """Store equal widths as one number, and their count in `layers`."""
        check_layers(
            widths, None if self.layers == TrainSettings.__dataclass_fields__["layers"].default else self.layers
        )
        object.__setattr__(self, "layers", len(widths))
        object.__setattr__(self, "units", widths if len(set(widths)) > 1 else widths[0])

    @classmethod
    def from_arguments(cls, given: Mapping[str, Any]) -> TrainSettings:
        """The settings that a command line gave. Raises `ValueError` if they contradict each other."""
        if isinstance(given.get("units"), tuple):
            check_layers(given["units"], given.get("layers"))
        return cls(**given)

    @property
    def widths(self) -> tuple[int, ...]:
        """The hidden units of each layer."""
        return self.units if isinstance(self.units, tuple) else (self.units,) * self.layers

    @property
    def output_dropout(self) -> float:
        """The share dropped before the output."""
        return self.dropout if isinstance(self.dropout_output, str) else self.dropout_output

    def decay_of_weights(self, updates: int) -> float:
        """Decoupled weight decay of the optimizer, times the rate, where an epoch has so many updates.

        "auto" decays weights by a factor e in no less than 6.8 epochs at the full rate. The same number of epochs suits
        texts of any length (Wang and Aitchison 2024, "How to set AdamW's weight decay as you scale model and dataset
        size").
        """
        if not isinstance(self.weight_decay, str):
            return self.weight_decay
        if self.optimizer != "adamw" or not self.rate:
            return 0.0
        return min(MOST_DECAY, 1 / (self.rate * DECAY_EPOCHS * max(1, updates)))


def check_layers(widths: tuple[int, ...], layers: int | None) -> None:
    """Raise a `ValueError` unless there are as many widths as layers were asked for."""
    if layers not in (None, len(widths)):
        raise ValueError(f"--layers {layers}: --units {as_text(widths)} names {len(widths)} layers; leave --layers out")


def as_text(value: Any) -> str:
    """A setting as it stands on the command line."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def check_range(item: dataclasses.Field[Any], value: Any) -> None:
    """Raise a `ValueError` that names the setting, its value and what is allowed."""
    limits, name = item.metadata, item.name.replace("_", "-")
    if limits["choices"] and value not in limits["choices"]:
        raise ValueError(f"--{name} {value}: must be {' or '.join(limits['choices'])}")
    if limits["read"] and isinstance(value, str) and value != item.default:
        raise ValueError(f"--{name} {value}: must be a number or {item.default}")
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and not limits["low"] <= number <= limits["high"]:
            raise ValueError(f"--{name} {as_text(value)}: must be from {limits['low']:g} to {limits['high']:g}")


def add_arguments(parser: argparse.ArgumentParser, only: Container[str] | None = None) -> None:
    """One flag for each setting, or for `only` some. A flag that is not given is not in the namespace."""
    group = parser.add_argument_group("settings")
    for item in dataclasses.fields(TrainSettings):
        if only is not None and item.name not in only:
            continue
        alone: dict[str, Any] = {"nargs": "?", "const": True} if isinstance(item.default, bool) else {}
        group.add_argument(
            f"--{item.name.replace('_', '-')}",
            dest=item.name,
            type=item.metadata["read"] or (_truth if isinstance(item.default, bool) else type(item.default)),
            **alone,
            default=argparse.SUPPRESS,
            choices=item.metadata["choices"] or None,
            metavar=None if item.metadata["choices"] else item.metadata["metavar"] or METAVARS[type(item.default)],
            help=f"{item.metadata['help']} ({item.default!r})",
        )


def _truth(text: str) -> bool:
    """Read a flag that may stand alone or have a value."""
    if text.lower() in ("true", "yes", "1"):
        return True
    if text.lower() in ("false", "no", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r}: must be yes or no")
