"""Learning from other models' predictions: the right targets, exact resumption, and what is refused at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.errors import TrainingError
from engine.model.directory import NETWORK, VOCABULARY
from engine.program import import_tensorflow
from engine.text.vocabulary import Vocabulary

import_tensorflow()
import tensorflow as tf  # noqa: E402

from engine.train import checkpoint  # noqa: E402
from engine.train.__main__ import main  # noqa: E402
from engine.train.data.corpus import Corpus, read_corpus  # noqa: E402
from engine.train.hardware import memory  # noqa: E402
from engine.train.network import pretrained  # noqa: E402
from engine.train.network.teachers import Teachers  # noqa: E402
from engine.train.trainer import Trainer  # noqa: E402
from tests.engine.train.common.small_runs import FLAGS, SETTINGS, train  # noqa: E402
from tests.engine.train.network.test_pretrained import SHAPES, saved_model  # noqa: E402

TOKENS = tuple("\n .aceghlmnodst")  # of the plain text, in another order than training finds them
SOFT = replace(SETTINGS, hard_targets=0.25)


@pytest.fixture
def corpus(plain_text: Path) -> Corpus:
    return read_corpus([plain_text], 0.1, SOFT.steps, vocabulary=Vocabulary(TOKENS))


def teacher(folder: Path, shape: str, tokens: tuple[str, ...] = TOKENS) -> pretrained.Pretrained:
    return pretrained.read(str(saved_model(folder, Vocabulary(tokens), **SHAPES[shape])))


def test_a_target_is_the_next_token_and_the_mean_of_what_the_teachers_predict(tmp_path: Path) -> None:
    """As the engine serves the teachers; one of them has its tokens in another order."""
    models = [teacher(tmp_path / "one", "gru"), teacher(tmp_path / "two", "one-hot lstm", TOKENS[::-1])]
    vocabulary, text = Vocabulary(TOKENS), "the cat sat on"
    ids = np.asarray(vocabulary.encode(text).ids)
    teachers = Teachers(models, vocabulary, SOFT, dtype="float32", fused=False, is_gpu=False)
    states = teachers.zero_state(1)
    assert len(states) == 2 + 2 * 2  # two layers each; an LSTM's have two
    found = []
    for half in (slice(0, 6), slice(6, len(ids) - 1)):  # the states are carried
        inputs, nexts = ids[half], ids[1:][half]
        targets, states = teachers.targets(tf.constant(inputs[:, None]), tf.constant(nexts[:, None]), states, None)
        found.append(np.asarray(targets)[:, 0])
    mixed = np.concatenate(found)
    assert mixed.sum(1) == pytest.approx(1, abs=1e-6)
    soft = np.zeros_like(mixed[-1])
    for name in ("one", "two"):
        with engine.load(tmp_path / name) as model:
            talk = model.conversation()
            talk.say(text[:-1], length=0).result()
            share = dict(talk.next_tokens(len(TOKENS)))
            soft += [share[token] / 2 for token in TOKENS]
    wanted = 0.75 * soft
    wanted[ids[-1]] += 0.25
    assert mixed[-1] == pytest.approx(wanted, abs=1e-5)


def test_a_student_comes_to_predict_what_its_teacher_does(corpus: Corpus, tmp_path: Path) -> None:
    """Of soft targets alone it learns the teacher, whose weights are random, and nothing of the text itself."""
    models = [teacher(tmp_path / "one", "gru")]
    trainer = Trainer(replace(SOFT, hard_targets=0.0, dropout=0.0, weight_drop=0.0), corpus, teachers=models)
    before, losses = trainer.held_out_nats(), train(trainer)
    trainer.save_model(saved_model(tmp_path / "two", corpus.vocabulary) / NETWORK, trainer.weights())
    found, nats = [], []
    for name in ("one", "two"):
        with engine.load(tmp_path / name) as model:
            talk = model.conversation()
            talk.say("the cat sat on the ", length=0).result()
            found.append(dict(talk.next_tokens(len(TOKENS))))
            nats.append(model.score("the cat sat on the mat.\n" * 9).nats / (9 * 24))
    assert sum(abs(found[0][token] - found[1][token]) for token in TOKENS) < 0.1
    assert losses[-1] < losses[0] - 0.3
    assert nats[1] == pytest.approx(nats[0], abs=0.03)
    assert trainer.held_out_nats() > before - 0.1


def test_an_interrupted_distillation_ends_in_the_same_weights(corpus: Corpus, tmp_path: Path) -> None:
    tf.config.experimental.enable_op_determinism()
    models = [teacher(tmp_path / "one", "gru"), teacher(tmp_path / "two", "tied")]
    straight, first, second = (Trainer(SOFT, corpus, teachers=models) for _ in range(3))
    losses = train(straight)
    begun = train(first, 7)
    checkpoint.save(tmp_path, first.run_state(()))
    second.restore(checkpoint.load(tmp_path))
    assert begun + train(second) == losses
    for one, other in zip(straight.network.variables, second.network.variables, strict=True):
        assert (np.asarray(one) == np.asarray(other)).all()
    with pytest.raises(TrainingError, match="the teachers have changed since this run began"):
        Trainer(SOFT, corpus, teachers=models[::-1]).restore(checkpoint.load(tmp_path))


def test_a_predecessor_teaches_from_the_command_line(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [word for name, value in FLAGS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(["--data", str(plain_text), "--out", str(one), *flags]) == 0
    capsys.readouterr()
    again = ["--data", str(plain_text), "--out", str(two), "--teachers", str(one), *flags]
    assert main([*again, "--updates", "20"]) == 0
    assert "learns from the text and from one: the training loss is that of a mixture, 0.5" in capsys.readouterr().out
    saved = checkpoint.load(two)
    assert list(saved.teachers) == [str(one)]
    settings = json.loads((two / "settings.json").read_text())
    assert [told["name"] for told in settings["teachers"]] == ["one"]
    assert "--teachers one" in settings["command"]
    card = (two / "README.md").read_text()
    assert "| learned from | the text and `one`, 15 tokens" in card
    assert "with dropout, 0.5 of it the text's and the rest the teachers'" in card
    assert str(tmp_path) not in card + json.dumps(settings)
    assert main(["--out", str(two), "--resume", "--epochs", "3", "--sample-every", "0"]) == 0
    (one / "model.keras").write_bytes((two / "model.keras").read_bytes())
    capsys.readouterr()
    assert main(["--out", str(two), "--resume", "--epochs", "4"]) == 1
    assert "the teachers have changed since this run began" in capsys.readouterr().err


def test_teachers_that_cannot_teach_are_refused_at_once(
    plain_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (str(saved_model(tmp_path / name, Vocabulary(tokens))) for name, tokens in
                  (("one", TOKENS), ("other", TOKENS[1:])))  # fmt: skip
    words = str(saved_model(tmp_path / "words", Vocabulary(("<unk>", "a"), "word", "<unk>")))
    out = tmp_path / "new"
    start = ["--data", str(plain_text), "--out", str(out)]
    for flags, told in (
        (["--teachers", one, other], "other and one have other tokens (char, 14, char, 15)"),
        (["--teachers", one, "--from", words], "words and one have other tokens (word, 2, char, 15)"),
        (["--teachers", one, "--level", "bpe"], "--level bpe: a student has the tokens of its teachers (one: char, 15"),
        (["--teachers", one, "--min-count", "2"], "leave --min-count out"),
        (["--teachers", one, one], "is named twice"),
        (["--hard-targets", "0.3"], "--hard-targets: is for a run with --teachers"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main([*start, *flags])
        assert told in capsys.readouterr().err.replace("\n", " ")
    assert main([*start, "--teachers", str(tmp_path / "none")]) == 1
    assert "no such model" in capsys.readouterr().err
    assert not out.exists()


def test_teachers_count_in_what_memory_is_needed() -> None:
    teachers = [replace(SETTINGS, units=2048), replace(SETTINGS, units=1024)]
    alone, taught = memory.needed(SETTINGS, 65), memory.needed(SETTINGS, 65, teachers=teachers)
    assert taught - alone >= 4 * sum(memory.weights(one, 65) for one in teachers)
    with pytest.raises(TrainingError, match=r"are free: take fewer than 2 --teachers, or smaller ones$"):
        memory.check(SETTINGS, 65, 0, alone, teachers=teachers)


def test_the_text_is_read_in_the_teachers_tokens(plain_text: Path, tmp_path: Path) -> None:
    """What they lack is replaced, and counted."""
    tokens = tuple(token for token in TOKENS if token != "g")
    saved_model(tmp_path / "one", Vocabulary(tokens))
    flags = ["--batch", "4", "--steps", "8", "--units", "8", "--updates", "3", "--sample-every", "0"]
    out = tmp_path / "new"
    assert main(["--data", str(plain_text), "--out", str(out), "--teachers", str(tmp_path / "one"), *flags]) == 0
    assert json.loads((out / VOCABULARY).read_text())["tokens"] == list(tokens)
