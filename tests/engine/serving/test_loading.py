"""Which engine `load` gives for which arguments."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.memory.counts import Index
from engine.memory.training import packed
from tests.engine.conversations import seeded


def test_the_keras_backend_writes_the_same_text(keras_model_dir: Path) -> None:
    sampling = engine.Sampling(seed=3, length=80, temperature=1.0)
    texts, infos = [], []
    for backend in ("onnx", "keras"):
        with engine.load(keras_model_dir, backend=backend) as model:
            texts.append(model.conversation(sampling=sampling).say("the cat").text)
            infos.append(model.info)
    assert texts[0] == texts[1]
    assert [info.backend for info in infos] == ["onnx", "keras"]
    first = infos[0]
    assert (first.name, first.level, first.cell, first.units, first.layers) == ("tiny-keras", "char", "gru", 24, 2)
    assert (first.vocabulary_size, first.state_bytes, first.precision) == (31, 192, "float32")
    assert first.parameters == infos[1].parameters == 31 * 8 + (8 + 24 + 2) * 72 + (24 + 24 + 2) * 72 + 25 * 31


def test_int8_is_chosen_by_name(keras_model_dir: Path) -> None:
    with engine.load(keras_model_dir, precision="int8") as model:
        assert model.info.precision == "int8"
        together = [reply.text for reply in [talk.say("ab") for talk in seeded(model, 20, 40)]]
        assert together == [talk.say("ab").text for talk in seeded(model, 20, 40)]
    with pytest.raises(ValueError, match="precision 'int8'"):
        engine.load(keras_model_dir, backend="keras", precision="int8")


def test_a_model_may_bring_the_counts_of_its_training_text(keras_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(keras_model_dir, folder)
    mine = engine.Sampling(seed=3, length=80, memory="mine")
    with engine.load(folder) as model:
        without = model.conversation(sampling=mine).say("the cat").text
        text = model.vocabulary.encode("the cat sat on the mat. " * 20).ids
        counts = packed(Index.of(len(model.vocabulary), [(text, None)]))
    (folder / "counts.npz").write_bytes(counts)
    with engine.load(folder) as model:
        assert model.conversation(sampling=mine).say("the cat").text != without
    for damaged in (b"", counts[:-9]):
        (folder / "counts.npz").write_bytes(damaged)
        with engine.load(folder) as model:
            talk = model.conversation()
            assert talk.say("the cat").text  # nothing reads them without a memory
            with pytest.raises(engine.ModelLoadError, match=r"counts\.npz is damaged: copy it again, remove it"):
                talk.say("x", sampling=mine)
            (folder / "counts.npz").unlink()
            assert talk.say("x", sampling=mine).text  # as it was told


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"backend": "torch"}, "backend 'torch'"),
        ({"precision": "int3"}, "precision 'int3'"),
        ({"max_batch": 0}, "max_batch 0"),
    ],
)
def test_bad_arguments_of_load_are_named(keras_model_dir: Path, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        engine.load(keras_model_dir, **arguments)
