"""`engine.evaluate`, `engine.adopt` and `engine.bench`, as they are called."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
from engine import evaluate
from engine.adopt import __main__ as adopt
from engine.bench import __main__ as bench
from engine.model.onnx_step import OnnxStep
from engine.program import import_tensorflow
from tests.networks import LETTERS, tiny_network

import_tensorflow()
import keras  # noqa: E402


def test_evaluate_prints_what_score_says(
    keras_model_dir: Path, plain_text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(keras_model_dir), "--data", str(plain_text), "--tail", "0.05"]
    assert evaluate.main([*command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    text = plain_text.read_text()
    with engine.load(keras_model_dir) as model:
        score = model.score(text[int(len(text) * 0.95) :])
    assert figures["bits_per_character"] == score.bits_per_character
    assert figures["nats_per_token"] == score.nats / len(score.tokens)
    assert math.isclose(math.exp(figures["nats_per_token"]), figures["perplexity"])
    assert evaluate.main(command) == 0
    assert f"{score.bits_per_character:.4f} bits a character" in capsys.readouterr().out


def test_evaluate_tells_what_the_model_never_saw(
    keras_model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / "x.txt").write_text("the cat \u6f22\u6f22 \u00e9")
    assert evaluate.main([str(keras_model_dir), "--data", str(path)]) == 0
    captured = capsys.readouterr()
    assert "never saw 3 of these 12 characters" in captured.err
    assert "on 10 characters" in captured.out
    command = f"{sys.executable} -m engine.evaluate {keras_model_dir} --data {path} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main([str(tmp_path), "--data", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--data", "x", "--tail", "0"])


def tutorial_model(path: Path, size: int) -> None:
    """The network of TensorFlow's tutorial, in small, as a Sequential model."""
    keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(size, 8),
            keras.layers.GRU(16, return_sequences=True),
            keras.layers.Dense(size),
        ]
    ).save(path)


def test_a_model_made_elsewhere_gets_its_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("hello world\n")
    tutorial_model(path := tmp_path / "tutorial.keras", 9 + 1)  # [UNK] first, as StringLookup has it
    with pytest.raises(engine.ModelLoadError, match=r"engine\.adopt"):
        engine.load(path)
    assert adopt.main([str(path), "--data", str(text)]) == 0
    assert "textrepl" in capsys.readouterr().out
    with engine.load(path) as model:
        assert model.vocabulary.tokens[0] == "[UNK]"
        assert "[UNK]" not in model.conversation().say("hello", length=300).text
    assert adopt.main([str(path), "--data", str(text)]) == 1  # it is there already
    assert "move it away" in capsys.readouterr().err
    assert adopt.main([str(path), "--data", str(text), "--out", str(tmp_path / "made")]) == 0
    engine.load(tmp_path / "made").close()


def test_a_vocabulary_can_be_given_as_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tutorial_model(path := tmp_path / "model.keras", 3)
    (tmp_path / "tokens.json").write_text('{"b": 1, "a": 2, "c": 0}')
    assert adopt.main([str(path), "--tokens", str(tmp_path / "tokens.json")]) == 0
    with engine.load(path) as model:
        assert model.vocabulary.tokens == ("c", "b", "a")
    (tmp_path / "tokens.json").write_text("[1, 2]")
    assert adopt.main([str(path), "--tokens", str(tmp_path / "tokens.json")]) == 1
    assert "no list of tokens" in capsys.readouterr().err


def test_the_wrong_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tutorial_model(path := tmp_path / "model.keras", 30)
    (tmp_path / "text.txt").write_text("hello world\n")
    assert adopt.main([str(path), "--data", str(tmp_path / "text.txt")]) == 1
    assert "9 different characters but the network takes 30" in capsys.readouterr().err
    assert not (tmp_path / "vocabulary.json").exists()
    assert adopt.main([str(tmp_path / "none.keras"), "--data", str(tmp_path / "text.txt")]) == 1


def test_a_model_of_other_layers_can_be_adopted_for_the_keras_backend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = [
        keras.layers.Embedding(3, 8),
        keras.layers.BatchNormalization(),
        keras.layers.GRU(16, return_sequences=True),
        keras.layers.Dense(3, activation="gelu"),
    ]
    keras.Sequential([keras.Input((None,)), *layers]).save(path := tmp_path / "model.keras")
    (tmp_path / "text.txt").write_text("abcabc")
    assert adopt.main([str(path), "--data", str(tmp_path / "text.txt"), "--backend", "onnx"]) == 1
    assert "--backend keras" in capsys.readouterr().err
    assert adopt.main([str(path), "--data", str(tmp_path / "text.txt"), "--backend", "keras"]) == 0
    with engine.load(path, backend="keras") as model:
        assert len(model.conversation().say("ab", length=5).text) == 5


def test_the_parts_of_the_benchmark(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir) as model:
        step = OnnxStep(tiny_network())
        stateful = keras.models.load_model(keras_model_dir / "model.keras", compile=False)
        assert bench.TutorialWay(stateful, model.vocabulary).rate(5) > 0
        assert bench.bare_rate(step, 4) > 0
        assert bench.engine_rate(model, 4, 20) > 0
        assert bench.same_alone_and_batched(model)
        from engine.model.network_reader import read_network

        compiled = OnnxStep(read_network(keras_model_dir / "model.keras"))
        assert bench.logit_difference(compiled, stateful, model.vocabulary) < 1e-4
        assert bench.logit_difference(step, stateful, model.vocabulary) > 1e-2  # other weights are told apart


def test_a_shuffled_vocabulary_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Same tokens in another order: a trained model then takes its own text for noise."""
    size = len(LETTERS)
    layers = [
        keras.layers.Embedding(size, size),
        keras.layers.SimpleRNN(size, return_sequences=True),
        keras.layers.Dense(size),
    ]
    model = keras.Sequential([keras.Input((None,)), *layers])
    once, none = np.eye(size), np.zeros(size)
    follows = [20 * np.roll(once, 1, axis=1), none]  # each token after the one before it
    for layer, weights in zip(layers, ([5 * once], [once, 0 * once, none], follows), strict=True):
        layer.set_weights(weights)
    model.save(path := tmp_path / "model.keras")
    (tmp_path / "text.txt").write_text("".join(sorted(LETTERS)) * 10)
    order = json.dumps(sorted(LETTERS, reverse=True))
    (tmp_path / "tokens.json").write_text(order)
    arguments = [str(path), "--data", str(tmp_path / "text.txt"), "--tokens", str(tmp_path / "tokens.json")]
    assert adopt.main(arguments) == 0
    assert "another order" in capsys.readouterr().err
    (tmp_path / "vocabulary.json").unlink()
    shutil.copy(path, tmp_path / "again.keras")
    assert adopt.main([str(path), "--data", str(tmp_path / "text.txt")]) == 0
    assert "knows this text" in capsys.readouterr().out
