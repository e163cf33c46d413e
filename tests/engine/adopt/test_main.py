"""`engine.adopt`: what it takes, what it refuses before anything is written, and what it says of a text."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.adopt import __main__ as adopt
from engine.bench import __main__ as bench
from engine.bench import simulate
from engine.program import import_tensorflow
from tests.engine.adopt.models import ROUND, Refused, printed_command, written_by
from tests.networks import LETTERS

import_tensorflow()
import keras  # noqa: E402


@pytest.mark.parametrize("name", ["prelu", "normalized", "early"])
def test_what_was_refused_leaves_nothing_and_the_remedy_works(
    name: str, models: Path, text: str, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a model" / "of mine"
    arguments = [models / f"{name}.keras", "--data", text, "--out", out]
    error = refused(*arguments, "--backend", "onnx")
    assert error.count("--backend keras") == 1
    assert os.listdir(tmp_path) == ["text.txt"]
    assert adopt.main([*map(str, arguments), "--backend", "keras"]) == 0
    assert written_by(printed_command(capsys.readouterr().out)) == "cdefg"


@pytest.mark.parametrize("program", [bench, simulate])
def test_a_program_with_one_backend_advises_no_other(
    program: Any, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "tokens.json").write_text(json.dumps(sorted(ROUND)))
    command = [models / "prelu.keras", "--tokens", tmp_path / "tokens.json", "--out", out]
    assert adopt.main([str(part) for part in command]) == 0
    assert program.main([str(out)]) == 1
    error = capsys.readouterr().err
    assert "PReLU" in error
    assert "--backend" not in error


def test_the_backend_that_can_run_it_is_found_and_told(
    models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, backend in (("plain", ""), ("prelu", " --backend keras")):
        assert adopt.main([str(models / f"{name}.keras"), "--data", text, "--out", str(tmp_path / name)]) == 0
        out = capsys.readouterr().out
        assert printed_command(out) == f"textrepl {tmp_path / name}{backend}"
        assert written_by(printed_command(out)) == "cdefg"
        assert ("Keras runs it" in out) == bool(backend)
        assert "the model knows this text" in out


def test_names_that_are_no_text_are_told_as_a_shell_reads_them(
    models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mod\udce8le d'été"
    assert adopt.main([str(models / "plain.keras"), "--data", text, "--out", str(out)]) == 0
    command = printed_command(capsys.readouterr().out)
    given = subprocess.run(["bash", "-c", f"printf %s {command.removeprefix('textrepl ')}"], stdout=subprocess.PIPE)
    assert given.stdout == os.fsencode(out)


def test_without_tensorflow_it_is_told_why_it_is_needed(
    models: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    def missing(source: Path, model: Path) -> None:
        raise engine.ModelLoadError("--backend keras needs TensorFlow: install it")

    monkeypatch.setattr(adopt, "_keras", missing)
    error = refused(models / "prelu.keras", "--data", text, "--out", tmp_path / "out")
    assert "PReLU" in error
    assert error.endswith("; --backend keras needs TensorFlow: install it\n")
    assert error.count("--backend keras") == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_cannot_be_written_leaves_nothing_and_is_named(
    error: BaseException,
    models: Path,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise error

    monkeypatch.setattr(shutil, "copyfile", full)
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "a" / "b", tmp_path / "there"):
        rc = adopt.main([str(models / "plain.keras"), "--data", text, "--out", str(out)])
        told = capsys.readouterr()
        assert not told.out
        if isinstance(error, OSError):
            assert rc == 1
            assert told.err == f"engine.adopt: {out}/model.keras cannot be written: No space left on device\n"
        else:
            assert rc == 130
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["text.txt", "there"]


def test_a_vocabulary_that_cannot_be_written_takes_the_network_with_it(
    models: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    replace = Path.replace

    def fails_on_json(self: Path, target: Path) -> Path:
        if target.suffix == ".json":
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_on_json)
    error = refused(models / "plain.keras", "--data", text, "--out", tmp_path / "out")
    assert f"{tmp_path}/out/vocabulary.json cannot be written" in error
    assert os.listdir(tmp_path) == ["text.txt"]


def test_nothing_that_lies_there_is_written_over(models: Path, text: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "model.keras").write_text("mine")
    assert "model.keras is there already" in refused(models / "plain.keras", "--data", text, "--out", tmp_path)
    assert (tmp_path / "model.keras").read_text() == "mine"
    error = refused(models / "plain.keras", "--data", text, "--out", tmp_path / "text.txt")
    assert "text.txt cannot be written" in error
    with pytest.raises(SystemExit, match="2"):
        adopt.main([str(models / "plain.keras"), "--data", text, "--out", ""])


def test_a_token_that_stands_for_nothing_is_never_written(
    models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tokens := tmp_path / "tokens.json").write_text(json.dumps(["", "[UNK]", *sorted(ROUND)]))
    command = [models / "masked.keras", "--tokens", tokens, "--data", text, "--out", tmp_path / "out"]
    assert adopt.main([str(part) for part in command]) == 0
    assert "knows this text" in capsys.readouterr().out
    with engine.load(tmp_path / "out") as model:
        assert model.vocabulary.unwritten == (0,)
        story = model.conversation(sampling=engine.Sampling(temperature=5.0, seed=1))
        written = story.say("a", length=400).text
        assert len(written) == 400
        assert set(written) == set(ROUND)
        for sampling in (None, engine.Sampling(temperature=5.0)):
            likeliest = story.next_tokens(20, sampling)
            assert "" not in dict(likeliest)
            assert "[none]" not in dict(likeliest)
            assert sum(share for _, share in likeliest) == pytest.approx(1)
        assert model.conversation().say("", length=3).text


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
