"""The named recipes: each can be read, begun with, overridden, and told again; what they rest on does what it says."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.program import import_tensorflow

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train import presets  # noqa: E402
from engine.train.__main__ import main  # noqa: E402
from engine.train.data.corpus import read_corpus  # noqa: E402
from engine.train.network.dropout import NO_MASKS  # noqa: E402
from engine.train.report import card  # noqa: E402
from engine.train.settings import PRESETS, TrainSettings, add_arguments  # noqa: E402
from engine.train.trainer import Trainer, rate_at  # noqa: E402

DATA = Path(__file__).parents[4] / "shared" / "data"
TEXTS: dict[str, list[str]] = {
    "novels": [f"gutenberg/{name}" for name in ("alice.txt", "dracula.txt", "frankenstein.txt")],
    "speeches": ["speeches/inaugural.txt"],
    "lines": ["dialogue/sgd_dialogues.txt"],
    **{f"ptb-{size}": ["ptb/ptb.valid.txt"] for size in ("small", "medium", "large")},
}


def test_every_file_is_a_preset_and_every_preset_a_file() -> None:
    files = {path.name for path in resources.files("engine.train.presets").iterdir() if path.name.endswith(".toml")}
    assert files == {f"{name}.toml" for name in PRESETS}
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    shown = " ".join(parser.format_help().split())
    assert all(name in shown for name in PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_overridden_and_its_command_gives_it_again(name: str) -> None:
    values = presets.load(name)
    wanted = {key: float if key == "weight_decay" else type(getattr(TrainSettings(), key)) for key in values}  # or auto
    assert {key: type(value) for key, value in values.items()} == wanted
    settings = TrainSettings(**values | {"epochs": 3, "seed": 7, "lower": False})
    words = shlex.split(card.command_line(settings, ["a.txt"], "models/mine"))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = vars(parser.parse_args(words[words.index("--out") + 2 :]))
    assert given.keys() <= {"preset", "epochs", "seed", "lower"}
    assert TrainSettings(**presets.load(given["preset"]) | given) == settings


def test_a_wrong_name_lists_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--data", "x", "--out", str(tmp_path / "y"), "--preset", "tutorials"])
    lines = capsys.readouterr().err.splitlines()[-len(PRESETS) - 1 :]
    assert lines[0].endswith("--preset tutorials: there is none of this name; there are")
    assert [line.split()[0] for line in lines[1:]] == list(PRESETS)
    assert all(len(line) <= 120 for line in lines[1:])


def test_a_run_keeps_the_name_of_its_preset(plain_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    small = ["--units", "16", "--layers", "1", "--batch", "8", "--epochs", "1", "--sample-every", "0"]
    assert main(["--data", str(plain_text), "--out", str(out), "--preset", "minimal", *small]) == 0
    kept = json.loads((out / "settings.json").read_text())
    assert kept["settings"]["preset"] == "minimal"
    assert (kept["settings"]["sequences"], kept["settings"]["units"]) == ("windows", 16)
    assert "--preset minimal --units 16" in kept["command"]
    assert kept["command"] in (out / "README.md").read_text()


def test_a_loss_summed_over_steps_is_ours_with_rate_and_clip_converted(plain_text: Path) -> None:
    """An update of ptb-small against SGD at rate 1, clipped at 5, of a loss summed over 20 steps."""
    small: dict[str, Any] = {"units": 8, "embedding": 8, "vocabulary": 300, "init_scale": 2.0}  # wide, so that it clips
    settings = TrainSettings(**presets.load("ptb-small") | small, precision="float32")
    trainer = Trainer(settings, read_corpus([plain_text], 0.1, settings.steps, settings))
    batch = next(iter(trainer.sequences.read(0)))
    with tf.GradientTape() as tape:
        logits, _ = trainer.network.forward(tf.constant(batch.inputs), trainer.states, NO_MASKS)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch.targets, logits=logits)
        summed = tf.reduce_sum(losses) / trainer.batch
    gradients = tape.gradient(summed, [variable.value for variable in trainer.network.variables])
    gradients, norm = tf.clip_by_global_norm([tf.convert_to_tensor(g) for g in gradients], 5.0)
    assert norm > 5
    wanted = [(v.value - g).numpy() for v, g in zip(trainer.network.variables, gradients, strict=True)]
    next(trainer.updates())
    for variable, value in zip(trainer.network.variables, wanted, strict=True):
        assert np.asarray(variable) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("size", "kept"), [("small", [1.0] * 4 + [0.5, 0.25]), ("large", [1.0] * 14 + [1 / 1.15])])
def test_the_rate_falls_after_the_epochs_of_the_paper(size: str, kept: list[float]) -> None:
    settings = TrainSettings(**presets.load(f"ptb-{size}"))
    rates = [rate_at(settings, 100 * epoch + 50, 100 * settings.epochs) / settings.rate for epoch in range(len(kept))]
    assert rates == pytest.approx(kept)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the texts to measure on are not here")
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_learns_from_the_text_it_is_for(name: str, tmp_path: Path) -> None:
    settings = TrainSettings(**presets.load(name))
    texts = [DATA / text for text in TEXTS.get(name, ["tinyshakespeare.txt"])]
    corpus = read_corpus(texts, 0.1, settings.steps, settings, folder=tmp_path)
    trainer = Trainer(settings, corpus)
    losses = [loss for loss, _ in zip(trainer.updates(), range(12), strict=False)]
    assert losses[0] == pytest.approx(math.log(len(corpus.vocabulary)), rel=0.1)
    assert min(losses[6:]) < losses[0]
