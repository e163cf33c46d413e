"""Going on from a model with new text: what it knows stays, what it lacks is added, nothing goes by place."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.errors import ModelLoadError, TrainingError
from engine.model.directory import NETWORK, VOCABULARY, write_json
from engine.model.network import Embedding, Recurrent
from engine.model.network_reader import read_network
from engine.program import import_tensorflow
from engine.text.vocabulary import Vocabulary

import_tensorflow()
import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

from engine.train import checkpoint  # noqa: E402
from engine.train.__main__ import main  # noqa: E402
from engine.train.data import encode  # noqa: E402
from engine.train.data.corpus import read_corpus  # noqa: E402
from engine.train.job import Job  # noqa: E402
from engine.train.network import pretrained  # noqa: E402
from engine.train.network.build import build_model  # noqa: E402
from engine.train.reading.spool import Inputs  # noqa: E402
from engine.train.settings import TrainSettings  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402

SHAPES: dict[str, dict[str, Any]] = {
    "gru": {}, "one-hot lstm": {"cell": "lstm", "input": "one-hot"},
    "tied": {"units": (9, 5), "tied": True, "normalization": True, "cell": "rnn"},
}  # fmt: skip
UNTRAINED = {"dropout": 0.0, "weight_drop": 0.0, "batch": 4, "steps": 8, "epochs": 1}


def saved_model(folder: Path, vocabulary: Vocabulary, **shape: Any) -> Path:
    """A model directory with random weights that differ in every row."""
    settings = TrainSettings(**{"units": 6, "layers": 2, "embedding": 5, **shape})
    made = build_model(len(vocabulary), settings)
    rng = np.random.default_rng(2)
    made.set_weights([rng.normal(0, 0.7, w.shape).astype(np.float32) for w in made.get_weights()])
    if settings.tied:
        made.layers[-1].kernel.assign(tf.transpose(made.layers[0].embeddings))
    folder.mkdir()
    made.save(folder / NETWORK)
    write_json(folder / VOCABULARY, vocabulary.to_json())
    return folder


def begun_from(model: Path, text: Path, **given: Any) -> Trainer:
    base = pretrained.read(str(model))
    settings = base.settings({**UNTRAINED, **given})
    trainer = Trainer(settings, read_corpus([text], 0.1, settings.steps, settings, old=base.vocabulary))
    trainer.begin_from(base)
    return trainer


@pytest.mark.parametrize("shape", SHAPES)
def test_old_tokens_keep_their_ids_and_rows_in_whatever_order_they_stand(shape: str, tmp_path: Path) -> None:
    """The model's tokens stand in no order that any text would give them."""
    model = saved_model(tmp_path / "old", Vocabulary(tuple("cb\n a")), **SHAPES[shape])
    (text := tmp_path / "x.txt").write_text("a bad cab\n" * 40)
    trainer = begun_from(model, text)
    assert trainer.corpus.vocabulary.tokens == ("c", "b", "\n", " ", "a", "d")
    assert trainer.corpus.training[:4].tolist() == [4, 3, 1, 4]
    old, new = read_network(model / NETWORK).weights, trainer.model.get_weights()
    assert (new[0][:5] == old[0]).all()
    assert (new[-2][:, :5] == old[-2]).all()
    assert (new[-1][:5] == old[-1]).all()
    assert new[-1][5] == old[-1].min()
    for one, other in zip(new[1:-2], old[1:-2], strict=True):
        assert (one == other).all()
    assert new[0][5] == pytest.approx(old[0].mean(0), abs=float(0.6 * old[0].std()))
    if SHAPES[shape].get("tied"):
        assert (new[-2] == new[0].T).all()
        assert trainer.parameters == trainer.model.count_params() - new[-2].size


@pytest.mark.parametrize("level", ["char", "word"])
def test_what_the_model_knew_it_still_knows(level: str, tmp_path: Path) -> None:
    """Before the first update it is as good as the old one over text that both know, but for the new token's share."""
    tokens = tuple("ba\n ") if level == "char" else ("b", "<unk>", "a", "\n")
    vocabulary = Vocabulary(tokens, level, "<unk>" if level == "word" else None)
    model = saved_model(tmp_path / "old", vocabulary)
    (text := tmp_path / "x.txt").write_text("a b b\n" * 60 + "a d b\n" + "b a a\n" * 30)
    trainer = begun_from(model, text, held_out=0.3)
    assert trainer.corpus.vocabulary.tokens == (*tokens, "d")
    assert trainer.corpus.vocabulary.unknown == vocabulary.unknown
    ids = np.asarray(trainer.corpus.held_out, np.int32)
    with engine.load(model) as old:
        known = old.score_tokens(ids, len(ids))
    found = trainer.held_out_nats()
    before = (known.nats - math.log(len(tokens))) / (len(ids) - 1)
    assert before <= found < before + 0.3
    first = next(iter(trainer.updates()))
    assert first == pytest.approx(before, abs=0.5)


def test_words_are_split_as_the_model_has_it_and_unknown_is_one_token(tmp_path: Path) -> None:
    old = Vocabulary(("[UNK]", "b.", "a"), "word", "[UNK]", "spaces")
    model = saved_model(tmp_path / "old", old)
    (text := tmp_path / "x.txt").write_text("a b. c.\n" * 40)
    trainer = begun_from(model, text, vocabulary=3)
    assert trainer.corpus.vocabulary.tokens == ("[UNK]", "b.", "a", "\n")  # 3 of the new text, two of them known
    assert trainer.corpus.vocabulary.unknown == "[UNK]"
    assert trainer.corpus.training[:4].tolist() == [2, 1, 0, 3]
    learned = Vocabulary(("<unk>", "a", "c"), "word", "<unk>")
    assert encode.extended(Vocabulary(("b", "a"), "word"), learned).unknown == "<unk>"


def test_byte_pairs_are_kept_as_they_are(tmp_path: Path) -> None:
    from engine.text import byte_pairs

    tokens, merges = byte_pairs.train(["the cat and the dog\n" * 9], 262)
    vocabulary = Vocabulary(tuple(tokens), "bpe", merges=tuple(merges))
    model = saved_model(tmp_path / "old", vocabulary)
    (text := tmp_path / "x.txt").write_text("quite another text: été\n" * 40)
    trainer = begun_from(model, text)
    assert trainer.corpus.vocabulary == vocabulary
    assert trainer.corpus.strange == (0.0, "")  # it is not known what it read
    for one, other in zip(trainer.model.get_weights(), read_network(model / NETWORK).weights, strict=True):
        assert (one == other).all()
    with pytest.raises(ValueError, match=r"--vocabulary 300: the byte pairs of old are kept"):
        pretrained.read(str(model)).settings({"vocabulary": 300})


def test_a_contradicting_flag_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = saved_model(tmp_path / "old", Vocabulary(tuple("ab\n ")), units=(6, 8))
    base = pretrained.read(str(model))
    same = {"units": (6, 8), "layers": 2, "embedding": 5, "cell": "gru", "tied": False, "level": "char"}
    assert base.settings(same).widths == (6, 8)
    wrong = {"units": 6, "layers": 3, "embedding": 6, "cell": "lstm", "tied": True, "level": "word",
             "input": "one-hot", "normalization": True}  # fmt: skip
    for name, value in wrong.items():
        told = "yes" if value is True else value
        with pytest.raises(ValueError, match=f"--{name} {told}: old has .* leave --{name} out"):
            base.settings({name: value})
    (text := tmp_path / "x.txt").write_text("ab ba\n" * 40)
    for more in (["--from", str(model), "--resume"], ["--from", str(model), "--cell", "lstm"]):
        with pytest.raises(SystemExit, match="2"):
            main(["--data", str(text), "--out", str(tmp_path / "new"), *more])
    assert "--cell lstm: old has gru" in capsys.readouterr().err
    assert main(["--data", str(text), "--out", str(tmp_path / "new"), "--from", str(tmp_path / "none")]) == 1
    assert "no such model" in capsys.readouterr().err


def test_a_recipe_gives_way_to_the_model_and_to_flags(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "old", Vocabulary(tuple("ab\n")), **SHAPES["tied"])
    job = Job(tmp_path / "new", Inputs(("x.txt",)), {"preset": "ptb-small", "epochs": 3}, start=str(model))
    asked = job.configure()
    assert (asked.settings.level, asked.settings.widths, asked.settings.cell) == ("char", (9, 5), "rnn")
    assert (asked.settings.rate, asked.settings.epochs) == (20.0, 3)
    with pytest.raises(ValueError, match="--layers 1: old has 2"):
        Job(job.out, job.inputs, {**job.given, "layers": 1}, start=str(model)).configure()
    with pytest.raises(ValueError, match="--units 9,5,3: old has 9,5"):
        Job(job.out, job.inputs, {**job.given, "units": (9, 5, 3)}, start=str(model)).configure()


def test_foreign_networks_and_wrong_vocabularies_are_refused(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "old", Vocabulary(tuple("ab\n ")))
    write_json(model / VOCABULARY, Vocabulary(tuple("ab\n")).to_json())
    with pytest.raises(ModelLoadError, match="has 3 tokens but"):
        pretrained.read(str(model))
    layers = [
        keras.layers.Embedding(4, 5),
        keras.layers.GRU(6, activation="relu", return_sequences=True, stateful=True),
    ]
    ids = keras.Input(batch_shape=(1, None), dtype="int32")
    keras.Sequential([ids, *layers, keras.layers.Dense(4)]).save(model / NETWORK)
    write_json(model / VOCABULARY, Vocabulary(tuple("ab\n ")).to_json())
    with pytest.raises(TrainingError, match="old is no network that"):
        pretrained.read(str(model))
    others = keras.layers.PReLU(shared_axes=[1]), keras.layers.BatchNormalization(), keras.layers.Dense(6, "gelu")
    for further in others:
        keras.Sequential([ids, *layers, further, keras.layers.Dense(4)]).save(model / NETWORK)
        with pytest.raises(ModelLoadError, match=r"engine\.train has no other: --from and --teachers take") as caught:
            pretrained.read(str(model))
        assert "--backend" not in str(caught.value)


def test_an_id_that_stands_for_nothing_stays_one(tmp_path: Path) -> None:
    old = Vocabulary(("[none]", "a", "b", "\n"), unwritten=(0,))
    model = saved_model(tmp_path / "old", old)
    (text := tmp_path / "x.txt").write_text("ab c\n" * 40)
    vocabulary = begun_from(model, text).corpus.vocabulary
    assert vocabulary.tokens[:4] == old.tokens
    assert sorted(vocabulary.tokens[4:]) == [" ", "c"]
    assert vocabulary.unwritten == (0,)


def test_from_one_text_to_another_and_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way by the command line: learn "abc", go on with "d", stop, and resume."""
    (first := tmp_path / "abc.txt").write_text("ab ca b\nca ab c\n" * 30)
    (second := tmp_path / "abcd.txt").write_text("ab cd b\nda ab c\n" * 30)
    small = ["--batch", "4", "--steps", "8", "--rate", "0.02", "--warmup", "5", "--epochs", "1", "--sample-every", "0"]
    shape = ["--units", "12,8", "--embedding", "8", "--tied", "--average", "0.9"]
    assert main(["--data", str(first), "--out", str(tmp_path / "one"), *small, *shape]) == 0
    capsys.readouterr()
    again = ["--data", str(second), "--out", str(tmp_path / "two"), "--from", str(tmp_path / "one"), *small]
    assert main(again) == 0
    assert "begins from one: its 5 tokens, and 1 new ones" in capsys.readouterr().out
    tokens = [json.loads((tmp_path / name / VOCABULARY).read_text())["tokens"] for name in ("one", "two")]
    assert tokens == [["\n", " ", "a", "b", "c"], ["\n", " ", "a", "b", "c", "d"]]
    assert main(["--out", str(tmp_path / "two"), "--resume", "--epochs", "2", "--sample-every", "0"]) == 0
    told = json.loads((tmp_path / "two" / "settings.json").read_text())
    assert checkpoint.load(tmp_path / "two").origin == pretrained.Origin(**told["from"])
    assert (told["from"]["name"], told["from"]["tokens"]) == ("one", 5)
    assert "--from one" in told["command"]
    card = (tmp_path / "two" / "README.md").read_text()
    assert "| began from | `one`, 5 tokens" in card
    assert "2 GRU layers of 12, 8 units over an embedding of 8" in card
    assert str(tmp_path) not in card + json.dumps(told)
    with engine.load(tmp_path / "two") as model:
        assert model.conversation(sampling=engine.Sampling(temperature=0)).say("ab c", length=4).text
    network = read_network(tmp_path / "two" / NETWORK)
    assert [layer.units for layer in itertools.islice(network.layers, 1, 3) if isinstance(layer, Recurrent)] == [12, 8]
    assert isinstance(network.layers[0], Embedding)


def test_a_token_that_is_no_step_is_not_what_training_makes(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((None,)), keras.layers.Embedding(3, 4, mask_zero=True)])
    model.add(keras.layers.GRU(5, return_sequences=True))
    model.add(keras.layers.Dense(3))
    model.save(tmp_path / NETWORK)
    write_json(tmp_path / VOCABULARY, Vocabulary(tuple("abc")).to_json())
    with pytest.raises(TrainingError, match=r"no network that engine\.train makes"):
        pretrained.read(str(tmp_path))


def test_what_the_model_never_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of byte pairs, too, where they know their characters; a new model knows the old ones and its own."""
    from engine.text import byte_pairs

    tokens, merges = byte_pairs.train(["the cat and the dog\n" * 9], 262)
    pairs = Vocabulary(tuple(tokens), "bpe", merges=tuple(merges), characters="\n acdeghnot")
    letters = Vocabulary(tuple("\n acdeghnot"))
    (text := tmp_path / "x.txt").write_text("the été and the dog\n" * 40)
    (quoted := tmp_path / "quoted.txt").write_text("the “cat” and\u00a0the dog\n" * 40)
    for name, vocabulary in (("pairs", pairs), ("letters", letters)):
        model = saved_model(tmp_path / name, vocabulary)
        out = tmp_path / f"new {name}"
        flags = ["--batch", "2", "--steps", "8", "--updates", "1", "--sample-every", "0"]
        assert main(["--data", str(text), "--out", str(out), "--from", str(model), *flags]) == 0
        told = capsys.readouterr().out
        assert f"10% of the text are characters that {name} has never read (é ...)" in told
        assert "é" in json.loads((out / VOCABULARY).read_text()).get("characters", "é")
    assert json.loads((tmp_path / "new pairs" / VOCABULARY).read_text())["characters"] == "\n acdeghnoté"
    straight = dataclasses.replace(pairs, characters=pairs.characters + '"')
    model = saved_model(tmp_path / "straight", straight)
    assert main(["--data", str(quoted), "--out", str(tmp_path / "q"), "--from", str(model), *flags]) == 0
    told = capsys.readouterr().out
    assert "reads '\\xa0' as ' ', '“' as '\"', '”' as '\"', for straight has these alone" in told
    assert "262 different, 120 read as others" in told
    assert "never read" not in told
    assert json.loads((tmp_path / "q" / VOCABULARY).read_text())["characters"] == "".join(sorted(straight.characters))
