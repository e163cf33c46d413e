"""`engine.adopt`: what it takes, what it refuses before anything is written, and what it says of a text."""

from __future__ import annotations

import json
import os
import pickle
import shlex
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import engine
from engine.adopt import __main__ as adopt
from engine.adopt import legacy_h5
from engine.bench import __main__ as bench
from engine.bench import simulate
from engine.program import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

ROUND = "\nabcdefgh"  # each of these follows the one before, over and over
TEXT = (ROUND * 40)[1:]
Refused = Callable[..., str]


def knowing_model(tokens: Sequence[str], *between: Any, before: Sequence[Any] = ()) -> Any:
    """A network that knows what follows each token of ROUND; other tokens it likes too much."""
    size = len(tokens)
    model = keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(size, size),
            *before,
            keras.layers.SimpleRNN(size, return_sequences=True),
            *between,
            keras.layers.Dense(size),
        ]
    )
    follows = np.zeros((size, size))
    for one, other in zip(ROUND, ROUND[1:] + ROUND[:1], strict=True):
        follows[tokens.index(one), tokens.index(other)] = 20
    likes = np.array([0 if token in ROUND and token else 12 for token in tokens])
    rnn = next(layer for layer in model.layers if isinstance(layer, keras.layers.SimpleRNN))
    model.layers[0].set_weights([5 * np.eye(size)])
    rnn.set_weights([np.eye(size), np.zeros((size, size)), np.zeros(size)])
    model.layers[-1].set_weights([follows, likes])
    return model


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some tiny models, made once."""
    folder = tmp_path_factory.mktemp("foreign")
    tokens = sorted(ROUND)
    plain = knowing_model(tokens)
    plain.save(folder / "plain.keras")
    plain.save(folder / "plain.h5")
    plain.save_weights(folder / "some.weights.h5")
    knowing_model(["", "[UNK]", *tokens]).save(folder / "masked.keras")
    knowing_model(tokens, keras.layers.PReLU(shared_axes=[1])).save(folder / "prelu.keras")
    knowing_model(tokens, keras.layers.BatchNormalization()).save(folder / "normalized.keras")
    knowing_model(tokens, keras.layers.Dense(len(tokens), "elu")).save(folder / "untrained.keras")
    early = keras.layers.UnitNormalization()
    knowing_model(tokens, before=[early]).save(folder / "early.keras")
    lost = knowing_model(tokens)
    lost.layers[-1].set_weights([np.zeros((len(tokens), len(tokens))), np.zeros(len(tokens))])
    lost.save(folder / "flat.keras")
    rarity = [np.log(0.8) if token == "a" else np.log(0.2) if token == "b" else -20 for token in tokens]
    lost.layers[-1].set_weights([np.zeros((len(tokens), len(tokens))), np.array(rarity)])
    lost.save(folder / "frequencies.keras")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail by one line, and returns that."""

    def run(*arguments: object) -> str:
        assert adopt.main([str(argument) for argument in arguments]) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    return run


def written_by(command: str) -> str:
    """What the command that was printed writes, without a shell."""
    program, path, *backend = shlex.split(command)
    assert program == "textrepl"
    assert backend in ([], ["--backend", "keras"])
    with engine.load(path, backend="keras" if backend else "auto") as model:
        return model.conversation(sampling=engine.Sampling(temperature=0)).say("ab", length=5).text


def printed_command(out: str) -> str:
    return next(line.partition("write with it by: ")[2] for line in out.splitlines() if "write with it by" in line)


@pytest.mark.parametrize("name", ["prelu", "normalized", "early"])
def test_what_was_refused_leaves_nothing_and_the_mend_works(
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


def of_keras_2(path: Path, version: str, change: Callable[[dict[str, Any]], object] = lambda config: None) -> None:
    """Turn a `.h5` file into one as Keras 2 wrote it."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = config["config"]["layers"]
        del config["config"]["build_input_shape"]
        for layer in layers:
            layer["config"]["dtype"] = "float32"
        for layer in layers[:2]:
            layer["config"]["batch_input_shape"] = [None, None]
        layers[0]["config"].pop("batch_shape")
        layers[2]["config"]["time_major"] = False
        if version.startswith(("2.1.", "2.2.")):
            layers.pop(0)
        if version.startswith("2.1."):
            config["config"] = layers
        change(config)
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = version


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("new.h5", ""), ("old.h5", "2.11.0"), ("old.hdf5", "2.2.5"), ("old.keras", "2.12.0"), ("oldest.h5", "2.1.6"),
        ("none", ""),
    ],
)  # fmt: skip
def test_an_hdf5_file_of_any_keras_is_saved_anew(
    name: str, version: str, models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    shutil.copy(models / "plain.h5", path)
    if version:
        of_keras_2(path, version)
    assert adopt.main([str(path), "--data", text, "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "knows this text" in out
    assert written_by(printed_command(out)) == "cdefg"
    assert sorted(os.listdir(tmp_path / "out")) == ["model.keras", "vocabulary.json"]


def test_a_h5_file_gets_its_keras_file_beside_it(
    models: Path, text: str, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(models / "plain.h5", path := tmp_path / "old one.h5")
    with pytest.raises(engine.ModelLoadError, match=r"engine\.adopt '.*/old one\.h5' --data TEXT --out DIR"):
        engine.load(path)
    assert adopt.main([str(path), "--data", text]) == 0
    assert written_by(printed_command(capsys.readouterr().out)) == "cdefg"
    assert sorted(os.listdir(tmp_path)) == ["old one.h5", "old one.keras", "text.txt", "vocabulary.json"]
    (tmp_path / "vocabulary.json").unlink()
    assert "old one.keras is there already" in refused(path, "--data", text)


def test_a_h5_file_that_cannot_be_saved_anew_is_refused(
    models: Path, text: str, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(change: Callable[[dict[str, Any]], object]) -> Path:
        shutil.copy(models / "plain.h5", path := tmp_path / "x.h5")
        of_keras_2(path, "2.11.0", lambda config: change(config["config"]["layers"][2]))
        return path

    out = "--data", text, "--out", tmp_path / "out"
    other = changed(lambda layer: layer["config"].update(activation="hard_sigmoid"))
    assert "as Keras 2 computed it" in refused(other, *out)
    assert "Lambda" in refused(changed(lambda layer: layer.update(class_name="Lambda")), *out)
    gone = refused(changed(lambda layer: layer.update(class_name="CuDNNGRU")), *out)
    assert "x.h5 of Keras 2.11.0 cannot be loaded" in gone
    assert "CuDNNGRU" in gone
    damaged = changed(lambda layer: None)
    damaged.write_bytes(damaged.read_bytes()[:3000])
    assert "damaged" in refused(damaged, *out)

    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(legacy_h5, "import_tensorflow", missing)
    assert "textrepl[train]" in refused(models / "plain.h5", *out)
    assert not (tmp_path / "out").exists()


def saved_model(path: Path, models: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"\x08\x01")


def model_directory(path: Path, models: Path) -> None:
    path.mkdir()
    shutil.copy(models / "plain.keras", path / "model.keras")


def unpacked(path: Path, models: Path) -> None:
    with zipfile.ZipFile(models / "plain.keras") as archive:
        archive.extractall(path)


def checkpoint(path: Path, models: Path) -> None:
    path.mkdir()
    (path / "ckpt-1.index").touch()


def zipped(*names: str) -> Callable[[Path, Path], None]:
    def make(path: Path, models: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")

    return make


def content(data: bytes) -> Callable[[Path, Path], None]:
    def make(path: Path, models: Path) -> None:
        path.write_bytes(data)

    return make


def half(path: Path, models: Path) -> None:
    path.write_bytes((models / "plain.keras").read_bytes()[:2000])


def weights(path: Path, models: Path) -> None:
    shutil.copy(models / "some.weights.h5", path)


def old_weights(path: Path, models: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["embedding"]


def other_hdf5(path: Path, models: Path) -> None:
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2]


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("saved", saved_model, "SavedModel folder"),
        ("folder", lambda path, models: path.mkdir(), "is a folder: give a .keras or .h5"),
        ("mine", model_directory, "model.keras"),
        ("flat.keras", unpacked, "zip -r ../flat-packed.keras"),
        ("training", checkpoint, "weights without the layers"),
        ("a.zip", zipped("readme.txt"), "zip that holds no Keras model"),
        ("a.keras", zipped("m/saved_model.pb", "m/variables/x"), "holds m/saved_model.pb: unpack it"),
        ("b.zip", zipped("my/model.keras"), "holds my/model.keras: unpack it"),
        ("torch.pt", zipped("archive/data.pkl"), "no Keras model"),
        ("c.keras", zipped("model/config.json"), "without it"),
        ("d.keras", half, "not whole"),
        ("model.weights.h5", weights, "weights without the layers"),
        ("w.h5", old_weights, "weights without the layers"),
        ("numbers.h5", other_hdf5, "HDF5 file without a Keras model"),
        ("empty.keras", content(b""), "is empty"),
        ("text.keras", content(b"hello"), "no Keras model"),
        ("pickled.pkl", content(pickle.dumps([1])), "pickle"),
        ("c.data-00000-of-00001", content(b"123456789"), "weights without the layers"),
        ("nothing.keras", lambda path, models: None, "no such file"),
    ],
)
def test_what_is_no_model_is_refused_by_one_line(
    name: str, make: Callable[[Path, Path], None], words: str, models: Path, text: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "given").mkdir()
    make(path := tmp_path / "given" / name, models)
    before = sorted(tmp_path.rglob("*"))
    error = refused(path, "--data", text, "--out", tmp_path / "out")
    assert words in error
    assert str(path) in error
    assert sorted(tmp_path.rglob("*")) == before


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


def test_a_text_is_known_only_if_a_count_of_it_knows_less(
    models: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(name: str, *more: object, data: str = TEXT) -> str:
        Path(text).write_text(data)
        out = tmp_path / f"out{len(os.listdir(tmp_path))}"
        command = [models / f"{name}.keras", "--data", text, "--out", out, *more]
        assert adopt.main([str(part) for part in command]) == 0
        captured = capsys.readouterr()
        assert "knows this text" not in captured.err
        return captured.out if "knows this text" in captured.out else captured.err

    assert "knows this text" in told("plain")
    uneven = "aaaab" * 1000 + ROUND
    assert "knows something of this text" in told("frequencies", data=uneven)
    assert "give --tokens" in told("flat", data=uneven)
    assert "like noise" in told("flat")
    (order := tmp_path / "order.json").write_text(json.dumps(sorted(ROUND, reverse=True)))
    noise = told("plain", "--tokens", order)
    assert f"in another order than in {order}" in noise
    assert "give --tokens" not in noise
    assert "too short" in told("plain", data=ROUND)


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
