"""What a training run leaves for people: `settings.json`, `training.csv`, `loss.png` and the card, `README.md`."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from engine.memory import training
from engine.model.directory import SETTINGS, replace_file, write_json, write_text
from engine.names import UNKNOWN, visible
from engine.train import presets
from engine.train.network.pretrained import Origin
from engine.train.quantities import LN2, bits_of, perplexity
from engine.train.reading.spool import Inputs
from engine.train.settings import PRESETS, TrainSettings, as_text

VERSION = 1
CARD, HISTORY, PICTURE = "README.md", "training.csv", "loss.png"
FILES = (SETTINGS, CARD, HISTORY, PICTURE, training.FILE)  # what a run writes beside the model
MOST_SPEAKERS = 20
CELL_NAMES = {"gru": "GRU", "lstm": "LSTM", "rnn": "SimpleRNN"}
LEVEL_NAMES = {"char": "character", "word": "word", "bpe": "byte-pair"}


@dataclass(frozen=True, slots=True)
class Figures:
    """How good the kept model is. Losses in nats a token; None where no text was held out."""

    best_epoch: int
    training_nats: float
    held_out_nats: float | None
    held_out_characters: int
    training_characters: int
    held_out_tokens: int
    training_tokens: int
    parameters: int
    seconds: float
    is_final: bool  # the held-out text was scored whole, in one lane, by the engine that serves the model
    test_nats: float | None = None  # of the text after --test, scored whole
    test_characters: int = 0
    begun_nats: float | None = None  # held-out loss of the model that the run began from
    counts_gain: float | None = None
    """Bits a character that the training text's counts gain at the beginning of the held-out text, if they are kept."""


def write(
    directory: Path, settings: TrainSettings, data: Sequence[str], digest: str, figures: Figures,
    history: Sequence[dict[str, float]], sample: str, origin: Origin | None = None, teachers: Sequence[Origin] = (),
    speakers: Mapping[str, int] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Write or replace the settings and the card. `speakers` are those of a chat with their lines.

    The settings list some of them, the most frequent first. Raises `OSError` if the disk does not take one.
    """
    path = where(directory)
    if origin is not None:
        origin = dataclasses.replace(origin, name=in_one_line(origin.name))
    teachers = [dataclasses.replace(teacher, name=in_one_line(teacher.name)) for teacher in teachers]
    command = command_line(settings, data, path, origin, teachers)
    names = [bare_name(word) for word in data]
    listed = sorted(speakers, key=lambda name: (-speakers[name], name))[:MOST_SPEAKERS]
    write_json(
        directory / SETTINGS,
        {
            "version": VERSION,
            "command": command,
            "data": names,
            "data_sha256": digest,
            "from": dataclasses.asdict(origin) if origin else None,
            "teachers": [dataclasses.asdict(teacher) for teacher in teachers],
            "settings": dataclasses.asdict(settings),
            "figures": dataclasses.asdict(figures),
            **({"speakers": listed} if listed else {}),
        },
    )
    write_text(directory / CARD, _card(path, settings, names, command, figures, sample, origin, teachers))


def write_history(directory: Path, history: Sequence[dict[str, float]]) -> None:
    """The losses of each epoch, as a table and as a picture."""
    write_text(directory / HISTORY, _csv(history))
    write_picture(directory / PICTURE, history)


def where(directory: Path) -> str:
    """A model's directory as others may have it: as it was given, or below `models/`."""
    is_here = not directory.is_absolute() and ".." not in directory.parts
    return in_one_line(directory.as_posix() if is_here else f"models/{directory.name}")


def command_line(
    settings: TrainSettings, data: Sequence[str], path: str, origin: Origin | None = None,
    teachers: Sequence[Origin] = (),
) -> str:  # fmt: skip
    """The command that trains this model again: the data's bare file names, and what the preset or default has not."""
    begun = presets.load(settings.preset) if settings.preset in PRESETS else {}
    words = ["python", "-m", "engine.train", "--data", *map(bare_name, data)]
    words += ["--out", path, *(["--from", origin.name] if origin else [])]
    words += ["--teachers", *(teacher.name for teacher in teachers)] if teachers else []
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if item.name == "time" or (item.name == "preset" and not begun):
            continue  # what the time has chosen is there; the preset is of another version, and unknown to this one
        if item.name == "preset" or value != begun.get(item.name, item.default):
            flag, text = f"--{item.name.replace('_', '-')}", as_text(value)
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]  # or it would be taken for a flag
    return shlex.join(words)


def bare_name(word: str) -> str:
    """What stands after --data as all may read it: without its owner's folders, an address without keys and queries."""
    if "://" in word:
        address = urllib.parse.urlsplit(word)
        return address._replace(netloc=address.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return in_one_line(Path(word).name)


def in_one_line(name: str) -> str:
    """A file's name as a text may hold it; what is no character, or would end the line, is U+FFFD."""
    return re.sub(r"\s", lambda found: found[0] if found[0] == " " else UNKNOWN, visible(name))


def write_picture(path: Path, history: Sequence[dict[str, float]]) -> None:
    """The losses of each epoch in bits a character, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import, and only needed here
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    epochs = [row["epoch"] + 1 for row in history]
    for part, label, style in (("training", "training (with dropout)", "--"), ("held_out", "held out", "-")):
        bits = [bits_of(row, part) for row in history]
        axes.plot(epochs, bits, style, label=label, marker=".")
    axes.set_xlabel("epoch")
    axes.set_ylabel("bits per character")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    with replace_file(path) as temporary:
        temporary.write_bytes(picture.getvalue())


def rows(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """The history with epochs counted from 1, and the held-out loss in bits a character added."""
    return [
        {
            **row,
            "epoch": int(row["epoch"]) + 1,
            "held_out_bits": bits_of(row, "held_out"),
        }
        for row in history
    ]


def _csv(history: Sequence[dict[str, float]]) -> str:
    text, lines = io.StringIO(), rows(history)
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _told(origin: Origin) -> str:
    return f"`{origin.name}`, {origin.tokens:,} tokens, weights of sha256 `{origin.sha256[:16]}`"


def _of(names: Sequence[str]) -> str:
    return f" of {', '.join(names)}" if names else ""


def _card(
    path: str, settings: TrainSettings, names: Sequence[str], command: str, figures: Figures, sample: str,
    origin: Origin | None, teachers: Sequence[Origin],
) -> str:  # fmt: skip
    inputs, held_out = Inputs.from_words(names), "no text was held out"
    rate = figures.held_out_tokens / max(1, figures.held_out_characters)
    apart = _of(inputs.validation)
    is_tail = not inputs.validation and not settings.held_out_every
    can_be_read_again = "-" not in inputs.training
    if figures.held_out_nats is not None:
        nats = figures.held_out_nats
        a_token = "" if settings.level == "char" else " a token"
        how = "whole, weights fixed, the state carried through" if figures.is_final else "in lanes, while training"
        held_out = (
            f"{nats:.4f} nats{a_token} = {nats * rate / LN2:.3f} bits a character, perplexity {perplexity(nats):.3f}, "
            f"over {'the last ' * is_tail}{figures.held_out_characters:,} characters{apart}, scored {how}"
        )
    measured = "(nothing was held out to measure it by)."
    if figures.held_out_nats is not None:
        measured = "and measured by the same command at its end."
    if figures.held_out_nats is not None and is_tail and can_be_read_again:
        files = shlex.join(inputs.training)
        measured = f"and measured by `python -m engine.evaluate {path} --data {files} --tail {settings.held_out:g}`."
    test = ""
    if figures.test_nats is not None:
        told = f"{figures.test_nats:.4f} nats, perplexity {perplexity(figures.test_nats):.3f}"
        test = f"| test | {told}, over {figures.test_characters:,} characters{_of(inputs.test)} |\n"
    brought = ""
    if figures.counts_gain is not None:
        gain = f"{figures.counts_gain:.3f} bits a character less at the beginning of the held-out text, with a memory"
        brought = f"| `{training.FILE}` | what followed what in the training text: {gain} |\n"
    began = ""
    if origin is not None:
        as_it_was = ""
        if figures.begun_nats is not None:
            as_it_was = f"; {figures.begun_nats * rate / LN2:.3f} bits a character held out, as it was"
        began = f"| began from | {_told(origin)}{as_it_was} |\n"
    mixed = ""
    if teachers:
        began += f"| learned from | the text and {'; '.join(map(_told, teachers))} |\n"
        mixed = f", {settings.hard_targets:g} of it the text's and the rest the teachers'"
    over = "one-hot input" if settings.input == "one-hot" else f"an embedding of {settings.embedding}"
    units = as_text(settings.units).replace(",", ", ")
    level, unit = LEVEL_NAMES[settings.level], "character" if settings.level == "char" else "token"
    return f"""# {PurePosixPath(path).name}

A {level} model: {settings.layers} {CELL_NAMES[settings.cell]} layers of {units} units over {over}, \
{figures.parameters:,} parameters.

| | |
| --- | --- |
{began}| data | {", ".join(inputs.training)}: {figures.training_characters:,} characters to learn from |
| held out | {held_out} |
{test}{brought}| training loss | {figures.training_nats:.4f} nats a {unit}, with dropout{mixed}, in epoch \
{figures.best_epoch} (kept) |
| time | {figures.seconds / 60:.0f} minutes of training |

Trained by

```
{command}
```

{measured}

![losses by epoch](loss.png)

A sample (temperature 0.8, seed 1):

```
{sample.strip()}
```

Write with it: `textrepl {path}`. `model.keras` is a stock Keras 3 model; `vocabulary.json` names its tokens in
the order of their ids; `settings.json` and `training.csv` hold the run's settings and history.
"""
